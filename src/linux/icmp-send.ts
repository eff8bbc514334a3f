import { readSysctl } from '../artefact/sysctl.ts'
import { familyOf, type Ip } from '../net/ip.ts'
import type { IcmpMessage, IpPacket, IpPayload } from '../packet/packet.ts'
import { packetFamily } from '../packet/packet.ts'
import type { IcmpCause } from './action.ts'
import { attachmentOf } from './conntrack/attach.ts'
import { isMulticastIp } from './device/ethernet.ts'
import { addressType } from './hooks.ts'
import { localOut } from './path/output.ts'
import { routeOutput, sourceAddress } from './routing.ts'
import { type Skb, skbOf } from './skb.ts'
import { isOn, type Work } from './work.ts'

/** What the kernel itself sends: DF is clear (an ICMP socket has IP_PMTUDISC_DONT), for IPv6 it has no meaning. */
export function kernelPacket(work: Work, src: Ip, dst: Ip, tos: number, payload: IpPayload): IpPacket {
  const ttl = familyOf(dst) === 'ipv4' ? Number(readSysctl(work.ns.state.sysctls, 'net.ipv4.ip_default_ttl')) : 64
  return { src, dst, ttl, tos, id: 0, df: familyOf(dst) === 'ipv6', payload }
}

/** icmp_send (net/ipv4/icmp.c), icmp6_send: an error about a packet, by the route back to its sender. */
export function sendIcmpError(work: Work, about: Skb, error: IcmpCause): void {
  const { packet } = about
  const family = packetFamily(packet)
  const local = addressType(work, packet.dst) === 'LOCAL'
  const byDevice = isOn(work, 'net.ipv4.icmp_errors_use_inbound_ifaddr') ? about.inDevice : undefined
  const fixed = local ? packet.dst : byDevice ? sourceAddress(work, byDevice, packet.src, 'link') : undefined
  const silent = silence(about)
  if (silent) {
    tell(work, about, error, packet.dst, silent)
    return
  }
  const mark = isOn(work, `net.${family}.fwmark_reflect`) ? about.mark : 0
  const route = routeOutput(work, { src: fixed, dst: packet.src, mark }, 'icmp')
  if (route.kind === 'error' || route.src === undefined) {
    tell(work, about, error, fixed ?? packet.dst, `no route back to ${packet.src}`)
    return
  }
  const reply = tell(work, about, error, route.src, undefined)
  localOut(work, { ...skbOf(reply), mark, ...attachmentOf(about) }, route.dst)
}

function tell(work: Work, about: Skb, error: IcmpCause, src: Ip, suppressed: string): undefined
function tell(work: Work, about: Skb, error: IcmpCause, src: Ip, suppressed: undefined): IpPacket
function tell(work: Work, about: Skb, error: IcmpCause, src: Ip, suppressed: string | undefined) {
  const quoted = about.packet
  // Network control precedence, the packet's own TOS kept (RFC 1812, 4.3.2.5).
  const tos = packetFamily(quoted) === 'ipv4' ? (quoted.tos & 0x1e) | 0xc0 : 0
  const packet = kernelPacket(work, src, quoted.src, tos, { kind: 'icmp', message: messageOf(error, quoted) })
  const event = { kind: 'icmp-send', packet, about: quoted, why: error.why } as const
  work.emit(suppressed === undefined ? event : { ...event, suppressed })
  return suppressed === undefined ? packet : undefined
}

function messageOf(error: IcmpCause, quoted: IpPacket): IcmpMessage {
  const { type, code, mtu, gateway } = error
  if (gateway !== undefined) return { kind: 'redirect', code, gateway, quoted }
  return mtu === undefined ? { kind: 'error', type, code, quoted } : { kind: 'error', type, code, mtu, quoted }
}

/** RFC 1122, 3.2.2: about what no error is sent. IPv6 tells of each fragment (icmp6_send). */
function silence({ packet, packetType }: Skb): string | undefined {
  const { payload, src, dst } = packet
  if (packetType === 'broadcast' || packetType === 'multicast') return `it came as ${packetType}`
  if (isMulticastIp(dst) || isMulticastIp(src) || src === '0.0.0.0' || src === '::') return 'not between two hosts'
  if (payload.kind === 'fragment' && payload.offset > 0 && packetFamily(packet) === 'ipv4')
    return 'not the first fragment'
  const inner = payload.kind === 'fragment' ? payload.whole.payload : payload
  if (inner.kind !== 'icmp') return undefined
  const { kind } = inner.message
  return kind === 'error' || kind === 'redirect' ? 'never about an ICMP error' : undefined
}
