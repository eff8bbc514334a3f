import { formatRule } from '../artefact/iptables/print.ts'
import type { Rule } from '../artefact/iptables/rule.ts'
import { formatNftRule } from '../artefact/nft/print.ts'
import type { Origin } from '../artefact/origin.ts'
import type { Visit } from '../cluster/loop.ts'
import type { Machine, NetnsId } from '../cluster/machine.ts'
import type { DropEvent } from '../linux/event.ts'
import { formatSocketAddress } from '../net/port.ts'
import { type IcmpError, type IpPacket, packetFamily, tcpFlag } from '../packet/packet.ts'
import { ruleBehindMark } from './marked-drop.ts'
import { type Ending, isSideDrop } from './path.ts'
import { staleEndpoint } from './stale-endpoint.ts'
import type { Hop, Leg, ReasonCode, Result, Step, Verdict, VerdictPlace } from './trace.ts'

/** All that a verdict is drawn from. */
export interface Outcome {
  readonly ending: Ending
  readonly visits: readonly Visit[]
  readonly legs: readonly Leg[]
  readonly machines: ReadonlyMap<NetnsId, Machine>
  readonly overrun: boolean
}

export function verdictOf(outcome: Outcome): Verdict {
  const verdict = apartFromState(outcome)
  const stale = verdict.failed === 'forward' && isNobody(verdict) && staleEndpoint(outcome.legs, outcome.machines)
  return stale ? { ...verdict, reason: 'ct-stale-endpoint', sentence: `${stale}: ${verdict.sentence}` } : verdict
}

const isNobody = ({ reason }: Verdict): boolean =>
  reason === 'no-route' || reason === 'neigh-missing' || reason === 'unreachable-route'

function apartFromState(outcome: Outcome): Verdict {
  const { ending } = outcome
  const drop = mainDrop(outcome)
  if (outcome.overrun)
    return failed(
      'looped',
      'loop',
      'the packet kept being copied or forwarded until the limit of visits',
      outcome,
      drop,
    )
  if (drop?.event.reason === 'unsupported-rule')
    return failed('undecided', 'unsupported-rule', drop.event.detail, outcome, drop)
  switch (ending.kind) {
    case 'answered':
      return answered(ending.packet, outcome, drop)
    case 'error':
      return ending.icmp ? icmpAnswered(ending.icmp, outcome, drop) : localError(ending.errno, outcome, drop)
    case 'dropped': {
      const lost = drop && lostTooBig(drop, outcome)
      if (lost) return failed('dropped', 'icmp-frag-needed-lost', lost, outcome, drop)
      const reason = drop ? reasonOf(drop.event, drop.cause) : 'no-answer'
      return failed(
        reason === 'ttl-expired' ? 'looped' : silentResult(reason),
        reason,
        (drop && policySentence(drop, reason)) ?? drop?.event.detail ?? 'no answer',
        outcome,
        drop,
      )
    }
    case 'silent':
      return failed(
        'dropped',
        'no-answer',
        'the request arrived, but the process that got it does not answer',
        outcome,
        drop,
      )
  }
}

/** Each drop with what it means in a cluster; the one that the verdict is about, with the verdict's reason. */
export function legsWithReasons(outcome: Outcome, { reason }: Verdict): readonly Leg[] {
  const main = mainDrop(outcome)?.event
  const said = (event: DropEvent): ReasonCode =>
    event === main && reason !== undefined ? reason : reasonOf(event, behindMark(event, outcome.visits))
  const step = (s: Step): Step => (s.event.kind === 'drop' ? { ...s, reason: said(s.event) } : s)
  const isDrop = (s: Step): boolean => s.event.kind === 'drop'
  const hop = (h: Hop): Hop => (h.steps.some(isDrop) ? { ...h, steps: h.steps.map(step) } : h)
  return outcome.legs.map((leg) => ({ ...leg, hops: leg.hops.map(hop) }))
}

function behindMark(event: DropEvent, visits: readonly Visit[]): Rule | undefined {
  const visit = visits.find((v) => v.events.includes(event))
  return visit && ruleBehindMark(event, visit.events)
}

function answered(packet: IpPacket, outcome: Outcome, drop: PlacedDrop | undefined): Verdict {
  const { payload } = packet
  if (payload.kind === 'tcp' && payload.flags & tcpFlag.rst) {
    return failed(
      'refused',
      drop?.event.reason === 'rule-reject' ? reasonOf(drop.event, drop.cause) : 'not-listening',
      drop?.event.detail ?? `nothing listens: ${socketOf(packet)} answers with RST`,
      outcome,
      drop,
    )
  }
  if (payload.kind === 'sctp' && payload.chunk === 'abort') {
    return failed(
      'refused',
      'not-listening',
      drop?.event.detail ?? `nothing listens: ${socketOf(packet)} answers with ABORT`,
      outcome,
      drop,
    )
  }
  return {
    result: 'delivered',
    reason: undefined,
    failed: undefined,
    sentence: 'request and reply arrived',
    place: undefined,
  }
}

