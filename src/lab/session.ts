import { formatRuleset } from '../artefact/iptables/print.ts'
import type { NetnsState } from '../artefact/netns.ts'
import { type NftTable, tableKey } from '../artefact/nft/ruleset.ts'
import type { Network, Visit } from '../cluster/loop.ts'
import type { NetnsId } from '../cluster/machine.ts'
import type { UserTunnel } from '../cni/result.ts'
import { type Family, families } from '../net/ip.ts'
import { formatPrefix } from '../net/prefix.ts'
import { buildable } from './buildable.ts'
import { type Compared, compareBranches, type Part } from './compare.ts'
import { conntrackInsert } from './conntrack-command.ts'
import { forceLots, forceNftLots } from './force.ts'
import { forceServers } from './force-ipvs.ts'
import { portsOfNetwork, portText } from './known-ports.ts'
import type { Observation } from './observation.ts'
import { type NftHooks, observationOf } from './observe.ts'
import type {
  Done,
  Hello,
  ObserveReply,
  ObserverMessage,
  ProbeMessage,
  ProbeReply,
  TunnelWatch,
} from './observer-message.ts'
import { isFailed, type Observer, startObserver } from './observer-process.ts'
import type { PortText } from './packet-line.ts'
import { type LabPlan, planLab } from './plan.ts'
import { bridgesOf, type Prediction, predict } from './predict.ts'
import type { Probe } from './probe.ts'
import { buildScript } from './script.ts'
import { startUmlObserver, umlMissing } from './uml.ts'

/** Why the lab cannot run here; for a person. */
export interface LabProblem {
  readonly problem: string
}
export const isLabProblem = (x: object): x is LabProblem => 'problem' in x

export type Outcome =
  | { readonly kind: 'agrees'; readonly observed: Observation; readonly branch: number; readonly branches: number }
  | {
      readonly kind: 'differs'
      readonly compared: Compared
      readonly predicted: Observation
      readonly observed: Observation
    }
  /** Something that this kernel, or the lab, lacks; never counted as agreement. */
  | { readonly kind: 'not comparable'; readonly why: string }

/** A cluster that stands as network namespaces, until it is closed. */
export interface LabSession {
  readonly kernel: string
  /** What no probe can show on this kernel; for a person. */
  readonly notes: readonly string[]
  /** What is not there as the artefacts say, by namespace. */
  readonly lacking: ReadonlyMap<NetnsId, readonly string[]>
  /** `branch` decides all lots beforehand, as on that branch of the prediction; otherwise chance does. */
  probe(probe: Probe, branch?: number): Promise<Outcome>
  /** How many ways the probe may take. */
  branches(probe: Probe): number
  close(): Promise<void>
}

/** On which kernel: the one that runs, or user-mode Linux, booted for the lab. */
export const labKernels = ['running', 'uml'] as const
export type LabKernel = (typeof labKernels)[number]

export async function openLab(
  network: Network,
  run: string,
  kernel: LabKernel = 'running',
): Promise<LabSession | LabProblem> {
  const missing = kernel === 'uml' ? umlMissing() : undefined
  if (missing !== undefined) return { problem: missing }
  const observer = kernel === 'uml' ? startUmlObserver() : startObserver()
  const opened = await build(observer, network, run, kernel)
  if (isLabProblem(opened)) await observer.close()
  return opened
}

async function build(
  observer: Observer,
  network: Network,
  run: string,
  kernel: LabKernel,
): Promise<LabSession | LabProblem> {
  const hello = await observer.ask<Hello>({ do: 'hello' })
  if (isFailed(hello)) return { problem: cannotRun(hello.failed) }
  if (hello.missing.length > 0) return { problem: `needs ${hello.missing.join(', ')}, which this machine lacks` }
  const lacking = new Map<NetnsId, string[]>()
  const plan = planLab(network, run, (machine) => {
    const built = buildable(machine, hello)
    if (built.lacking.length > 0) lacking.set(machine.id, [...built.lacking])
    return built.state
  })
  const built = await observer.ask<Done>({ do: 'build', script: buildScript(plan, { retransMs: 100 }) })
  if (isFailed(built)) return { problem: built.failed }
  if (!built.ok) return { problem: `the kernel does not take the cluster: ${built.error}` }
  const watched = await observer.ask<ObserveReply>({ do: 'observe', spaces: watches(plan, hello) })
  if (isFailed(watched)) return { problem: watched.failed }
  const idOf = new Map(plan.spaces.map((s) => [s.name, s.machine.id]))
  for (const [name, problems] of Object.entries(watched.problems)) {
    const id = idOf.get(name)
    if (id !== undefined) lacking.set(id, [...(lacking.get(id) ?? []), ...problems])
  }
  const known = portsOfNetwork(network)
  const running = { observer, network, plan, known, lacking, hello, patience: kernel === 'uml' ? umlPatience : 1 }
  // IPVS remembers a connection for long, and no tool makes it forget.
  const own = plan.spaces.some((s) => s.state.ipvs?.length) ? freshPorts() : (probe: Probe) => probe
  return {
    kernel: hello.kernel,
    notes: hello.nft === null ? [] : [counted],
    lacking,
    probe: (probe, branch) => probeOnce(running, own(probe), branch),
    branches: (probe) => predict(network, probe, portText(known, probe.request)).length,
    close: () => observer.close(),
  }
}

