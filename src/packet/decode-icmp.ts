import { type Family, ipFromOctets } from '../net/ip.ts'
import { macAt } from '../net/mac.ts'
import { protocolNumbers } from '../net/port.ts'
import { quotedLength } from './length.ts'
import { isMalformed, type Malformed } from './malformed.ts'
import type { IcmpMessage, IpPacket, IpPayload } from './packet.ts'
import { fragmentationNeeded, icmpType, viewOf } from './wire.ts'

type DecodeQuoted = (bytes: Uint8Array) => IpPacket | Malformed
type Result = IcmpMessage | Malformed | undefined

/** A type that has no message of its own is an `other` payload. `cut`: the end of the message may be missing. */
export function decodeIcmp(
  bytes: Uint8Array,
  family: Family,
  cut: boolean,
  decodeQuoted: DecodeQuoted,
): IpPayload | Malformed {
  if (bytes.length < 8) return { malformed: `an ICMP header takes 8 bytes, here are ${bytes.length}` }
  const message = family === 'ipv4' ? decodeIpv4(bytes, decodeQuoted) : decodeIpv6(bytes, decodeQuoted)
  if (message === undefined) {
    const protocol = family === 'ipv4' ? protocolNumbers.icmp : protocolNumbers.icmpv6
    return { kind: 'other', protocol, data: bytes.length }
  }
  if (isMalformed(message)) return message
  return { kind: 'icmp', message: cut ? message : withQuotedBytes(message, bytes.length - 8) }
}

const withQuotedBytes = (message: IcmpMessage, quotedBytes: number): IcmpMessage =>
  message.kind === 'error' && quotedBytes < quotedLength(message.quoted) ? { ...message, quotedBytes } : message

function decodeIpv4(bytes: Uint8Array, decodeQuoted: DecodeQuoted): Result {
  const [type = 0, code = 0] = bytes
  switch (type) {
    case icmpType.ipv4.echoRequest:
      return echo('echo-request', bytes)
    case icmpType.ipv4.echoReply:
      return echo('echo-reply', bytes)
    case icmpType.ipv4.redirect: {
      const quoted = decodeQuoted(bytes.subarray(8))
      if (isMalformed(quoted)) return quoted
      return { kind: 'redirect', code, gateway: ipFromOctets(bytes.subarray(4, 8)), quoted }
    }
    case icmpType.ipv4.unreachable:
      return error(bytes, code === fragmentationNeeded ? viewOf(bytes).getUint16(6) : 0, decodeQuoted)
    case icmpType.ipv4.timeExceeded:
    case icmpType.ipv4.parameterProblem:
      return error(bytes, 0, decodeQuoted)
    default:
      return undefined
  }
}

function decodeIpv6(bytes: Uint8Array, decodeQuoted: DecodeQuoted): Result {
  const type = bytes[0]
  switch (type) {
    case icmpType.ipv6.echoRequest:
      return echo('echo-request', bytes)
    case icmpType.ipv6.echoReply:
      return echo('echo-reply', bytes)
    case icmpType.ipv6.packetTooBig:
      return error(bytes, viewOf(bytes).getUint32(4), decodeQuoted)
    case icmpType.ipv6.unreachable:
    case icmpType.ipv6.timeExceeded:
    case icmpType.ipv6.parameterProblem:
      return error(bytes, 0, decodeQuoted)
    case icmpType.ipv6.redirect:
      return redirect(bytes, decodeQuoted)
    case icmpType.ipv6.solicitation:
    case icmpType.ipv6.advertisement:
      return neighbour(type, bytes)
    default:
      return undefined
  }
}

function echo(kind: 'echo-request' | 'echo-reply', bytes: Uint8Array): IcmpMessage {
  const view = viewOf(bytes)
  return { kind, id: view.getUint16(4), seq: view.getUint16(6), data: bytes.length - 8 }
}

function error(bytes: Uint8Array, mtu: number, decodeQuoted: DecodeQuoted): Result {
  const quoted = decodeQuoted(bytes.subarray(8))
  if (isMalformed(quoted)) return quoted
  const [type = 0, code = 0] = bytes
  return { kind: 'error', type, code, ...(mtu > 0 && { mtu }), quoted }
}

/** A redirect that quotes nothing has no message here. */
function redirect(bytes: Uint8Array, decodeQuoted: DecodeQuoted): Result {
  const option = optionOf(bytes, 40, 4)
  if (option === undefined) return undefined
  const quoted = decodeQuoted(option.subarray(8))
  if (isMalformed(quoted)) return quoted
  return { kind: 'redirect', code: bytes[1] ?? 0, gateway: ipFromOctets(bytes.subarray(8, 24)), quoted }
}

/** An advertisement without a link-layer address has no message here. */
function neighbour(type: number, bytes: Uint8Array): Result {
  if (bytes.length < 24) return { malformed: `a neighbour message takes 24 bytes, here are ${bytes.length}` }
  const target = ipFromOctets(bytes.subarray(8, 24))
  const option = optionOf(bytes, 24, type === icmpType.ipv6.solicitation ? 1 : 2)
  const mac = option && macAt([...option.subarray(2, 8)])
  if (type === icmpType.ipv6.solicitation) {
    return { kind: 'neighbour-solicitation', target, ...(mac && { sourceMac: mac }) }
  }
  const flags = bytes[4] ?? 0
  const [solicited, override] = [(flags & 0x40) !== 0, (flags & 0x20) !== 0]
  return mac && { kind: 'neighbour-advertisement', target, targetMac: mac, solicited, override }
}

/** The first option of a type (RFC 4861, 4.6): type, length in units of eight bytes, content. */
function optionOf(bytes: Uint8Array, start: number, type: number): Uint8Array | undefined {
  for (let at = start; at + 8 <= bytes.length; ) {
    const length = (bytes[at + 1] ?? 0) * 8
    if (length === 0) return undefined
    if (bytes[at] === type) return bytes.subarray(at, at + length)
    at += length
  }
  return undefined
}
