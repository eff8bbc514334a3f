import type { DeviceName } from '../../artefact/link.ts'
import { packetLength } from '../../packet/length.ts'
import { packetFamily } from '../../packet/packet.ts'
import { cause } from '../action.ts'
import { throughHook } from '../hooks.ts'
import type { InputRoute } from '../route-input.ts'
import type { Dst } from '../routing.ts'
import type { Skb } from '../skb.ts'
import { drop, type Work } from '../work.ts'

/** ip_forward (net/ipv4/ip_forward.c), ip6_forward: TTL and MTU first, then the TTL falls, then FORWARD. */
export function forward(
  work: Work,
  skb: Skb,
  device: DeviceName,
  route: Extract<InputRoute, { kind: 'forward' }>,
): void {
  const { packet } = skb
  const { dst, redirect: better } = route
  // A packet in a broadcast frame, or for a group or a whole subnet, is not passed on.
  if (skb.packetType !== 'host' || dst.kind !== 'unicast') {
    drop(work, 'other-host', packet, `${packet.dst} came in as ${skb.packetType}: not forwarded`, device)
    return
  }
  const family = packetFamily(packet)
  if (packet.ttl <= 1) {
    const why = `the TTL of ${packet.ttl} is used up before ${packet.dst}`
    drop(work, 'ttl-expired', packet, why, device)
    work.next.push({ kind: 'icmp-error', about: skb, error: cause(family, 'timeExceeded', why) })
    return
  }
  const length = skb.fragMaxSize ?? packetLength(packet)
  if (packet.df && length > dst.mtu) {
    tooBig(work, skb, dst, length)
    return
  }
  const passed: Skb = { ...skb, packet: { ...packet, ttl: packet.ttl - 1 } }
  if (better) tellBetterWay(work, passed, dst)
  work.next.push({ kind: 'forward', skb: passed, dst })
}

export function tooBig(work: Work, skb: Skb, dst: Dst, length: number): void {
  const { mtu, device } = dst
  const why = `${length} bytes that may not be fragmented do not fit the MTU ${mtu} of ${device}`
  work.emit({ kind: 'mtu', device, mtu, length, outcome: 'too-big' })
  drop(work, 'mtu-exceeded-df', skb.packet, why, device)
  work.next.push({ kind: 'icmp-error', about: skb, error: cause(packetFamily(skb.packet), 'tooBig', why, mtu) })
}

/** ip_rt_redirect_load, _silence (ms) and _number: each redirect to a host doubles the time to the next. */
const redirect = { load: 20, silence: 20_480, most: 9 } as const

/** ip_rt_send_redirect. */
function tellBetterWay(work: Work, skb: Skb, dst: Dst): void {
  const { redirects, options } = work.ns
  const now = options.clock.now()
  const known = redirects.get(skb.packet.src)
  const sent = known && now <= known.at + redirect.silence ? known.sent : 0
  if (known && sent > 0 && (sent >= redirect.most || now <= known.at + redirect.load * 2 ** sent)) return
  redirects.set(skb.packet.src, { sent: sent + 1, at: now })
  const why = `${skb.packet.src} could send to ${dst.nexthop} on ${dst.device} itself`
  const error = { type: 5, code: 1, gateway: dst.nexthop, why }
  work.next.push({ kind: 'icmp-error', about: skb, error })
}

/** The FORWARD hook. */
export function forwardHook(work: Work, skb: Skb, dst: Dst): void {
  const after = throughHook(work, 'forward', { ...skb, outDevice: dst.device }, { nexthop: dst.nexthop })
  if (after) work.next.push({ kind: 'output', skb: after, dst })
}
