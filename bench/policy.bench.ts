import { bench, describe } from 'vitest'
import { isAllowed } from '../src/policy/decision.ts'
import { evaluate } from '../src/policy/evaluate.ts'
import { compileMatrix } from '../src/policy/matrix.ts'
import { largeCluster } from '../test/policy/large-cluster.ts'

const pods = 4000
const sample = 2000
const query = { protocol: 'tcp', port: 80 } as const
const { policies, ends } = largeCluster({ pods, policies: 1000, seed: 7 })

let matrixMs = Number.POSITIVE_INFINITY
let naiveNs = Number.POSITIVE_INFINITY

/** Both sides in one process; the last line compares their best times per pair. */
describe(`all pairs of ${pods} pods under ${policies.length} policies`, () => {
  bench(
    'compiled: classes, sets and the whole matrix',
    () => {
      const start = performance.now()
      compileMatrix(policies, ends)(query).count()
      matrixMs = Math.min(matrixMs, performance.now() - start)
    },
    { iterations: 7, warmupIterations: 1, time: 0, warmupTime: 0 },
  )

  bench(
    `naive: evaluate, ${sample} pairs`,
    () => {
      const start = performance.now()
      for (let i = 0; i < sample; i++) naive(i)
      naiveNs = Math.min(naiveNs, ((performance.now() - start) * 1e6) / sample)
    },
    {
      iterations: 5,
      warmupIterations: 1,
      time: 0,
      warmupTime: 0,
      teardown: (_task, mode) => (mode === 'run' ? report() : undefined),
    },
  )
})

function naive(i: number): boolean {
  const [from, to] = [ends[(i * 7919) % ends.length], ends[(i * 104729 + 1) % ends.length]]
  return from !== undefined && to !== undefined && isAllowed(evaluate(policies, { from, to, ...query }))
}

function report(): void {
  const perPair = (matrixMs * 1e6) / (pods * pods)
  const line = `matrix ${matrixMs.toFixed(0)} ms, ${perPair.toFixed(1)} ns a pair; naive ${naiveNs.toFixed(0)} ns a pair`
  console.log(`${line}: ratio ${(naiveNs / perPair).toFixed(0)}`)
}