function icmpAnswered(icmp: IpPacket, outcome: Outcome, drop: PlacedDrop | undefined): Verdict {
  const message =
    icmp.payload.kind === 'icmp' && icmp.payload.message.kind === 'error' ? icmp.payload.message : undefined
  const result = message ? icmpResult(message, packetFamily(icmp) === 'ipv4') : 'rejected'
  const reason = drop ? reasonOf(drop.event, drop.cause) : 'rule-reject'
  const said = message ? `ICMP ${message.type}/${message.code} from ${icmp.src}` : `ICMP from ${icmp.src}`
  return failed(result, reason, `${drop?.event.detail ?? 'rejected'}; the sender gets ${said}`, outcome, drop)
}

/** Unreachable: no route or no neighbour. Looped: time exceeded. Everything else is somebody's no. */
function icmpResult({ type, code }: IcmpError, ipv4: boolean): Result {
  if (ipv4 ? type === 11 : type === 3) return 'looped'
  if (ipv4 ? type === 3 && (code === 0 || code === 1) : type === 1 && (code === 0 || code === 3)) return 'unreachable'
  return 'rejected'
}

function localError(errno: string, outcome: Outcome, drop: PlacedDrop | undefined): Verdict {
  const reason = drop ? reasonOf(drop.event, drop.cause) : 'no-route'
  const detail = `${drop?.event.detail ?? 'the packet cannot be sent'}; the system call fails with ${errno}`
  if (errno === 'ECONNREFUSED')
    return failed(
      'refused',
      drop ? reason : 'not-listening',
      drop?.event.detail ?? 'the connection is refused',
      outcome,
      drop,
    )
  const result: Result =
    errno === 'EPERM'
      ? reason === 'rule-drop' || reason === 'no-local-endpoints'
        ? 'dropped'
        : 'rejected'
      : errno === 'EMSGSIZE'
        ? 'rejected'
        : 'unreachable'
  return failed(result, reason, detail, outcome, drop)
}

const silentResult = (reason: ReasonCode): Result =>
  reason === 'no-route' || reason === 'neigh-missing' || reason === 'unreachable-route' || reason === 'prohibit-route'
    ? 'unreachable'
    : 'dropped'

function failed(
  result: Result,
  reason: ReasonCode,
  sentence: string,
  outcome: Outcome,
  drop: PlacedDrop | undefined,
): Verdict {
  return { result, reason, failed: failedLeg(outcome, drop), sentence, place: drop && placeOf(drop, outcome) }
}

/** The request failed unless it got as far as a process: then the reply did. */
function failedLeg({ legs, ending }: Outcome, drop: PlacedDrop | undefined): 'forward' | 'reply' {
  if (ending.kind !== 'dropped' && ending.kind !== 'silent') return 'forward'
  const reply = legs.find((l) => l.direction === 'reply')
  return reply && (!drop || reply.hops.some((h) => h.steps.some((s) => s.event === drop.event))) ? 'reply' : 'forward'
}

interface PlacedDrop {
  readonly event: DropEvent
  readonly visit: Visit
  /** The rule that decided it, where that is not the one that dropped. */
  readonly cause?: Rule
}

function placed(event: DropEvent, visit: Visit): PlacedDrop {
  const cause = ruleBehindMark(event, visit.events)
  return { event, visit, ...(cause ? { cause } : {}) }
}

/** The loss that matters: of the traced packet or its answer, not of an error about it or of a flooded copy. */
function mainDrop({ ending, visits, legs }: Outcome): PlacedDrop | undefined {
  if (ending.kind === 'dropped') return placed(ending.drop, ending.visit)
  const told = new Set(legs.flatMap((l) => l.hops.flatMap((h) => h.steps.map((s) => s.event))))
  const all = visits.flatMap((visit) =>
    visit.events.flatMap((event) => (event.kind === 'drop' ? [placed(event, visit)] : [])),
  )
  return all.find((d) => told.has(d.event) && d.event.reason !== 'other-host' && !isSideDrop(d.event))
}

function placeOf({ event, visit, cause }: PlacedDrop, { legs, machines }: Outcome): VerdictPlace {
  const hop = legs.flatMap((l) => l.hops).find((h) => h.steps.some((s) => s.event === event))
  const node = machines.get(visit.netns)?.node
  const { device, hook, table, chain, index, rule, nftRule } = event
  const origin = cause?.origin ?? event.origin ?? rule?.origin
  return {
    netns: visit.netns,
    ...(node === undefined ? {} : { node }),
    ...(hop?.n === undefined ? {} : { hop: hop.n }),
    ...(device === undefined ? {} : { device }),
    ...(hook === undefined ? {} : { hook }),
    ...(table === undefined ? {} : { table }),
    ...(chain === undefined ? {} : { chain }),
    ...(index === undefined ? {} : { index }),
    ...(rule === undefined || chain === undefined ? {} : { rule: formatRule(rule, chain) }),
    ...(nftRule === undefined ? {} : { rule: formatNftRule(nftRule) }),
    ...(origin === undefined ? {} : { origin }),
  }
}

