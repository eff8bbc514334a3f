import { formatRuleset } from '../artefact/iptables/print.ts'
import type { NetnsState } from '../artefact/netns.ts'
import { type NftTable, tableKey } from '../artefact/nft/ruleset.ts'
import type { Network, Visit } from '../cluster/loop.ts'
import type { Machine, NetnsId } from '../cluster/machine.ts'
import type { UserTunnel } from '../cni/result.ts'
import { type Family, families } from '../net/ip.ts'
import { formatPrefix } from '../net/prefix.ts'
import type { Lot } from '../trace/lots.ts'
import { type Compared, compareBranches, type Part } from './compare.ts'
import { conntrackInsert } from './conntrack-command.ts'
import { forceLots, forceNftLots } from './force.ts'
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
  /** What is not there as the artefacts say, by namespace. */
  readonly lacking: ReadonlyMap<NetnsId, readonly string[]>
  /** `branch` decides all lots beforehand, as on that branch of the prediction; otherwise chance does. */
  probe(probe: Probe, branch?: number): Promise<Outcome>
  /** How many ways the probe may take. */
  branches(probe: Probe): number
  close(): Promise<void>
}

export async function openLab(network: Network, run: string): Promise<LabSession | LabProblem> {
  const observer = startObserver()
  const opened = await build(observer, network, run)
  if (isLabProblem(opened)) await observer.close()
  return opened
}

