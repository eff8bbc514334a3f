import type { Cluster } from '../cluster/cluster.ts'
import type { Network } from '../cluster/loop.ts'
import type { ClusterEvent } from '../cluster/process.ts'
import type { Ip } from '../net/ip.ts'
import { packetLength } from '../packet/length.ts'
import { packetFamily } from '../packet/packet.ts'
import { type EndProblem, isEndProblem } from './end.ts'
import type { TraceRequest } from './request.ts'
import { trace } from './run.ts'
import { deviceMtu } from './segment.ts'
import type { Branch, Hop, Question, Trace, Verdict } from './trace.ts'

/** One connection with packets of several sizes: which arrive, and what becomes of the others. */
export interface Sweep {
  readonly question: Question
  readonly df: boolean
  readonly rows: readonly SweepRow[]
  /** The largest that arrives, of all sizes up to the largest that was asked for; undefined when none does. */
  readonly largest: number | undefined
  /** What tunnels on the way take, and of which MTU. */
  readonly overheads: readonly TunnelOverhead[]
  readonly verdict: Verdict
}

export interface SweepRow {
  /** Bytes of the IP packet, as asked for. */
  readonly size: number
  /** Bytes of the packet that left: a TCP connection cuts to the MTU of its ends. */
  readonly sent: number
  readonly verdict: Verdict
  /** Where it was too big. */
  readonly limit: { readonly machine: string; readonly device: string; readonly mtu: number } | undefined
  readonly icmp: SizeError | undefined
  /** On the way there: `node-a eth0`. */
  readonly fragmentedAt: readonly string[]
}

/** The error about a packet that was too big, and whether its sender got it. */
export interface SizeError {
  readonly from: Ip
  readonly type: number
  readonly code: number
  readonly mtu: number
  readonly arrived: boolean
}

export interface TunnelOverhead {
  readonly machine: string
  readonly device: string
  readonly form: string
  readonly bytes: number
  /** `20 IPv4 + 8 UDP`. */
  readonly parts: string
  /** The device that carries the outer packet. */
  readonly lowerDevice: string
  readonly lowerMtu: number
}

/** IPv4 hosts must take 68 bytes unfragmented (RFC 791), IPv6 1280 (RFC 8200). */
const smallest = 68

export function sweep(cluster: Cluster, request: TraceRequest, sizes: readonly number[]): Sweep | EndProblem {
  const of = (size: number): Trace | EndProblem => trace(cluster, { ...request, size })
  const traces: { readonly size: number; readonly trace: Trace }[] = []
  for (const size of sizes) {
    const result = of(size)
    if (isEndProblem(result)) return result
    traces.push({ size, trace: result })
  }
  const [first] = traces
  if (!first) return { problem: 'no size is given' }
  const network = cluster.network()
  const rows = traces.map((t) => rowOf(t.size, t.trace, network))
  const [branch] = first.trace.branches
  return {
    question: first.trace.question,
    df: request.df ?? true,
    rows,
    largest: largestDelivered(rows, (size) => {
      const result = of(size)
      return isEndProblem(result) || !isDelivered(result.verdict) ? undefined : packetLength(result.question.packet)
    }),
    overheads: branch ? overheadsOf(branch, network) : [],
    verdict: verdictOfRows(rows),
  }
}

function rowOf(size: number, { verdict, branches, question }: Trace, network: Network): SweepRow {
  const placed = branches.slice(0, 1).flatMap(placedEvents)
  const tooBig = placed.find(({ event }) => event.kind === 'mtu' && event.outcome === 'too-big')
  const there = branches.slice(0, 1).flatMap((b) => placedEvents({ ...b, legs: b.legs.slice(0, 1) }))
  const cut = there.flatMap(({ hop, event }) =>
    event.kind === 'mtu' && event.outcome === 'fragmented' ? [`${nameOf(hop, network)} ${event.device}`] : [],
  )
  return {
    size,
    sent: packetLength(question.packet),
    verdict,
    limit:
      tooBig?.event.kind === 'mtu'
        ? { machine: nameOf(tooBig.hop, network), device: tooBig.event.device, mtu: tooBig.event.mtu }
        : undefined,
    icmp: errorOf(placed, verdict),
    fragmentedAt: [...new Set(cut)],
  }
}

interface PlacedEvent {
  readonly hop: Hop
  readonly event: ClusterEvent
}

const placedEvents = (branch: Branch): readonly PlacedEvent[] =>
  branch.legs.flatMap((l) => l.hops.flatMap((hop) => hop.steps.map(({ event }) => ({ hop, event }))))

