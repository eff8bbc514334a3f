import { familyOf, type Ip } from '../../net/ip.ts'
import { protocolNumbers } from '../../net/port.ts'
import { type IpPacket, protocolNumber } from '../../packet/packet.ts'
import type { Tuple } from './connection.ts'

/** Type of an echo request and of its answer (RFC 792, RFC 4443). */
export const echoTypes = { ipv4: { request: 8, reply: 0 }, ipv6: { request: 128, reply: 129 } } as const

/**
 * The packet's flow as conntrack sees it (nf_ct_get_tuple). Undefined for what has none: a fragment beyond the first, and
 * ICMP other than echo. Protocols without ports have ports 0.
 */
export function tupleOf(packet: IpPacket): Tuple | undefined {
  const { src, dst, payload } = packet
  const protocol = protocolNumber(packet)
  switch (payload.kind) {
    case 'tcp':
    case 'udp':
    case 'sctp':
      return { protocol, src, dst, srcPort: payload.srcPort, dstPort: payload.dstPort }
    case 'icmp': {
      const { message } = payload
      if (message.kind !== 'echo-request' && message.kind !== 'echo-reply') return undefined
      const types = echoTypes[familyOf(src)]
      const icmpType = message.kind === 'echo-request' ? types.request : types.reply
      return { protocol, src, dst, srcPort: message.id, dstPort: 0, icmpType }
    }
    case 'fragment':
      return payload.offset === 0 ? tupleOf({ ...payload.whole, src, dst }) : undefined
    case 'ipip':
    case 'other':
      return { protocol, src, dst, srcPort: 0, dstPort: 0 }
  }
}

/** The tuple of an answer (nf_ct_invert_tuple). The id of an echo stays where it is. */
export function invertTuple(t: Tuple): Tuple {
  const ends = { protocol: t.protocol, src: t.dst, dst: t.src }
  if (t.icmpType === undefined) return { ...ends, srcPort: t.dstPort, dstPort: t.srcPort }
  return { ...ends, srcPort: t.srcPort, dstPort: 0, icmpType: invertIcmpType(t.icmpType, t.src) }
}

/** A string that is equal exactly for equal tuples. */
export const tupleKey = (t: Tuple): string =>
  `${t.protocol} ${t.src} ${t.srcPort} ${t.dst} ${t.dstPort} ${t.icmpType ?? ''}`

/** Protocol, source address and source port alone: what shares a source mapping (nf_nat_core.c, same_src). */
export const sourceKey = (t: Tuple): string => `${t.protocol} ${t.src} ${t.srcPort}`

export const isIcmpProtocol = (protocol: number): boolean =>
  protocol === protocolNumbers.icmp || protocol === protocolNumbers.icmpv6

function invertIcmpType(type: number, address: Ip): number {
  const { request, reply } = echoTypes[familyOf(address)]
  return type === request ? reply : request
}
