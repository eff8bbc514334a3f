import type { Cluster } from '../cluster/cluster.ts'
import { type Network, type Visit, World } from '../cluster/loop.ts'
import type { ClusterEvent } from '../cluster/process.ts'
import type { ObjectReader } from '../kube/store.ts'
import type { SendRequest } from '../linux/kernel.ts'
import type { Ip } from '../net/ip.ts'
import { formatSocketAddress, type Protocol } from '../net/port.ts'
import { type IpPacket, type IpPayload, tcpFlag } from '../packet/packet.ts'
import { advice } from './advice.ts'
import { findBackend } from './backend.ts'
import { bgpAdvice } from './bgp-advice.ts'
import { captureOf } from './capture.ts'
import type { EndProblem } from './end.ts'
import { isEndProblem } from './end.ts'
import { explanations } from './explain.ts'
import { toNumber } from './fraction.ts'
import { journeyOf } from './journey.ts'
import {
  type Lot,
  nextScript,
  probabilityOf,
  type ScriptedChance,
  scriptedChance,
  seededChance,
  seededRandom,
} from './lots.ts'
import { passageNotes } from './passages.ts'
import { clientOwner, type Ending, endingOf, pathTo } from './path.ts'
import { policyAdvice } from './policy-advice.ts'
import { type DeliveredConnection, unenforcedPolicies } from './policy-note.ts'
import { type ResolvedRequest, resolveRequest, type TraceRequest } from './request.ts'
import { firstSegment } from './segment.ts'
import { tellStory } from './story.ts'
import type { Branch, Choice, Cost, Note, Question, Reached, Session, Trace, Verdict } from './trace.ts'
import { legsWithReasons, verdictOf } from './verdict.ts'

/** Branches beyond this number are not explored; the trace says so. */
const mostBranches = 4096

/** Sends the packet that a person asks about, and tells what became of it. */
export function trace(cluster: Cluster, request: TraceRequest): Trace | EndProblem {
  const resolved = resolveRequest(cluster, request)
  if (isEndProblem(resolved)) return resolved
  const network = cluster.network(resolved.outside)
  const run = (chance: ScriptedChance): Branch => runBranch(network, resolved, request, chance)
  const chosen = chooseBranches(run, request, cluster.objects)
  if (isEndProblem(chosen)) return chosen
  const { branches, notes } = chosen
  return {
    question: questionOf(branches[0], resolved, request),
    model: {
      cni: cluster.cni,
      proxy: cluster.proxy,
      kubeVersion: cluster.settings.kubeVersion,
      nodes: cluster.uplinks.size,
    },
    verdict: verdictOfAll(branches),
    explored: request.backend === 'all' ? 'all' : 'one',
    branches,
    notes: [
      ...resolved.notes,
      ...notes,
      ...explanations(cluster, branches),
      ...advice(cluster, network, branches),
      ...passageNotes(branches),
      ...policyAdvice(cluster, branches),
      ...bgpAdvice(cluster, branches),
      ...unenforcedPolicies(cluster, connectionOf(resolved), branches),
    ],
  }
}

const connectionOf = ({ from, protocol, dst, dstPort }: ResolvedRequest): DeliveredConnection => ({
  ...{ from, protocol, dialled: { ip: dst, port: dstPort } },
})

interface Chosen {
  readonly branches: readonly Branch[]
  readonly notes: readonly Note[]
}

function chooseBranches(
  run: (chance: ScriptedChance) => Branch,
  request: TraceRequest,
  objects: ObjectReader,
): Chosen | EndProblem {
  const { backend, seed } = request
  if (backend === undefined) return { branches: [run(seededChance(seededRandom(seed)))], notes: [] }
  const { branches, complete } = allBranches(run, seed)
  const notes: readonly Note[] = complete
    ? []
    : [
        {
          level: 'warning',
          code: 'too-many-branches',
          message: `only the first ${mostBranches} branches were explored`,
        },
      ]
  if (backend === 'all') return { branches, notes }
  const wanted = findBackend(branches, backend, objects)
  return isEndProblem(wanted) ? wanted : { branches: [wanted], notes }
}

function allBranches(
  run: (chance: ScriptedChance) => Branch,
  seed: number,
): { readonly branches: readonly Branch[]; readonly complete: boolean } {
  const branches: Branch[] = []
  let script: readonly number[] | undefined = []
  while (script && branches.length < mostBranches) {
    const random = seededRandom(seed)
    const chance: ScriptedChance = scriptedChance(script, (n) => Math.min(n - 1, Math.floor(random() * n)))
    branches.push(run(chance))
    script = nextScript(chance.lots)
  }
  return { branches, complete: script === undefined }
}

