import { bench, describe } from 'vitest'
import { stringify } from 'yaml'
import { runControllers } from '../src/controllers/run.ts'
import { loadManifests } from '../src/kube/load.ts'
import { matrixAxes, policyMatrix } from '../src/trace/matrix-question.ts'
import { formatMatrix } from '../src/view/matrix-text.ts'
import { type LargeClusterSize, largeClusterObjects } from '../test/policy/large-cluster.ts'

/** Seconds that cyclonus takes for the first size, on this kind of machine. */
const cyclonus = 27.7

const sizes: readonly (LargeClusterSize & { readonly grouping: 'pod' | 'namespace' })[] = [
  { pods: 1000, policies: 2000, seed: 7, grouping: 'pod' },
  { pods: 10_000, policies: 1000, seed: 7, grouping: 'namespace' },
]

/** From YAML to printed text, as `kubehop matrix --ports 80` does. */
describe.each(sizes)('$pods pods under $policies policies, from YAML to a printed matrix', (size) => {
  const text = largeClusterObjects(size)
    .map((o) => stringify(o))
    .join('---\n')
  let best = Number.POSITIVE_INFINITY
  bench(
    `rows are ${size.grouping}s`,
    () => {
      const start = performance.now()
      matrixOf(text, size.grouping)
      best = Math.min(best, (performance.now() - start) / 1000)
    },
    {
      ...{ iterations: 3, warmupIterations: 0, time: 0, warmupTime: 0 },
      teardown: (_task, mode) => (mode === 'run' ? console.log(report(size, best)) : undefined),
    },
  )
})

function matrixOf(text: string, grouping: 'pod' | 'namespace'): string {
  const { store, settings } = loadManifests([{ path: 'cluster.yaml', text }])
  runControllers(store, settings)
  const axes = matrixAxes(store, { grouping, ports: '80', outside: ['none'] })
  if ('problem' in axes) throw new Error(axes.problem)
  return formatMatrix(policyMatrix(axes))
}

const report = ({ pods, policies }: LargeClusterSize, seconds: number): string =>
  `${pods} pods, ${policies} policies: ${seconds.toFixed(2)} s${pods === 1000 ? `, ${(cyclonus / seconds).toFixed(0)} times as fast as cyclonus (${cyclonus} s)` : ''}`