function cannotRun(why: string): string {
  if (process.platform !== 'linux') return `needs Linux; this is ${process.platform}`
  if (/unshare failed|Operation not permitted|No space left/i.test(why))
    return `this machine does not let a user make namespaces (${why.split('\n')[0]})`
  return why
}

/** Rules are traced where there are any; what listens in the artefacts listens in the lab. */
const watches = (plan: LabPlan, hello: Hello): Extract<ObserverMessage, { do: 'observe' }>['spaces'] =>
  Object.fromEntries(
    plan.spaces.map(({ name, state, machine }) => [
      name,
      {
        trace: hello.nft === null ? traced(state, plan) : [],
        count: hello.nft !== null && traced(state, plan).length > 0,
        listen: state.sockets
          // Probes of SCTP are not compared, so nothing has to serve them.
          .filter((s) => s.protocol !== 'sctp' && !machine.tunnels?.some((t) => t.owner === s.owner))
          .map((s) => [s.protocol, s.address ?? null, s.port] as const),
        connections: state.conntrack.map(conntrackInsert),
        learning: nftTables(state).flatMap((t) =>
          t.sets.filter((set) => set.flags?.includes('dynamic')).map((set) => `${tableKey(t)} ${set.name}`),
        ),
        tunnels: (machine.tunnels ?? []).flatMap((t) => tunnelWatch(t, state)),
      },
    ]),
  )

const traced = (state: NetnsState, { ipv6 }: LabPlan): readonly ('ip' | 'ip6')[] => [
  ...(hasRules(state, 'ipv4') ? (['ip'] as const) : []),
  ...(ipv6 && hasRules(state, 'ipv6') ? (['ip6'] as const) : []),
]

const hasRules = (state: NetnsState, family: Family): boolean =>
  state.iptables[family].tables.length > 0 ||
  nftTables(state).some((t) => t.family === 'inet' || t.family === (family === 'ipv4' ? 'ip' : 'ip6'))

/** None where the device is not there. */
function tunnelWatch({ device, local, port, peers }: UserTunnel, state: NetnsState): readonly TunnelWatch[] {
  const address = state.addresses.find((a) => a.dev === device)?.ip
  if (address === undefined) return []
  const to = peers.map((p) => ({ subnet: formatPrefix(p.subnet), address: p.address, port: p.port }))
  return [{ device, address, local, port, peers: to }]
}

/** First of the source ports that probes get whose ports may not come again: above those that the kernel draws. */
const firstFreshPort = 61_000

function freshPorts(): (probe: Probe) => Probe {
  let next = firstFreshPort
  return (probe) => {
    const { payload } = probe.request
    if ((payload.kind !== 'tcp' && payload.kind !== 'udp') || probe.asked.srcPort !== undefined) return probe
    return { ...probe, request: { ...probe.request, payload: { ...payload, srcPort: next++ } } }
  }
}

const counted =
  'no trace of rules here: those of IPv4 are compared by how many packets each matched, without their order; those of IPv6 are not compared'

/** How much slower a packet crosses it than the running kernel. */
const umlPatience = 5

interface Running {
  readonly observer: Observer
  readonly network: Network
  readonly plan: LabPlan
  readonly known: ReadonlySet<number>
  readonly lacking: ReadonlyMap<NetnsId, readonly string[]>
  readonly hello: Hello
  /** Factor on the time after which nothing more is awaited. */
  readonly patience: number
}

async function probeOnce(running: Running, probe: Probe, branch: number | undefined): Promise<Outcome> {
  const { observer, network, known } = running
  const port = portText(known, probe.request)
  const all = predict(network, probe, port)
  const forced = branch === undefined ? undefined : all[branch]
  const predictions = forced ? [forced] : all
  const why = notComparable(predictions, probe, running)
  if (why !== undefined) return { kind: 'not comparable', why }
  const message = probeMessage(probe, running, predictions)
  const undo = forced && (await force(running, forced))
  const reply = await observer.ask<ProbeReply>(message)
  await undo?.()
  if (isFailed(reply)) return { kind: 'not comparable', why: reply.failed }
  return judge(running, predictions, { ...reply, protocol: message.protocol }, port)
}