function runBranch(network: Network, resolved: ResolvedRequest, request: TraceRequest, chance: ScriptedChance): Branch {
  const world = new World(network, {
    chance,
    everyRule: request.everyRule ?? false,
    serve: request.size === undefined ? serve : serveBriefly,
  })
  const { netns } = resolved.from
  if (request.after !== undefined) {
    world.send(netns, sendRequest(resolved, earlierConnection(request)))
    // Neighbour timers of the first may have gone off since.
    world.advance(Math.max(0, request.after * 1000 - world.now()))
  }
  const opening = world.send(netns, sendRequest(resolved, request))
  const { size } = request
  const segment = size === undefined ? undefined : firstSegment(opening, sendRequest(resolved, request), size, network)
  const visits = segment ? world.send(netns, segment) : opening
  const ending: Ending = endingOf(visits) ?? { kind: 'silent', visit: emptyVisit(resolved) }
  const path = pathTo(ending.visit, visits)
  const { machines } = network
  const outcome = { ending, visits, legs: tellStory(path, machines), machines, overrun: world.overrun }
  const verdict = verdictOf(outcome)
  const events = path.flatMap(eventsOf)
  const legs = legsWithReasons(outcome, verdict)
  return {
    probability: probabilityOf(chance.lots),
    choices: chance.lots.map(choiceOf),
    verdict,
    legs,
    reached: reachedOf(events, network),
    peerSeen: ending.kind === 'answered' ? { ip: ending.packet.src, port: portsOf(ending.packet)?.src } : undefined,
    sessions: sessionsOf(opening === visits ? events : opening.flatMap(eventsOf)),
    cost: costOf(events.map((e) => e.event)),
    captured: captureOf(opening === visits ? visits : [...opening, ...visits], path),
    journey: journeyOf(legs, verdict, machines),
  }
}

/** The same, from another source port. */
function earlierConnection(request: TraceRequest): TraceRequest {
  const port = request.srcPort ?? ephemeralPort(request)
  return { ...request, srcPort: port > 1 ? port - 1 : port + 1 }
}

const eventsOf = (visit: Visit): readonly VisitEvent[] => visit.events.map((event) => ({ event, visit }))

const emptyVisit = (resolved: ResolvedRequest): Visit => ({
  id: 0,
  parent: undefined,
  netns: resolved.from.netns,
  input: {
    kind: 'send',
    request: {
      src: undefined,
      dst: resolved.dst,
      ttl: 64,
      tos: 0,
      df: true,
      payload: { kind: 'other', protocol: 0, data: 0 },
      owner: clientOwner,
    },
  },
  at: 0,
  events: [],
  outputs: [],
})

/** What a server does: it answers a datagram from the address that was asked, with as many bytes, and acknowledges data. */
export function serve(packet: IpPacket, owner: string, listening: boolean): SendRequest | undefined {
  const answer = owner === clientOwner ? undefined : answerTo(packet.payload, listening)
  return answer && { src: packet.dst, dst: packet.src, ttl: 64, tos: 0, df: true, payload: answer, owner }
}

function answerTo(payload: IpPayload, listening: boolean): IpPayload | undefined {
  if (payload.kind === 'udp' && listening)
    return { kind: 'udp', srcPort: payload.dstPort, dstPort: payload.srcPort, data: payload.data }
  if (payload.kind !== 'tcp' || listening || payload.data === 0) return undefined
  const { srcPort: dstPort, dstPort: srcPort, seq, ack, data } = payload
  return { kind: 'tcp', srcPort, dstPort, flags: tcpFlag.ack, seq: ack, ack: seq + data, options: 12, data: 0 }
}

/** Where a size is asked for, the question is whether the request arrives: its answer is short. */
function serveBriefly(packet: IpPacket, owner: string, listening: boolean): SendRequest | undefined {
  const answer = serve(packet, owner, listening)
  return answer?.payload.kind === 'udp'
    ? { ...answer, payload: { ...answer.payload, data: Math.min(answer.payload.data, 64) } }
    : answer
}

/** Where nobody chose one, a port of the kernel's own range (ip_local_port_range), fixed by the seed. */
const ephemeralPort = (request: TraceRequest): number =>
  32768 + Math.floor(seededRandom(request.seed ^ 0x5eed)() * 28232)

/** What the client's process asks its kernel to send. */
export function sendRequest(resolved: ResolvedRequest, request: TraceRequest): SendRequest {
  return {
    src: undefined,
    dst: resolved.dst,
    ttl: request.ttl ?? 64,
    tos: 0,
    df: request.df ?? true,
    payload: payloadOf(
      resolved.protocol,
      request.srcPort ?? ephemeralPort(request),
      resolved.dstPort,
      request.size,
      resolved.dst,
    ),
    owner: clientOwner,
  }
}

function payloadOf(protocol: Protocol, srcPort: number, dstPort: number, size: number | undefined, dst: Ip): IpPayload {
  const header = dst.includes(':') ? 40 : 20
  const room = (own: number, usual: number): number => (size === undefined ? usual : Math.max(0, size - header - own))
  switch (protocol) {
    case 'tcp':
      return { kind: 'tcp', srcPort, dstPort, flags: tcpFlag.syn, seq: 0, ack: 0, options: 20, data: 0 }
    case 'udp':
      // Empty: bytes that mean nothing would be a malformed message of whatever protocol the port belongs to.
      return { kind: 'udp', srcPort, dstPort, data: room(8, 0) }
    case 'sctp':
      return { kind: 'sctp', srcPort, dstPort, chunk: 'init', data: room(32, 0) }
    case 'icmp':
    case 'icmpv6':
      return { kind: 'icmp', message: { kind: 'echo-request', id: srcPort, seq: 1, data: room(8, 56) } }
  }
}

