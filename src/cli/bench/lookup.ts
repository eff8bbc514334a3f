import { formatIpSet } from '../../artefact/ipset-text.ts'
import { formatRuleset } from '../../artefact/iptables/print.ts'
import { formatIpvsSave } from '../../artefact/ipvs.ts'
import type { NetnsState } from '../../artefact/netns.ts'
import { formatNft } from '../../artefact/nft/print.ts'
import { emptyNft } from '../../artefact/nft/ruleset.ts'
import { nodeNetns } from '../../cluster/machine.ts'
import type { Burst, timeKernel } from '../../lab/lookup-timer.ts'
import { seededRandom } from '../../trace/lots.ts'
import { liveHeap } from './heap.ts'
import { type NodeProbe, nodeProbe, silent } from './node-probe.ts'
import {
  type ProxyMode,
  podCount,
  podIp,
  type SyntheticSize,
  serviceIp,
  servicePort,
  syntheticCluster,
  targetPort,
} from './synthetic-cluster.ts'

export const positions = ['first', 'middle', 'last', 'random'] as const
export type Position = (typeof positions)[number]

/** What one node holds for so many Services, in one mode. */
export interface InstalledRules extends SyntheticSize {
  /** Rules of the IPv4 tables; with them, in nftables mode the elements of sets and maps, in IPVS mode virtual and real servers and members of ipsets. */
  readonly rules: number
  /** Of their native text. */
  readonly bytes: number
  /** From objects that are in the store to the node's artefacts. */
  readonly renderMs: number
  /** Live heap that the artefacts take. */
  readonly memory: number
  /** That the running kernel's tools take to load them. */
  readonly kernelLoadMs?: number
}

/**
 * What a new connection to a Service costs on its way through the client's node: all hooks, routing and encapsulation.
 * Times are medians of rounds in which all alternate, in nanoseconds for each connection.
 */
export interface LookupCost {
  readonly mode: ProxyMode
  readonly services: number
  readonly endpoints: number
  readonly position: Position
  /** Rules that the kernel would have compared, on average. */
  readonly examined: number
  /** Rule by rule. */
  readonly walkNs: number
  readonly compiledNs: number
  /** The same node's way of a connection straight to a pod, by the compiled rules. */
  readonly forwardNs: number
  /** The running kernel; and what it takes to forward where no rule is loaded. */
  readonly kernelNs?: number
  readonly kernelForwardNs?: number
}

export interface LookupBench {
  readonly installed: readonly InstalledRules[]
  readonly costs: readonly LookupCost[]
  /** What could not be measured, and why. */
  readonly notes: readonly string[]
}

export interface LookupPlan {
  readonly sizes: readonly SyntheticSize[]
  readonly positions: readonly Position[]
  readonly seed: number
  /** Milliseconds. */
  readonly now: () => number
  /** Told after each size. */
  readonly done?: (sizes: number) => void
  /** Measures the running kernel beside. */
  readonly kernel?: typeof timeKernel
}

const rounds = 5
/** Of one round: so many milliseconds, in steps of so many connections. */
const budget = 40
const connections = 20

export function benchLookup({ sizes, done, ...plan }: LookupPlan): LookupBench {
  const results = sizes.map((size, i) => {
    const result = benchSize(size, plan)
    done?.(i + 1)
    return result
  })
  return {
    installed: results.map((r) => r.installed),
    costs: results.flatMap((r) => r.costs),
    notes: results.flatMap((r) => r.notes),
  }
}