/** A packet too big for its way whose sender was to be told so, and was not: in words, where the error ended. */
function lostTooBig({ event }: PlacedDrop, { visits, machines }: Outcome): string | undefined {
  if (event.reason !== 'mtu-exceeded-df') return undefined
  const sent = visits.flatMap((v) => v.events).find((e) => e.kind === 'icmp-send' && e.suppressed === undefined)
  if (sent?.kind !== 'icmp-send' || !isError(sent.packet)) return undefined
  const ends = visits.flatMap((visit) =>
    visit.events.flatMap((e) => (e.kind === 'drop' && e.packet && isError(e.packet) ? [{ e, visit }] : [])),
  )
  const [end] = ends
  const where = end ? `: ${end.e.detail} (${machines.get(end.visit.netns)?.name ?? end.visit.netns})` : ''
  return `${event.detail}; the ICMP error from ${sent.packet.src} that would tell the sender is lost${where}`
}

const isError = ({ payload }: IpPacket): boolean => payload.kind === 'icmp' && payload.message.kind === 'error'

/** The packet carries another one through a tunnel. */
const carrierOf = (packet: IpPacket | undefined): 'port' | 'protocol' | undefined => {
  const { payload } = packet ?? {}
  if (payload?.kind === 'udp' && (payload.vxlan || payload.tunnelled)) return 'port'
  return payload?.kind === 'ipip' ? 'protocol' : undefined
}

/** What a kernel drop means in a cluster: the rule's own comment and origin say it. */
export function reasonOf(drop: DropEvent, cause = drop.rule): ReasonCode {
  const comment = cause?.matches.find((m) => m.kind === 'comment')
  const text = comment?.kind === 'comment' ? comment.text : (drop.origin?.note ?? '')
  const carrier = carrierOf(drop.packet)
  if (carrier && (drop.reason === 'rule-drop' || drop.reason === 'rule-reject' || drop.reason === 'policy-drop'))
    return carrier === 'port' ? 'tunnel-port-blocked' : 'proto-blocked'
  const policy = policyDirection(cause?.origin ?? drop.rule?.origin)
  if (policy && (drop.reason === 'rule-drop' || drop.reason === 'rule-reject')) return policy
  switch (drop.reason) {
    case 'rule-reject':
      return text.endsWith('has no endpoints') ? 'no-endpoints' : 'rule-reject'
    case 'rule-drop':
      if (text.endsWith('has no local endpoints')) return 'no-local-endpoints'
      if (drop.rule?.origin?.by === 'Underlay')
        return drop.rule.protocol && !/^\d+$/.test(drop.rule.protocol.value) ? 'tunnel-port-blocked' : 'proto-blocked'
      if (drop.rule?.matches.some((m) => m.kind === 'conntrack' && m.state?.value.includes('INVALID') && !m.state.not))
        return 'ct-invalid'
      return 'rule-drop'
    case 'policy-drop':
      return drop.chain === 'FORWARD' ? 'forward-policy-drop' : 'rule-drop'
    case 'vni-mismatch':
      return 'tunnel-peer-unknown'
    case 'not-enslaved':
      return 'no-veth-peer'
    case 'loop-limit':
      return 'loop'
    case 'nat-no-port':
    case 'nat-failed':
      return 'ct-table-full'
    case 'reassembly-incomplete':
      return 'mtu-exceeded-df'
    default:
      return drop.reason
  }
}

/** `NetworkPolicy shop/web spec.ingress[0]: ingress policy of shop/web: nothing ... allows it`. */
function policySentence({ event, cause }: PlacedDrop, reason: ReasonCode): string | undefined {
  if (reason !== 'policy-ingress' && reason !== 'policy-egress') return undefined
  const { object, note = '' } = cause?.origin ?? event.rule?.origin ?? {}
  if (!object) return note
  const field = object.field === undefined ? '' : ` ${object.field}`
  const name = `${object.kind} ${object.namespace === undefined ? '' : `${object.namespace}/`}${object.name}${field}`
  return note.includes(':') ? note : `${note}: ${name} denies it`
}

/** An agent that enforces policy begins the note of its rules with the direction. */
function policyDirection(origin: Origin | undefined): 'policy-ingress' | 'policy-egress' | undefined {
  const direction = /^(ingress|egress) policy/.exec(origin?.note ?? '')?.[1]
  return direction === 'ingress' ? 'policy-ingress' : direction === 'egress' ? 'policy-egress' : undefined
}

const socketOf = (packet: IpPacket): string =>
  'srcPort' in packet.payload ? formatSocketAddress(packet.src, packet.payload.srcPort) : packet.src
