import { familyOf, ipOctets } from '../net/ip.ts'
import { macOctets } from '../net/mac.ts'
import { internetChecksum } from './checksum.ts'
import { encodeIcmp } from './encode-icmp.ts'
import { encodeSctp, encodeTcp, encodeUdp } from './encode-transport.ts'
import { type Arp, type Frame, type IpPacket, type IpPayload, packetFamily, protocolNumber } from './packet.ts'
import { concat, etherType, ipv6FragmentHeader, viewOf } from './wire.ts'

/** The bytes of an Ethernet II frame, without preamble, padding and frame check sequence. */
export function encodeFrame(frame: Frame): Uint8Array {
  const { payload } = frame
  const header = new Uint8Array(14)
  header.set(macOctets(frame.dst), 0)
  header.set(macOctets(frame.src), 6)
  viewOf(header).setUint16(12, payload.kind === 'arp' ? etherType.arp : etherType[packetFamily(payload.packet)])
  return concat([header, payload.kind === 'arp' ? encodeArp(payload.arp) : encodePacket(payload.packet)])
}

/**
 * The bytes of an IP packet: header, every checksum right, data bytes zero. Throws RangeError on a packet that no length
 * field can state (more than 65,535 bytes).
 */
export function encodePacket(packet: IpPacket): Uint8Array {
  const payload = encodePayload(packet, packet.payload)
  const header = packetFamily(packet) === 'ipv4' ? ipv4Header(packet, payload) : ipv6Header(packet, payload)
  return concat([header, payload])
}

function encodePayload(packet: IpPacket, payload: IpPayload): Uint8Array {
  switch (payload.kind) {
    case 'tcp':
      return encodeTcp(packet, payload)
    case 'udp':
      return encodeUdp(packet, payload, udpContent(payload))
    case 'sctp':
      return encodeSctp(payload)
    case 'icmp':
      return encodeIcmp(packet, payload.message, encodePacket)
    case 'ipip':
      return encodePacket(payload.inner)
    case 'fragment':
      return encodePayload(payload.whole, payload.whole.payload).slice(payload.offset, payload.offset + payload.length)
    case 'other':
      return new Uint8Array(payload.data)
  }
}

function udpContent(udp: IpPayload & { kind: 'udp' }): Uint8Array {
  if (udp.vxlan) return concat([vxlanHeader(udp.vxlan.vni), encodeFrame(udp.vxlan.inner)])
  return udp.tunnelled ? encodePacket(udp.tunnelled) : new Uint8Array(udp.data)
}

/** RFC 7348: the I flag, and a VNI of 24 bits. */
function vxlanHeader(vni: number): Uint8Array {
  const header = new Uint8Array(8)
  header[0] = 0x08
  viewOf(header).setUint32(4, vni * 256)
  return header
}

function ipv4Header(packet: IpPacket, payload: Uint8Array): Uint8Array {
  const header = new Uint8Array(20)
  const view = viewOf(header)
  view.setUint16(0, 0x4500 | packet.tos)
  view.setUint16(2, lengthField(20 + payload.length))
  view.setUint16(4, packet.id)
  view.setUint16(6, (packet.df ? 0x4000 : 0) | fragmentBits(packet.payload))
  view.setUint16(8, (packet.ttl << 8) | protocolNumber(packet))
  header.set(ipOctets(packet.src), 12)
  header.set(ipOctets(packet.dst), 16)
  view.setUint16(10, internetChecksum(header))
  return header
}

function fragmentBits(payload: IpPayload): number {
  return payload.kind === 'fragment' ? (payload.more ? 0x2000 : 0) | (payload.offset >>> 3) : 0
}

function ipv6Header(packet: IpPacket, payload: Uint8Array): Uint8Array {
  const extension = packet.payload.kind === 'fragment' ? fragmentHeader(packet, packet.payload) : new Uint8Array(0)
  const header = new Uint8Array(40)
  const view = viewOf(header)
  view.setUint16(0, 0x6000 | (packet.tos << 4))
  view.setUint16(4, lengthField(extension.length + payload.length))
  header[6] = extension.length > 0 ? ipv6FragmentHeader : protocolNumber(packet)
  header[7] = packet.ttl
  header.set(ipOctets(packet.src), 8)
  header.set(ipOctets(packet.dst), 24)
  return concat([header, extension])
}

function fragmentHeader(packet: IpPacket, fragment: IpPayload & { kind: 'fragment' }): Uint8Array {
  const header = new Uint8Array(8)
  const view = viewOf(header)
  header[0] = protocolNumber(packet)
  view.setUint16(2, fragment.offset | (fragment.more ? 1 : 0))
  view.setUint32(4, packet.id)
  return header
}

function lengthField(length: number): number {
  if (length > 0xffff) throw new RangeError(`an IP packet of ${length} bytes does not fit its length field`)
  return length
}

/** RFC 826: hardware type 1 (Ethernet), protocol type IPv4. */
function encodeArp(arp: Arp): Uint8Array {
  if (familyOf(arp.senderIp) !== 'ipv4' || familyOf(arp.targetIp) !== 'ipv4') {
    throw new RangeError(`ARP carries IPv4 addresses, not ${arp.senderIp} and ${arp.targetIp}`)
  }
  const op = arp.op === 'request' ? 1 : 2
  const body = [0, 1, 8, 0, 6, 4, 0, op, ...macOctets(arp.senderMac), ...ipOctets(arp.senderIp)]
  return Uint8Array.from([...body, ...macOctets(arp.targetMac), ...ipOctets(arp.targetIp)])
}