function benchSize(size: SyntheticSize, { positions: asked, seed, now, kernel }: Omit<LookupPlan, 'sizes' | 'done'>) {
  const { cluster } = syntheticCluster(size)
  const before = liveHeap()
  const start = now()
  const state = cluster.network().machines.get(nodeNetns('node-0'))?.state()
  const renderMs = now() - start
  if (!state) throw new Error('the synthetic cluster has no node-0')
  const memory = Math.max(0, liveHeap() - before)
  const installed: InstalledRules = {
    ...size,
    rules: countRules(state),
    bytes: nativeText(state).length,
    renderMs,
    memory,
  }
  const probes = { walk: nodeProbe(cluster, true), compiled: nodeProbe(cluster, false) }
  const costs = asked.map((position) => costAt(size, position, probes, seed, now))
  if (!kernel) return { installed, costs, notes: [] }
  const bursts = asked.map((position) => burstsAt(size, position, seed))
  const real = kernel(
    state,
    bursts.map(([services]) => services),
    bursts.map(([, direct]) => direct),
  )
  if ('failed' in real) {
    const { mode, services, endpoints } = size
    return { installed, costs, notes: [`kernel, ${mode}, ${services} x ${endpoints}: ${real.failed}`] }
  }
  const measured = costs.map((cost, i) => {
    return { ...cost, kernelNs: real.ns[i] ?? 0, kernelForwardNs: real.bareNs[i] ?? 0 }
  })
  return { installed: { ...installed, kernelLoadMs: real.loadMs }, costs: measured, notes: [] }
}

function costAt(
  { mode, services, endpoints }: SyntheticSize,
  position: Position,
  { walk, compiled }: { readonly walk: NodeProbe; readonly compiled: NodeProbe },
  seed: number,
  now: () => number,
): LookupCost {
  const next = chooser(services, position, seed)
  const time = (connect: () => void): number => {
    const start = now()
    for (let done = connections; ; done += connections) {
      for (let i = 0; i < connections; i++) connect()
      const took = now() - start
      if (took >= budget) return (took * 1e6) / done
    }
  }
  const times = { walk: [] as number[], compiled: [] as number[], forward: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    times.walk.push(time(() => walk.connect(next(), silent)))
    times.compiled.push(time(() => compiled.connect(next(), silent)))
    times.forward.push(time(() => compiled.forward(next(), silent)))
  }
  return {
    ...{ mode, services, endpoints, position, examined: examinedBy(compiled, next) },
    walkNs: median(times.walk),
    compiledNs: median(times.compiled),
    forwardNs: median(times.forward),
  }
}

/** The number of the Service of each connection in turn. */
function chooser(services: number, position: Position, seed: number): () => number {
  const random = seededRandom(seed)
  const place = { first: 0, middle: Math.floor(services / 2), last: services - 1 } as const
  return () => (position === 'random' ? Math.floor(random() * services) : place[position])
}

/** To Services, then straight to pods. */
function burstsAt({ services }: SyntheticSize, position: Position, seed: number): readonly [Burst, Burst] {
  const next = chooser(services, position, seed)
  const chosen = Array.from({ length: position === 'random' ? 400 : 1 }, next)
  return [
    chosen.map((i) => [serviceIp(i), servicePort] as const),
    chosen.map((i) => [podIp(i % podCount), targetPort(i)] as const),
  ]
}

function examinedBy(probe: NodeProbe, next: () => number): number {
  const samples = 20
  let examined = 0
  for (let i = 0; i < samples; i++) {
    probe.connect(next(), (event) => {
      if (event.kind === 'rule' || event.kind === 'chain-end') examined += event.examined
    })
  }
  return examined / samples
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

function countRules({ iptables, nftables = emptyNft, ipvs = [], ipsets = [] }: NetnsState): number {
  return sum([
    ...iptables.ipv4.tables.flatMap((t) => t.chains.map((c) => c.rules.length)),
    ...nftables.tables.flatMap((t) => [
      ...t.chains.map((c) => c.rules.length),
      ...t.sets.map((s) => s.elements.length),
    ]),
    ...ipvs.map((s) => 1 + s.servers.length),
    ...ipsets.map((s) => s.members.length),
  ])
}

/** All that kube-proxy and the others load, as the kernel's own tools print it. */
export const nativeText = ({ iptables, nftables = emptyNft, ipvs = [], ipsets = [] }: NetnsState): string =>
  [formatRuleset(iptables.ipv4), formatNft(nftables), formatIpvsSave(ipvs), ...ipsets.map(formatIpSet)].join('')
