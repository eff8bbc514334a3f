import type { Ip } from '../net/ip.ts'
import { protocolNumbers } from '../net/port.ts'
import { crc32c, internetChecksum, pseudoHeaderSum } from './checksum.ts'
import { type Sctp, type Tcp, tcpFlag, type Udp } from './packet.ts'
import { concat, padTo4, sctpChunk, viewOf } from './wire.ts'

/** The addresses that a transport checksum covers. */
export interface Ends {
  readonly src: Ip
  readonly dst: Ip
}

export function encodeTcp(ends: Ends, tcp: Tcp): Uint8Array {
  const bytes = new Uint8Array(20 + tcp.options + tcp.data)
  const view = viewOf(bytes)
  view.setUint16(0, tcp.srcPort)
  view.setUint16(2, tcp.dstPort)
  view.setUint32(4, tcp.seq)
  view.setUint32(8, tcp.ack)
  bytes[12] = ((20 + tcp.options) >>> 2) << 4
  bytes[13] = tcp.flags
  view.setUint16(14, tcp.flags & tcpFlag.rst ? 0 : 64240)
  bytes.set(tcpOptions(tcp), 20)
  view.setUint16(16, internetChecksum(bytes, pseudoHeaderSum(ends.src, ends.dst, protocolNumbers.tcp, bytes.length)))
  return bytes
}

const mss = [2, 4, 1460 >>> 8, 1460 & 0xff]
const sackPermitted = [4, 2]
const timestamps = [8, 10, 0, 0, 0, 1, 0, 0, 0, 0]
const noOperation = 1
const windowScale = [3, 3, 7]

/** Options as Linux lays them out (net/ipv4/tcp_output.c), to the length that was asked for; the rest is no-operation. */
function tcpOptions(tcp: Tcp): Uint8Array {
  const bytes = new Uint8Array(tcp.options).fill(noOperation)
  if (tcp.flags & tcpFlag.syn && tcp.options >= 20) {
    bytes.set([...mss, ...sackPermitted, ...timestamps, noOperation, ...windowScale])
  } else if (tcp.flags & tcpFlag.syn && tcp.options >= 4) bytes.set(mss)
  else if (tcp.options >= 12) bytes.set([noOperation, noOperation, ...timestamps])
  return bytes
}

/** `content` is the whole payload. A sum of zero is sent as all ones: zero means none (RFC 768). */
export function encodeUdp(ends: Ends, udp: Udp, content: Uint8Array): Uint8Array {
  const header = new Uint8Array(8)
  const view = viewOf(header)
  view.setUint16(0, udp.srcPort)
  view.setUint16(2, udp.dstPort)
  view.setUint16(4, 8 + content.length)
  const bytes = concat([header, content])
  const sum = internetChecksum(bytes, pseudoHeaderSum(ends.src, ends.dst, protocolNumbers.udp, bytes.length))
  viewOf(bytes).setUint16(6, sum || 0xffff)
  return bytes
}

export function encodeSctp(sctp: Sctp): Uint8Array {
  const { type, fixed } = sctpChunk[sctp.chunk]
  const bytes = new Uint8Array(12 + 4 + padTo4(fixed + sctp.data))
  const view = viewOf(bytes)
  view.setUint16(0, sctp.srcPort)
  view.setUint16(2, sctp.dstPort)
  bytes[12] = type
  view.setUint16(14, 4 + fixed + sctp.data)
  fillChunk(sctp, view)
  view.setUint32(8, crc32c(bytes))
  return bytes
}

/** Values that a receiver would take: a tag, a window and streams for INIT, one whole message for DATA. */
function fillChunk(sctp: Sctp, view: DataView): void {
  switch (sctp.chunk) {
    case 'data':
      view.setUint8(13, 0x03)
      return
    case 'init':
    case 'init-ack':
      view.setUint32(16, 1)
      view.setUint32(20, 0x10000)
      view.setUint16(24, 10)
      view.setUint16(26, 10)
      // The variable part is one parameter: a state cookie in the answer, padding (RFC 4820) in the question.
      if (sctp.data >= 4) parameter(view, 32, sctp.chunk === 'init' ? 0x8005 : 7, sctp.data)
      return
    case 'abort':
      if (sctp.data >= 4) parameter(view, 16, 12, sctp.data)
  }
}

function parameter(view: DataView, at: number, type: number, length: number): void {
  view.setUint16(at, type)
  view.setUint16(at + 2, length)
}
