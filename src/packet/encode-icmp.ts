import { familyOf, ipOctets } from '../net/ip.ts'
import { macOctets } from '../net/mac.ts'
import { protocolNumbers } from '../net/port.ts'
import { internetChecksum, pseudoHeaderSum } from './checksum.ts'
import type { Ends } from './encode-transport.ts'
import { icmpLength, quotedLength } from './length.ts'
import type { IcmpMessage, IpPacket } from './packet.ts'
import { fragmentationNeeded, icmpType, viewOf } from './wire.ts'

type Encode = (packet: IpPacket) => Uint8Array

/** ICMP or ICMPv6 by the family of the ends. A quoted packet is cut to what Linux quotes. */
export function encodeIcmp(ends: Ends, message: IcmpMessage, encode: Encode): Uint8Array {
  const family = familyOf(ends.src)
  const bytes = new Uint8Array(icmpLength(message))
  if (family === 'ipv4') fillIpv4(bytes, message, encode)
  else fillIpv6(bytes, message, encode)
  const start = family === 'ipv4' ? 0 : pseudoHeaderSum(ends.src, ends.dst, protocolNumbers.icmpv6, bytes.length)
  viewOf(bytes).setUint16(2, internetChecksum(bytes, start))
  return bytes
}

function fillIpv4(bytes: Uint8Array, message: IcmpMessage, encode: Encode): void {
  switch (message.kind) {
    case 'echo-request':
    case 'echo-reply':
      fillEcho(bytes, message, message.kind === 'echo-request' ? icmpType.ipv4.echoRequest : icmpType.ipv4.echoReply)
      return
    case 'error':
      bytes.set([message.type, message.code])
      if (message.type === icmpType.ipv4.unreachable && message.code === fragmentationNeeded) {
        viewOf(bytes).setUint16(6, message.mtu ?? 0)
      }
      fillQuoted(bytes, 8, message.quoted, encode)
      return
    case 'redirect':
      bytes.set([icmpType.ipv4.redirect, message.code, 0, 0, ...ipOctets(message.gateway)])
      fillQuoted(bytes, 8, message.quoted, encode)
      return
    case 'neighbour-solicitation':
    case 'neighbour-advertisement':
      throw new RangeError(`a ${message.kind} between IPv4 addresses`)
  }
}

function fillIpv6(bytes: Uint8Array, message: IcmpMessage, encode: Encode): void {
  switch (message.kind) {
    case 'echo-request':
    case 'echo-reply':
      fillEcho(bytes, message, message.kind === 'echo-request' ? icmpType.ipv6.echoRequest : icmpType.ipv6.echoReply)
      return
    case 'error':
      bytes.set([message.type, message.code])
      if (message.type === icmpType.ipv6.packetTooBig) viewOf(bytes).setUint32(4, message.mtu ?? 0)
      fillQuoted(bytes, 8, message.quoted, encode)
      return
    case 'redirect':
      bytes.set([icmpType.ipv6.redirect, message.code, 0, 0, 0, 0, 0, 0, ...ipOctets(message.gateway)])
      bytes.set(ipOctets(message.quoted.dst), 24)
      // Redirected Header, RFC 4861 4.6.3; lengths count eight bytes.
      bytes.set([4, (bytes.length - 40) / 8], 40)
      fillQuoted(bytes, 48, message.quoted, encode)
      return
    case 'neighbour-solicitation':
      bytes.set([icmpType.ipv6.solicitation, 0, 0, 0, 0, 0, 0, 0, ...ipOctets(message.target)])
      if (message.sourceMac) bytes.set([1, 1, ...macOctets(message.sourceMac)], 24)
      return
    case 'neighbour-advertisement': {
      const flags = (message.solicited ? 0x40 : 0) | (message.override ? 0x20 : 0)
      bytes.set([icmpType.ipv6.advertisement, 0, 0, 0, flags, 0, 0, 0, ...ipOctets(message.target)])
      bytes.set([2, 1, ...macOctets(message.targetMac)], 24)
    }
  }
}

function fillEcho(bytes: Uint8Array, echo: { readonly id: number; readonly seq: number }, type: number): void {
  bytes[0] = type
  viewOf(bytes).setUint16(4, echo.id)
  viewOf(bytes).setUint16(6, echo.seq)
}

function fillQuoted(bytes: Uint8Array, at: number, quoted: IpPacket, encode: Encode): void {
  bytes.set(encode(quoted).subarray(0, Math.min(quotedLength(quoted), bytes.length - at)), at)
}