function questionOf(branch: Branch | undefined, resolved: ResolvedRequest, request: TraceRequest): Question {
  const packet = branch?.legs[0]?.hops.flatMap((h) => h.packetIn ?? [])[0]
  const sent = sendRequest(resolved, request)
  const assumed = [
    ...(request.srcPort === undefined
      ? [resolved.protocol === 'icmp' || resolved.protocol === 'icmpv6' ? 'echo id' : 'source port']
      : []),
    ...(request.ttl === undefined ? ['ttl'] : []),
  ]
  const fallback: IpPacket = {
    src: sent.dst,
    dst: sent.dst,
    ttl: sent.ttl,
    tos: 0,
    id: 0,
    df: sent.df,
    payload: sent.payload,
  }
  return {
    from: resolved.from,
    to: resolved.to,
    protocol: resolved.protocol,
    packet: packet ?? fallback,
    assumed,
    seed: request.seed,
  }
}

const choiceOf = (lot: Lot): Choice => ({
  table: lot.of.table,
  chain: lot.of.chain,
  index: lot.of.index,
  what: lot.of.what,
  probability: lot.probability,
})

interface VisitEvent {
  readonly event: ClusterEvent
  readonly visit: Visit
}

/** Where the request arrived: at a listener, at the kernel that answers a ping, or at a host where nothing listens. */
function reachedOf(events: readonly VisitEvent[], { machines }: Network): Reached | undefined {
  for (const { event, visit } of events) {
    const machine = machines.get(visit.netns)
    if (!machine) continue
    const arrived =
      event.kind === 'socket-receive' && event.owner !== clientOwner && !isTunnel(event.packet) ? event : undefined
    if (!arrived) continue
    const ports = portsOf(arrived.packet)
    return {
      netns: visit.netns,
      name: machine.namespace === undefined ? machine.name : `${machine.namespace}/${machine.name}`,
      kind: machine.kind,
      ...(machine.node === undefined ? {} : { node: machine.node }),
      address: arrived.packet.dst,
      port: ports?.dst,
      owner: arrived.owner,
      source: { ip: arrived.packet.src, port: ports?.src },
    }
  }
  return undefined
}

/** A datagram for a process that carries packets is not the request. */
const isTunnel = ({ payload }: IpPacket): boolean => payload.kind === 'udp' && payload.tunnelled !== undefined

export function portsOf({ payload }: IpPacket): { readonly src: number; readonly dst: number } | undefined {
  return payload.kind === 'tcp' || payload.kind === 'udp' || payload.kind === 'sctp'
    ? { src: payload.srcPort, dst: payload.dstPort }
    : undefined
}

function sessionsOf(events: readonly VisitEvent[]): readonly Session[] {
  return events.flatMap(({ event, visit }): Session[] => {
    if (event.kind !== 'conntrack-confirm') return []
    const { original, reply } = event
    const said = (t: typeof original): string =>
      `${formatSocketAddress(t.src, t.srcPort)}>${formatSocketAddress(t.dst, t.dstPort)}`
    const dnat = reply.src !== original.dst || reply.srcPort !== original.dstPort
    const snat = reply.dst !== original.src || reply.dstPort !== original.srcPort
    const nat = [...(dnat ? (['dnat'] as const) : []), ...(snat ? (['snat'] as const) : [])]
    return [{ netns: visit.netns, id: event.connection, original: said(original), reply: said(reply), nat }]
  })
}

function costOf(events: readonly ClusterEvent[]): Cost {
  let rulesExamined = 0
  let lookups = 0
  for (const event of events) {
    if (event.kind === 'rule' || event.kind === 'chain-end') rulesExamined += event.examined
    if (event.kind === 'route' || event.kind === 'neighbour' || event.kind === 'vxlan-fdb') lookups++
  }
  return { rulesExamined, lookups }
}

/** One verdict for several branches: theirs if they agree, mixed if some deliver and some do not. */
function verdictOfAll(branches: readonly Branch[]): Verdict {
  const [first] = branches
  if (!first) throw new Error('a trace has at least one branch')
  const undecided = branches.find((b) => b.verdict.result === 'undecided')
  if (undecided) return undecided.verdict
  const failing = branches.filter((b) => b.verdict.result !== 'delivered')
  const [failure] = failing
  if (!failure) return first.verdict
  if (failing.length === branches.length) return failure.verdict
  const share = failing.reduce((sum, b) => sum + toNumber(b.probability), 0)
  return {
    ...failure.verdict,
    mixed: true,
    sentence: `${failing.length} of ${branches.length} branches fail (${(share * 100).toFixed(1)} % of connections): ${failure.verdict.sentence}`,
  }
}