/** Loads rules in which the lots have fallen; what is returned loads the others again. */
async function force({ observer, plan }: Running, { lots, visits }: Prediction): Promise<() => Promise<void>> {
  const undo: ObserverMessage[] = []
  for (const { name, state, machine } of plan.spaces) {
    const servers = forceServers(machine.id, state.ipvs ?? [], visits)
    if (servers.forced !== '') {
      await observer.ask<Done>({ do: 'servers', netns: name, lines: servers.forced })
      undo.push({ do: 'servers', netns: name, lines: servers.before })
    }
    for (const family of families) {
      const before = formatRuleset(state.iptables[family])
      const after = formatRuleset(forceLots(state.iptables[family], lots))
      if (before === after) continue
      await observer.ask<Done>({ do: 'restore', netns: name, family, rules: after })
      undo.push({ do: 'restore', netns: name, family, rules: before })
    }
    const { forced, before } = forceNftLots(nftTables(state), lots)
    if (forced.length === 0) continue
    await observer.ask<Done>({ do: 'replace', netns: name, rules: forced })
    undo.push({ do: 'replace', netns: name, rules: before })
  }
  return async () => {
    for (const message of undo) await observer.ask<Done>(message)
  }
}

function judge(
  { plan, network, hello }: Running,
  predictions: readonly Prediction[],
  reply: ProbeReply,
  port: PortText,
): Outcome {
  const ids = new Map(plan.spaces.map((s) => [s.name, s.machine.id]))
  const traced = new Set(plan.spaces.filter((s) => tablesOf(s.state) > 0).map((s) => s.machine.id))
  const observed = observationOf(
    reply,
    (name) => ids.get(name) ?? (name as NetnsId),
    bridgesOf(network),
    port,
    nftHooks(plan),
  )
  const predicted = predictions.map((p) => ({
    ...p.observation,
    connections: new Map([...p.observation.connections].filter(([id]) => traced.has(id))),
  }))
  const leftOut = new Set<Part>(
    hello.nft === null ? ['matched', ...(reply.trace.some((t) => t.lost) ? ['chains' as const] : [])] : ['chains'],
  )
  const compared = compareBranches(predicted, observed, leftOut)
  if (!compared.difference) return { kind: 'agrees', observed, branch: compared.index, branches: predicted.length }
  const nearest = predicted[compared.index] ?? observed
  return { kind: 'differs', compared, predicted: nearest, observed }
}

const tablesOf = (s: NetnsState): number =>
  s.iptables.ipv4.tables.length + s.iptables.ipv6.tables.length + nftTables(s).length

const nftTables = (s: NetnsState): readonly NftTable[] => s.nftables?.tables ?? []

const nftHooks = ({ spaces }: LabPlan): NftHooks =>
  new Map(
    spaces.flatMap(({ name, state }) =>
      nftTables(state).flatMap((t) =>
        t.chains.flatMap((c) => (c.base ? [[`${name} ${tableKey(t)} ${c.name}`, c.base.hook] as const] : [])),
      ),
    ),
  )

function notComparable(
  predictions: readonly Prediction[],
  probe: Probe,
  { lacking, plan, hello }: Running,
): string | undefined {
  if (probe.request.payload.kind === 'sctp') return 'SCTP'
  if (predictions.some((p) => p.overrun)) return 'a loop of frames that never ends'
  const visited = new Set(predictions.flatMap((p) => p.visits.map((v) => v.netns)))
  for (const [netns, what] of lacking) if (visited.has(netns)) return `${netns}: ${what.join(', ')}`
  const dummy = hello.kinds.includes('dummy') && predictions.some((p) => p.visits.some((v) => sendsByDummy(v, plan)))
  if (dummy) return 'a device of kind dummy'
  const events = predictions.flatMap((p) => p.visits.flatMap((v) => v.events))
  return events.some((e) => e.kind === 'drop' && e.reason === 'unsupported-rule')
    ? 'a rule that is not modelled'
    : undefined
}

function sendsByDummy({ netns, events }: Visit, plan: LabPlan): boolean {
  const machine = plan.spaces.find((s) => s.machine.id === netns)?.machine
  const dummies = machine?.state().links.filter((l) => l.kind.kind === 'dummy') ?? []
  return events.some((e) => e.kind === 'transmit' && dummies.some((d) => d.name === e.device))
}

function probeMessage(probe: Probe, { plan, patience }: Running, predictions: readonly Prediction[]): ProbeMessage {
  const { dst, ttl, df, payload } = probe.request
  const netns = plan.spaces.find((s) => s.machine.id === probe.netns)?.name ?? ''
  const slow = predictions.some((p) => p.took > 0)
  const common = {
    do: 'probe',
    netns,
    dst,
    ttl,
    df,
    settled: 0.012 * patience,
    quiet: slow ? 0.4 : 0.08 * patience,
    limit: slow ? 2.5 : 0.8 * patience,
  } as const
  if (payload.kind === 'icmp' && payload.message.kind === 'echo-request')
    return { ...common, protocol: 'icmp', srcPort: payload.message.id, dstPort: 0, size: payload.message.data }
  if (payload.kind === 'tcp' || payload.kind === 'udp') {
    const { kind: protocol, srcPort, dstPort, data: size } = payload
    return { ...common, protocol, srcPort, dstPort, size }
  }
  throw new Error(`a probe cannot be ${payload.kind}`)
}
