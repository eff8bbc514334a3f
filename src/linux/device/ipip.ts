import type { Link, LinkKind } from '../../artefact/link.ts'
import type { Ip } from '../../net/ip.ts'
import { packetLength } from '../../packet/length.ts'
import { type IpPacket, packetFamily } from '../../packet/packet.ts'
import { cause } from '../action.ts'
import { routeOutput } from '../routing.ts'
import { type Skb, skbOf } from '../skb.ts'
import { drop, type Work } from '../work.ts'
import { isTooNested } from './nesting.ts'

type IpipKind = Extract<LinkKind, { kind: 'ipip' }>
const outerHeader = 20

/**
 * ip_tunnel_xmit (net/ipv4/ip_tunnel.c): TTL and TOS inherited, DF copied. Without a remote of its own (tunl0) the
 * nexthop is the other end.
 */
export function ipipTransmit(work: Work, link: Link, kind: IpipKind, skb: Skb, nexthop: Ip): void {
  const { packet } = skb
  const device = link.name
  if (packetFamily(packet) !== 'ipv4') {
    drop(work, 'no-route', packet, `${device} carries IPv4 only`, device)
    return
  }
  if (isTooNested(packet)) {
    drop(work, 'loop-limit', packet, `${device}: tunnels inside tunnels`, device)
    return
  }
  const remote = kind.remote ?? nexthop
  const oif = kind.dev
  const route = routeOutput(work, { src: kind.local, dst: remote, mark: skb.mark, oif }, 'tunnel')
  if (route.kind === 'error' || route.src === undefined) {
    drop(work, 'no-route', packet, `no route to the tunnel's other end ${remote}`, device)
    return
  }
  if (route.dst.device === device) {
    drop(work, 'loop-limit', packet, `the way to ${remote} is ${device} itself`, device)
    return
  }
  const room = route.dst.mtu - outerHeader
  if (packet.df && packetLength(packet) > room) {
    tooBig(work, skb, link, room)
    return
  }
  const outer: IpPacket = {
    src: route.src,
    dst: remote,
    ttl: packet.ttl,
    tos: packet.tos,
    id: 0,
    df: packet.df,
    payload: { kind: 'ipip', inner: packet },
  }
  work.emit({ kind: 'encapsulate', device, form: 'ipip', inner: packet, outer, overhead: outerHeader })
  const carried: Skb = { ...skbOf(outer), mark: skb.mark }
  work.next.push({ kind: 'local-out', skb: carried, dst: route.dst, from: device })
}

function tooBig(work: Work, skb: Skb, link: Link, mtu: number): void {
  const length = packetLength(skb.packet)
  work.emit({ kind: 'mtu', device: link.name, mtu, length, outcome: 'too-big' })
  const why = `${length} bytes with DF do not fit the ${mtu} that ${link.name} can carry`
  drop(work, 'mtu-exceeded-df', skb.packet, why, link.name)
  work.next.push({ kind: 'icmp-error', about: skb, error: cause('ipv4', 'tooBig', why, mtu) })
}

/** tunnel4_rcv and ip_tunnel_lookup: the tunnel of both ends, of the remote, of the local end, then one of neither. */
export function ipipReceive(work: Work, skb: Skb, inner: IpPacket): void {
  const { src, dst } = skb.packet
  const tunnels = [...work.ns.links.values()].filter((l) => l.up && l.kind.kind === 'ipip' && accepts(l.kind, src, dst))
  const [best] = tunnels.sort((a, b) => preference(b) - preference(a))
  if (!best) {
    const why = `no IPIP device here expects packets from ${src}`
    drop(work, 'tunnel-peer-unknown', skb.packet, why)
    work.next.push({ kind: 'icmp-error', about: skb, error: cause('ipv4', 'portUnreachable', why) })
    return
  }
  work.emit({ kind: 'decapsulate', device: best.name, form: 'ipip', inner, outer: skb.packet })
  work.next.push({
    kind: 'receive-ip',
    device: best.name,
    skb: { ...skbOf(inner), mark: skb.mark, packetType: 'host' },
  })
}

const accepts = (kind: IpipKind, src: Ip, dst: Ip): boolean =>
  (kind.remote === undefined || kind.remote === src) && (kind.local === undefined || kind.local === dst)

const preference = ({ kind }: Link): number => (kind.kind === 'ipip' ? (kind.remote ? 2 : 0) + (kind.local ? 1 : 0) : 0)
