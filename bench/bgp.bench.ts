import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bench, describe } from 'vitest'
import { converge } from '../src/bgp/converge.ts'
import type { Run } from '../src/bgp/outcome.ts'
import type { Speaker } from '../src/bgp/speaker.ts'
import { totalMessages } from '../src/bgp/tally.ts'
import { logPlot } from '../src/view/log-plot.ts'
import { mesh, nodeName, oneLink, reflected } from '../test/bgp/topology.ts'

const sizes = [10, 100, 1000, 5000]
const reflectors = 2
/** Seconds between KEEPALIVEs in each direction: BIRD's default, a third of 240. */
const keepaliveTime = 80

interface Design {
  readonly name: string
  readonly build: (n: number) => readonly Speaker[]
  readonly sessions: (n: number) => number
}

const designs: readonly Design[] = [
  { name: 'full mesh', build: (n) => mesh(n), sessions: (n) => (n * (n - 1)) / 2 },
  {
    name: `${reflectors} route reflectors`,
    build: (n) => reflected(n, reflectors),
    sessions: (n) => reflectors * (n - reflectors) + (reflectors * (reflectors - 1)) / 2,
  },
]

interface Measured {
  readonly design: string
  readonly n: number
  readonly start: Run
  readonly restart: number
  readonly perNode: number
  readonly ms: number
}

const measured = new Map<string, Measured>()

/** Every size is simulated, none is extrapolated. One run each: the counts are exact, the time is for orientation. */
describe('BGP sessions and messages, one /26 for each node', () => {
  for (const design of designs) {
    for (const n of sizes) {
      bench(`${design.name}, ${n} nodes`, () => record(design, n), {
        iterations: 1,
        time: 0,
        warmupIterations: 0,
        warmupTime: 0,
        ...(n === sizes.at(-1) &&
          design === designs.at(-1) && {
            teardown: (_task: unknown, mode: 'run' | 'warmup') => (mode === 'run' ? report() : undefined),
          }),
      })
    }
  }
})

/** Once: the tool calls a bench more often. */
function record(design: Design, n: number): void {
  const key = `${design.name} ${n}`
  if (!measured.has(key)) measured.set(key, measure(design, n))
}

function measure({ name, build, sessions }: Design, n: number): Measured {
  const speakers = build(n)
  const start = performance.now()
  const network = converge(speakers, oneLink)
  const ms = performance.now() - start
  if (network.run.established !== sessions(n))
    throw new Error(`${network.run.established} sessions, not ${sessions(n)}`)
  const id = nodeName(n - 1)
  const perNode = network.sessions(id).filter((s) => s.state === 'Established').length
  const again = speakers.at(-1)
  const stop = network.apply([{ kind: 'leave', speaker: id, how: 'stop' }])
  const join = again && network.apply([{ kind: 'join', speaker: again }])
  const restart = totalMessages(stop.messages) + (join ? totalMessages(join.messages) : 0)
  return { design: name, n, start: network.run, restart, perNode, ms }
}

function report(): void {
  const rows = [...measured.values()]
  console.table(
    rows.map(({ design, n, start, restart, perNode, ms }) => ({
      design,
      nodes: n,
      sessions: start.established,
      'sessions of a node': perNode,
      'OPEN + KEEPALIVE': start.messages.open + start.messages.keepalive,
      UPDATE: start.messages.update,
      'KEEPALIVE/s at rest': Math.round((2 * start.established) / keepaliveTime),
      'messages when one node restarts': restart,
      rounds: start.rounds,
      ms: Math.round(ms),
    })),
  )
  const file = join(import.meta.dirname, 'bgp.svg')
  const lines = designs.flatMap(({ name }) => {
    const of = rows.filter((r) => r.design === name)
    return [
      { name: `${name}: sessions`, points: of.map((r) => [r.n, r.start.established] as const) },
      { name: `${name}: sessions of a node`, points: of.map((r) => [r.n, r.perNode] as const) },
    ]
  })
  writeFileSync(file, logPlot({ title: 'BGP sessions', x: 'nodes', y: 'sessions', lines }))
  console.log(`plot: ${file}`)
}
