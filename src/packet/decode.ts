import { ipFromOctets } from '../net/ip.ts'
import { type Mac, macAt } from '../net/mac.ts'
import { protocolNumbers } from '../net/port.ts'
import { decodeIcmp } from './decode-icmp.ts'
import { decodeSctp, decodeTcp, decodeUdp } from './decode-transport.ts'
import { isMalformed, type Malformed } from './malformed.ts'
import type { Arp, Frame, IpPacket, IpPayload } from './packet.ts'
import { etherType, ipv6FragmentHeader, viewOf } from './wire.ts'

/** Reads what `encodeFrame` writes, and any other Ethernet II frame of ARP or IP. Checksums are not verified. */
export function decodeFrame(bytes: Uint8Array): Frame | Malformed {
  if (bytes.length < 14) return { malformed: `an Ethernet header takes 14 bytes, here are ${bytes.length}` }
  const payload = decodeFramePayload(viewOf(bytes).getUint16(12), bytes.subarray(14))
  return isMalformed(payload) ? payload : { dst: macOf(bytes, 0), src: macOf(bytes, 6), payload }
}

function decodeFramePayload(type: number, bytes: Uint8Array): Frame['payload'] | Malformed {
  if (type === etherType.arp) {
    const arp = decodeArp(bytes)
    return isMalformed(arp) ? arp : { kind: 'arp', arp }
  }
  if (type !== etherType.ipv4 && type !== etherType.ipv6) return { malformed: `EtherType 0x${type.toString(16)}` }
  const packet = decodePacket(bytes)
  return isMalformed(packet) ? packet : { kind: 'ip', packet }
}

/**
 * Reads what `encodePacket` writes; bytes past the packet's own length are ignored. IPv4 options are skipped, and an
 * IPv6 extension header other than the fragment header is an `other` payload. A fragment's `whole` is what the fragment
 * itself tells about it: its headers if it is the first, else a payload that ends where the fragment ends.
 */
export const decodePacket = (bytes: Uint8Array): IpPacket | Malformed => decodeIp(bytes, false)

/** With `cut`, as in a quotation, what is missing at the end is read as zero. */
function decodeIp(bytes: Uint8Array, cut: boolean): IpPacket | Malformed {
  const header = decodeHeader(bytes)
  if (isMalformed(header)) return header
  const { start, length, protocol, fragment, ...fields } = header
  if (bytes.length < start + length && !cut) {
    return { malformed: `the IP header states ${start + length} bytes, here are ${bytes.length}` }
  }
  const content = sized(bytes.subarray(start), length)
  const payload = fragment ? decodeFragment(fields, fragment, protocol, content) : decodePayload(protocol, content, cut)
  return isMalformed(payload) ? payload : { ...fields, payload }
}

type Fields = Omit<IpPacket, 'payload'>

interface FragmentPlace {
  readonly offset: number
  readonly more: boolean
}

/** `start` and `length` of the payload in bytes; `protocol` of the payload. */
type Header = Fields & {
  readonly start: number
  readonly length: number
  readonly protocol: number
  readonly fragment?: FragmentPlace
}

function decodeHeader(bytes: Uint8Array): Header | Malformed {
  const version = (bytes[0] ?? 0) >>> 4
  if (version === 4 && bytes.length >= 20) return decodeIpv4Header(bytes)
  if (version === 6 && bytes.length >= 40) return decodeIpv6Header(bytes)
  return { malformed: `no IP header: version ${version} in ${bytes.length} bytes` }
}

function decodeIpv4Header(bytes: Uint8Array): Header | Malformed {
  const view = viewOf(bytes)
  const start = (view.getUint8(0) & 15) * 4
  const total = view.getUint16(2)
  if (start < 20 || total < start) return { malformed: `an IPv4 header of ${start} bytes in a packet of ${total}` }
  const bits = view.getUint16(6)
  return {
    src: ipFromOctets(bytes.subarray(12, 16)),
    dst: ipFromOctets(bytes.subarray(16, 20)),
    ttl: view.getUint8(8),
    tos: view.getUint8(1),
    id: view.getUint16(4),
    df: (bits & 0x4000) !== 0,
    start,
    length: total - start,
    protocol: view.getUint8(9),
    ...((bits & 0x3fff) !== 0 && { fragment: { offset: (bits & 0x1fff) * 8, more: (bits & 0x2000) !== 0 } }),
  }
}

function decodeIpv6Header(bytes: Uint8Array): Header | Malformed {
  const view = viewOf(bytes)
  const length = view.getUint16(4)
  const fields = {
    src: ipFromOctets(bytes.subarray(8, 24)),
    dst: ipFromOctets(bytes.subarray(24, 40)),
    ttl: view.getUint8(7),
    tos: (view.getUint16(0) >>> 4) & 0xff,
    id: 0,
    df: true,
  }
  const protocol = view.getUint8(6)
  if (protocol !== ipv6FragmentHeader) return { ...fields, start: 40, length, protocol }
  if (bytes.length < 48 || length < 8) return { malformed: 'an IPv6 fragment header that is cut off' }
  const bits = view.getUint16(42)
  const fragment = { offset: bits & 0xfff8, more: (bits & 1) === 1 }
  return { ...fields, id: view.getUint32(44), start: 48, length: length - 8, protocol: view.getUint8(40), fragment }
}

function decodeFragment(fields: Fields, place: FragmentPlace, protocol: number, content: Uint8Array): IpPayload {
  const first = place.offset === 0 ? decodePayload(protocol, content, true) : undefined
  const rest: IpPayload = { kind: 'other', protocol, data: place.offset + content.length }
  const whole = { ...fields, payload: first && !isMalformed(first) ? first : rest }
  return { kind: 'fragment', whole, offset: place.offset, length: content.length, more: place.more }
}

function decodePayload(protocol: number, bytes: Uint8Array, cut: boolean): IpPayload | Malformed {
  switch (protocol) {
    case protocolNumbers.tcp:
      return decodeTcp(bytes, cut)
    case protocolNumbers.udp:
      return decodeUdp(bytes, cut, { decodeFrame, decodePacket })
    case protocolNumbers.sctp:
      return decodeSctp(bytes)
    case protocolNumbers.icmp:
      return decodeIcmp(bytes, 'ipv4', cut, (quoted) => decodeIp(quoted, true))
    case protocolNumbers.icmpv6:
      return decodeIcmp(bytes, 'ipv6', cut, (quoted) => decodeIp(quoted, true))
    case protocolNumbers.ipip:
    case protocolNumbers.ipv6: {
      const inner = decodeIp(bytes, cut)
      return isMalformed(inner) ? inner : { kind: 'ipip', inner }
    }
    default:
      return { kind: 'other', protocol, data: bytes.length }
  }
}

function decodeArp(bytes: Uint8Array): Arp | Malformed {
  const op = bytes[7]
  if (bytes.length < 28 || ![0, 1, 8, 0, 6, 4, 0].every((byte, i) => bytes[i] === byte) || (op !== 1 && op !== 2)) {
    return { malformed: 'not an ARP request or reply of IPv4 over Ethernet' }
  }
  return {
    op: op === 1 ? 'request' : 'reply',
    senderMac: macOf(bytes, 8),
    senderIp: ipFromOctets(bytes.subarray(14, 18)),
    targetMac: macOf(bytes, 18),
    targetIp: ipFromOctets(bytes.subarray(24, 28)),
  }
}

const macOf = (bytes: Uint8Array, at: number): Mac => macAt([...bytes.subarray(at, at + 6)])

function sized(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes.subarray(0, length)
  const padded = new Uint8Array(length)
  padded.set(bytes)
  return padded
}
