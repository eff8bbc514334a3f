import type { NetnsId } from '../cluster/machine.ts'
import type { Hook } from '../linux/netfilter/hook.ts'
import { decodeFrame, decodePacket } from '../packet/decode.ts'
import type { Frame, IpPacket } from '../packet/packet.ts'
import { matchedOf } from './matched.ts'
import { addLine, type Observation, silent } from './observation.ts'
import type { ProbeReply, TraceMessage } from './observer-message.ts'
import {
  endsLine,
  isHousekeeping,
  isHousekeepingRun,
  neighbourText,
  type PortText,
  redirectText,
} from './packet-line.ts'
import {
  chainHead,
  connectionLine,
  deviceLine,
  icmpOutcome,
  iptablesChain,
  runLine,
  servedLine,
  unsigned,
} from './predict.ts'

/** What the observer saw, in the lines that a prediction has. */
export function observationOf(
  reply: ProbeReply,
  idOf: (name: string) => NetnsId,
  bridges: ReadonlySet<string>,
  port: PortText,
  nftHooks: NftHooks,
): Observation {
  return {
    outcome: outcomeOf(reply),
    served: reply.served.map((s) => servedLine(idOf(s.netns), [s.local, s.localPort], [s.peer, s.peerPort], port)),
    devices: devicesOf(reply, idOf, bridges, port),
    chains: chainsOf(reply.trace, idOf, port, nftHooks),
    matched: matchedOf(reply, idOf),
    connections: connectionsOf(reply, idOf, port),
  }
}

function outcomeOf({ result, protocol }: ProbeReply): string {
  const { icmp } = result
  if (result.sent) return `error ${result.sent}`
  if (icmp) return icmpOutcome(icmp.type, icmp.code, icmp.from ?? '?', icmp.errno, icmp.info)
  if (result.error) return `error ${result.error}`
  if (result.answer === undefined) return silent
  return protocol === 'tcp' ? 'connected' : `answered with ${result.answer} bytes`
}

const directions = ['in', 'in (broadcast)', 'in (multicast)', 'in (other host)', 'out']
/** ARPHRD_ETHER, ARPHRD_LOOPBACK. */
const ethernetLike = [1, 772]

function devicesOf(
  reply: ProbeReply,
  idOf: (name: string) => NetnsId,
  bridges: ReadonlySet<string>,
  port: PortText,
): Observation['devices'] {
  const lines = new Map<NetnsId, string[]>()
  for (const seen of reply.packets) {
    const bytes = Uint8Array.from(Buffer.from(seen.bytes, 'hex'))
    const frame = ethernetLike.includes(seen.hardware) ? whole<Frame>(decodeFrame(bytes)) : undefined
    const packet = ethernetLike.includes(seen.hardware) ? undefined : whole<IpPacket>(decodePacket(bytes))
    if (isHousekeeping(frame, packet)) continue
    if (!frame && !packet) continue
    const direction = directions[seen.type] ?? 'in'
    const netns = idOf(seen.netns)
    const shown = unsigned(frame, direction, bridges.has(`${netns} ${seen.device}`))
    addLine(lines, netns, deviceLine(seen.device, direction, shown, packet, port))
  }
  return lines
}

const whole = <T extends object>(decoded: T | { readonly malformed: string }): T | undefined =>
  'malformed' in decoded ? undefined : decoded

interface Run {
  readonly netns: NetnsId
  readonly head: string
  readonly rules: string[]
  verdict: string
}

/** Hooks of the base chains of nft's own tables: by `NETNS ip kube-proxy filter-input`. */
export type NftHooks = ReadonlyMap<string, Hook>

function baseOf({ netns, family = '', table = '', chain = '' }: TraceMessage, nftHooks: NftHooks) {
  const hook = nftHooks.get(`${netns} ${family} ${table} ${chain}`)
  if (hook !== undefined) return { name: `nft ${family} ${table} ${chain}`, hook }
  return { name: iptablesChain(family, table, chain), hook: chain.toLowerCase() as Hook }
}

/** The first event of each run of a base chain tells the packet; the others are joined to it by the trace's id. */
function chainsOf(
  trace: readonly TraceMessage[],
  idOf: (name: string) => NetnsId,
  port: PortText,
  nftHooks: NftHooks,
): Observation['chains'] {
  const runs: Run[] = []
  const current = new Map<string, Run>()
  for (const event of trace) {
    if (event.lost) continue
    const key = `${event.netns} ${event.id}`
    if (event.network !== undefined) {
      const packet = endsOf(event, port)
      const { name, hook } = baseOf(event, nftHooks)
      const head = chainHead(name, hook, event.in ?? undefined, event.out ?? undefined, packet)
      const run = { netns: idOf(event.netns), head, rules: [], verdict: 'accept' }
      runs.push(run)
      current.set(key, run)
    }
    const run = current.get(key)
    if (!run) continue
    if (event.kind === 'rule' && event.index !== undefined) run.rules.push(`${event.chain}#${event.index}`)
    if (event.verdict === 'drop' || (event.kind === 'policy' && event.policy === 'drop')) run.verdict = 'drop'
  }
  const lines = new Map<NetnsId, string[]>()
  for (const run of runs) if (!isHousekeepingRun(run.head)) addLine(lines, run.netns, runLine(run))
  return lines
}

/** RFC 3692: a protocol that has no header of its own. */
const experimental = 253

/** The trace has the network header and twenty bytes of the transport header: enough for addresses and ports. */
function endsOf({ network = '', transport = '' }: TraceMessage, port: PortText): string {
  const bytes = Uint8Array.from(Buffer.from(network + transport.padEnd(40, '0'), 'hex'))
  const six = (bytes[0] ?? 0) >>> 4 === 6
  const header = six ? 40 : ((bytes[0] ?? 0) & 15) * 4
  const view = new DataView(bytes.buffer)
  // Lengths that fit what is there, so that the rest reads as a packet.
  if (six) view.setUint16(4, bytes.length - 40)
  else view.setUint16(2, bytes.length)
  const at = six ? 6 : 9
  const protocol = bytes[at] ?? 0
  if (protocol === 17) view.setUint16(header + 4, bytes.length - header)
  else if (protocol === 6) view.setUint8(header + 12, 5 << 4)
  // Of what an ICMP error quotes, and of other protocols, too little is there.
  else bytes[at] = experimental
  const packet = whole<IpPacket>(decodePacket(bytes))
  if (!packet) return `? ${network}`
  const redirect = (protocol === 1 && bytes[header] === 5) || (protocol === 58 && bytes[header] === 137)
  const neighbour = protocol === 58 && (bytes[header] === 135 || bytes[header] === 136)
  const name = redirect
    ? redirectText
    : neighbour
      ? neighbourText
      : protocol === 1 || protocol === 58
        ? 'icmp'
        : `protocol ${protocol}`
  return endsLine(packet, port).replace(`protocol ${experimental}`, name)
}

const protocolNames: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', 132: 'sctp' }

function connectionsOf(reply: ProbeReply, idOf: (name: string) => NetnsId, port: PortText): Observation['connections'] {
  const lines = new Map<NetnsId, string[]>()
  for (const [name, entries] of Object.entries(reply.connections)) {
    for (const { original, reply: back, unreplied } of entries) {
      const protocol = protocolNames[original.protocol]
      // Predictions list those that `conntrack -L` has an entry form for, so not the outer packets of IPIP.
      if (protocol === undefined) continue
      addLine(lines, idOf(name), connectionLine(protocol, original, back, unreplied, port))
    }
  }
  return new Map([...lines].map(([id, mine]) => [id, mine.toSorted()]))
}