async function build(observer: Observer, network: Network, run: string): Promise<LabSession | LabProblem> {
  const hello = await observer.ask<Hello>({ do: 'hello' })
  if (isFailed(hello)) return { problem: cannotRun(hello.failed) }
  if (hello.missing.length > 0) return { problem: `needs ${hello.missing.join(', ')}, which this machine lacks` }
  const lacking = new Map<NetnsId, string[]>()
  const plan = planLab(network, run, (machine) => buildable(machine, hello, lacking))
  const built = await observer.ask<Done>({ do: 'build', script: buildScript(plan, { retransMs: 100 }) })
  if (isFailed(built)) return { problem: built.failed }
  if (!built.ok) return { problem: `the kernel does not take the cluster: ${built.error}` }
  const watched = await observer.ask<ObserveReply>({ do: 'observe', spaces: watches(plan) })
  if (isFailed(watched)) return { problem: watched.failed }
  const idOf = new Map(plan.spaces.map((s) => [s.name, s.machine.id]))
  for (const [name, problems] of Object.entries(watched.problems)) {
    const id = idOf.get(name)
    if (id !== undefined) lacking.set(id, [...(lacking.get(id) ?? []), ...problems])
  }
  const known = portsOfNetwork(network)
  return {
    kernel: hello.kernel,
    lacking,
    probe: (probe, branch) => probeOnce({ observer, network, plan, known, lacking }, probe, branch),
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

/** A cable to nowhere holds addresses as well as a dummy device does; what is sent by it is not comparable. */
const withStandIns = (state: NetnsState, { kinds }: Hello): NetnsState =>
  kinds.includes('dummy')
    ? { ...state, links: state.links.map((l) => (l.kind.kind === 'dummy' ? { ...l, kind: { kind: 'physical' } } : l)) }
    : state

/** Without the devices that this kernel cannot make, which are noted. */
function buildable(machine: Machine, hello: Hello, lacking: Map<NetnsId, string[]>): NetnsState {
  const state = withStandIns(machine.state(), hello)
  const missing = state.links.filter((l) => hello.kinds.includes(l.kind.kind))
  if (state.conntrack.length > 0 && !hello.conntrack)
    lacking.set(machine.id, ['connections that are there before the first packet: the tool conntrack is missing'])
  if (missing.length === 0) return state
  const notes = missing.map((l) => `${l.name} (a device of kind ${l.kind.kind})`)
  lacking.set(machine.id, [...(lacking.get(machine.id) ?? []), ...notes])
  const gone = new Set<string>(missing.map((l) => l.name))
  const kept = <T extends { readonly dev?: string }>(all: readonly T[]): readonly T[] =>
    all.filter((x) => !gone.has(x.dev ?? ''))
  return {
    ...state,
    links: state.links.filter((l) => !gone.has(l.name)),
    addresses: kept(state.addresses),
    routes: kept(state.routes),
    neighbours: kept(state.neighbours),
    fdb: kept(state.fdb),
  }
}

/** Rules are traced where there are any; what listens in the artefacts listens in the lab. */
const watches = (plan: LabPlan): Extract<ObserverMessage, { do: 'observe' }>['spaces'] =>
  Object.fromEntries(
    plan.spaces.map(({ name, state, machine }) => [
      name,
      {
        trace: [
          ...(hasRules(state, 'ipv4') ? (['ip'] as const) : []),
          ...(plan.ipv6 && hasRules(state, 'ipv6') ? (['ip6'] as const) : []),
        ],
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

interface Running {
  readonly observer: Observer
  readonly network: Network
  readonly plan: LabPlan
  readonly known: ReadonlySet<number>
  readonly lacking: ReadonlyMap<NetnsId, readonly string[]>
}

async function probeOnce(running: Running, probe: Probe, branch: number | undefined): Promise<Outcome> {
  const { observer, network, plan, known } = running
  const port = portText(known, probe.request)
  const all = predict(network, probe, port)
  const forced = branch === undefined ? undefined : all[branch]
  const predictions = forced ? [forced] : all
  const why = notComparable(predictions, probe, running)
  if (why !== undefined) return { kind: 'not comparable', why }
  const message = probeMessage(probe, plan, predictions)
  const undo = forced && (await force(running, forced.lots))
  const reply = await observer.ask<ProbeReply>(message)
  await undo?.()
  if (isFailed(reply)) return { kind: 'not comparable', why: reply.failed }
  return judge(running, predictions, { ...reply, protocol: message.protocol }, port)
}

/** Loads rules in which the lots have fallen; what is returned loads the others again. */
async function force({ observer, plan }: Running, lots: readonly Lot[]): Promise<() => Promise<void>> {
  const undo: ObserverMessage[] = []
  for (const { name, state } of plan.spaces) {
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
  { plan, network }: Running,
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
  const leftOut = new Set<Part>(reply.trace.some((t) => t.lost) ? ['chains'] : [])
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
  { lacking, plan }: Running,
): string | undefined {
  if (probe.request.payload.kind === 'sctp') return 'SCTP'
  if (predictions.some((p) => p.overrun)) return 'a loop of frames that never ends'
  const visited = new Set(predictions.flatMap((p) => p.visits.map((v) => v.netns)))
  for (const [netns, what] of lacking) if (visited.has(netns)) return `${netns}: ${what.join(', ')}`
  const dummy = predictions.some((p) => p.visits.some((v) => sendsByDummy(v, plan)))
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

function probeMessage(probe: Probe, plan: LabPlan, predictions: readonly Prediction[]): ProbeMessage {
  const { dst, ttl, df, payload } = probe.request
  const netns = plan.spaces.find((s) => s.machine.id === probe.netns)?.name ?? ''
  const slow = predictions.some((p) => p.took > 0)
  const common = {
    do: 'probe',
    netns,
    dst,
    ttl,
    df,
    settled: 0.012,
    quiet: slow ? 0.4 : 0.08,
    limit: slow ? 2.5 : 0.8,
  } as const
  if (payload.kind === 'icmp' && payload.message.kind === 'echo-request')
    return { ...common, protocol: 'icmp', srcPort: payload.message.id, dstPort: 0, size: payload.message.data }
  if (payload.kind === 'tcp' || payload.kind === 'udp') {
    const { kind: protocol, srcPort, dstPort, data: size } = payload
    return { ...common, protocol, srcPort, dstPort, size }
  }
  throw new Error(`a probe cannot be ${payload.kind}`)
}
