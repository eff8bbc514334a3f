import { familyOf } from '../net/ip.ts'
import { type Frame, type IcmpMessage, type IpPacket, type IpPayload, packetFamily } from './packet.ts'
import { padTo4, sctpChunk } from './wire.ts'

const ethernetHeader = 14
const arpBody = 28

/** Bytes of the whole IP packet, header included: what an MTU is compared with. */
export function packetLength(packet: IpPacket): number {
  return ipHeaderLength(packet) + payloadLength(packet.payload)
}

/** IPv6 fragments carry an 8-byte extension header (RFC 8200, 4.5). */
export function ipHeaderLength(packet: IpPacket): number {
  if (packetFamily(packet) === 'ipv4') return 20
  return packet.payload.kind === 'fragment' ? 48 : 40
}

/** Bytes of an Ethernet frame without preamble, padding and checksum. */
export function frameLength(frame: Frame): number {
  return ethernetHeader + (frame.payload.kind === 'arp' ? arpBody : packetLength(frame.payload.packet))
}

export function payloadLength(payload: IpPayload): number {
  switch (payload.kind) {
    case 'tcp':
      return 20 + payload.options + payload.data
    case 'udp':
      if (payload.vxlan) return 8 + 8 + frameLength(payload.vxlan.inner)
      return 8 + (payload.tunnelled ? packetLength(payload.tunnelled) : payload.data)
    case 'sctp':
      // Common header and one chunk, padded.
      return 12 + 4 + padTo4(sctpChunk[payload.chunk].fixed + payload.data)
    case 'icmp':
      return icmpLength(payload.message)
    case 'ipip':
      return packetLength(payload.inner)
    case 'fragment':
      return payload.length
    case 'other':
      return payload.data
  }
}

export function icmpLength(message: IcmpMessage): number {
  switch (message.kind) {
    case 'echo-request':
    case 'echo-reply':
      return 8 + message.data
    case 'error':
      return 8 + (message.quotedBytes ?? quotedLength(message.quoted))
    case 'redirect':
      return familyOf(message.gateway) === 'ipv4'
        ? 8 + quotedLength(message.quoted)
        : 40 + redirectedHeaderLength(message.quoted)
    case 'neighbour-solicitation':
      return 24 + (message.sourceMac ? 8 : 0)
    case 'neighbour-advertisement':
      return 32
  }
}

/**
 * Bytes of the offending packet that Linux quotes: as much as fits in 576 bytes of IPv4 (net/ipv4/icmp.c, icmp_send),
 * in 1280 of IPv6 (net/ipv6/icmp.c).
 */
export function quotedLength(quoted: IpPacket): number {
  const room = packetFamily(quoted) === 'ipv4' ? 576 - 20 - 8 : 1280 - 40 - 8
  return Math.min(packetLength(quoted), room)
}

/** The option of an ICMPv6 redirect: 8 bytes and the packet, in multiples of 8, within 1280 (net/ipv6/ndisc.c). */
function redirectedHeaderLength(quoted: IpPacket): number {
  return Math.min(8 + packetLength(quoted), 1280 - 40 - 40) & ~7
}