function nameOf({ netns }: Hop, { machines }: Network): string {
  const machine = machines.get(netns)
  return machine ? `${machine.kind === 'node' ? '' : `${machine.kind} `}${machine.name}` : netns
}

function errorOf(placed: readonly PlacedEvent[], verdict: Verdict): SizeError | undefined {
  for (const { event } of placed) {
    if (event.kind !== 'icmp-send' || event.packet.payload.kind !== 'icmp') continue
    const { message } = event.packet.payload
    if (message.kind !== 'error' || message.mtu === undefined) continue
    const arrived = event.suppressed === undefined && verdict.reason !== 'icmp-frag-needed-lost'
    return { from: event.packet.src, type: message.type, code: message.code, mtu: message.mtu, arrived }
  }
  return undefined
}

/** By halves between the largest that arrived and the next that did not: whether a packet fits is monotone in its size. */
function largestDelivered(
  rows: readonly SweepRow[],
  sentIfDelivered: (size: number) => number | undefined,
): number | undefined {
  const delivered = rows.filter((r) => isDelivered(r.verdict))
  let largest = delivered.length > 0 ? Math.max(...delivered.map((r) => r.sent)) : undefined
  let low = Math.max(smallest - 1, ...delivered.map((r) => r.size))
  let high = Math.min(...rows.filter((r) => !isDelivered(r.verdict) && r.size > low).map((r) => r.size))
  while (Number.isFinite(high) && high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    const sent = sentIfDelivered(middle)
    if (sent === undefined) high = middle
    else [low, largest] = [middle, Math.max(sent, largest ?? 0)]
  }
  return largest
}

const isDelivered = (verdict: Verdict): boolean => verdict.result === 'delivered' && verdict.mixed !== true

/** Each tunnel that a packet enters on its way there, and the device that carries it further. */
function overheadsOf(branch: Branch, network: Network): readonly TunnelOverhead[] {
  const placed = placedEvents({ ...branch, legs: branch.legs.slice(0, 1) })
  const found = placed.flatMap(({ hop, event }, i): readonly TunnelOverhead[] => {
    const tunnel = tunnelOf(event)
    if (!tunnel) return []
    // The kernel looks up the way of a VXLAN packet before it wraps it, a process after.
    const near = [...placed.slice(i), ...placed.slice(0, i).reverse()]
    const route = near.find((p) => p.hop === hop && p.event.kind === 'route' && isCarrying(p.event.purpose))
    const lower =
      route?.event.kind === 'route' && route.event.result.kind === 'unicast' ? route.event.result.device : undefined
    const mtu = lower === undefined ? undefined : deviceMtu(network, hop.netns, lower)
    if (lower === undefined || mtu === undefined) return []
    return [{ machine: nameOf(hop, network), ...tunnel, lowerDevice: lower, lowerMtu: mtu }]
  })
  return found
}

const isCarrying = (purpose: string): boolean => purpose === 'tunnel' || purpose === 'output'

function tunnelOf(event: ClusterEvent): Pick<TunnelOverhead, 'device' | 'form' | 'bytes' | 'parts'> | undefined {
  if (event.kind === 'passage' && event.to === 'kernel' && event.by === 'socket')
    return { device: event.device, form: 'udp', bytes: 28, parts: '20 IPv4 + 8 UDP' }
  if (event.kind !== 'encapsulate') return undefined
  const ip = packetFamily(event.outer) === 'ipv4' ? '20 IPv4' : '40 IPv6'
  const parts = event.form === 'vxlan' ? `${ip} + 8 UDP + 8 VXLAN + 14 Ethernet` : ip
  return { device: event.device, form: event.form, bytes: event.overhead, parts }
}

/** Like the verdict of several branches: mixed where some sizes arrive and some do not. */
function verdictOfRows(rows: readonly SweepRow[]): Verdict {
  const failing = rows.filter((r) => !isDelivered(r.verdict))
  const [failure, ...others] = failing
  const [first] = rows
  if (!failure)
    return (
      first?.verdict ?? { result: 'delivered', reason: undefined, failed: undefined, sentence: '', place: undefined }
    )
  if (failing.length === rows.length) return failure.verdict
  const sizes = [failure, ...others].map((r) => r.size).join(', ')
  return {
    ...failure.verdict,
    mixed: true,
    sentence: `${failing.length} of ${rows.length} sizes fail (${sizes}): ${failure.verdict.sentence}`,
  }
}
