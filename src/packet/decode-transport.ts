import { packetLength } from './length.ts'
import { isMalformed, type Malformed } from './malformed.ts'
import type { Frame, IpPacket, IpPayload, Sctp, Tcp, Udp } from './packet.ts'
import { sctpChunk, viewOf } from './wire.ts'

/** With `cut`, a header that a quotation left out is read as the shortest one. */
export function decodeTcp(bytes: Uint8Array, cut: boolean): Tcp | Malformed {
  if (bytes.length < 20) return { malformed: `a TCP header takes 20 bytes, here are ${bytes.length}` }
  const view = viewOf(bytes)
  const stated = (view.getUint8(12) >>> 4) * 4
  const header = stated === 0 && cut ? 20 : stated
  if (header < 20 || header > bytes.length) return { malformed: `a TCP header of ${header} in ${bytes.length} bytes` }
  return {
    kind: 'tcp',
    srcPort: view.getUint16(0),
    dstPort: view.getUint16(2),
    flags: view.getUint8(13),
    seq: view.getUint32(4),
    ack: view.getUint32(8),
    options: header - 20,
    data: bytes.length - header,
  }
}

export interface ContentDecoders {
  readonly decodeFrame: (bytes: Uint8Array) => Frame | Malformed
  readonly decodePacket: (bytes: Uint8Array) => IpPacket | Malformed
}

/** With `cut`, the datagram may be longer than what is here, as in a first fragment. */
export function decodeUdp(bytes: Uint8Array, cut: boolean, decoders: ContentDecoders): Udp | Malformed {
  if (bytes.length < 8) return { malformed: `a UDP header takes 8 bytes, here are ${bytes.length}` }
  const view = viewOf(bytes)
  const length = view.getUint16(4)
  if (length < 8 || (length > bytes.length && !cut))
    return { malformed: `a UDP length of ${length} in ${bytes.length} bytes` }
  const ports = { kind: 'udp', srcPort: view.getUint16(0), dstPort: view.getUint16(2) } as const
  return { ...ports, ...decodeUdpContent(bytes.subarray(8, length), length - 8, decoders) }
}

/** Ports of tunnels are settings, so a tunnel is known by its content, which must be consistent to the last byte. */
function decodeUdpContent(
  content: Uint8Array,
  length: number,
  { decodeFrame, decodePacket }: ContentDecoders,
): Pick<Udp, 'data' | 'vxlan' | 'tunnelled'> {
  if (isVxlanHeader(content)) {
    const inner = decodeFrame(content.subarray(8))
    if (!isMalformed(inner)) return { data: 0, vxlan: { vni: viewOf(content).getUint32(4) >>> 8, inner } }
  }
  const tunnelled = decodePacket(content)
  return !isMalformed(tunnelled) && packetLength(tunnelled) === content.length
    ? { data: 0, tunnelled }
    : { data: length }
}

/** RFC 7348: the I flag alone, all reserved bits zero. */
const isVxlanHeader = (bytes: Uint8Array): boolean =>
  bytes.length >= 8 && bytes[0] === 8 && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0 && bytes[7] === 0

/** Of the first chunk; a chunk of another type is an `other` payload. */
export function decodeSctp(bytes: Uint8Array): Sctp | (IpPayload & { kind: 'other' }) | Malformed {
  if (bytes.length < 16) return { malformed: `an SCTP header with a chunk takes 16 bytes, here are ${bytes.length}` }
  const view = viewOf(bytes)
  const chunk = chunkNames.find((name) => sctpChunk[name].type === bytes[12])
  if (chunk === undefined) return { kind: 'other', protocol: 132, data: bytes.length }
  const data = view.getUint16(14) - 4 - sctpChunk[chunk].fixed
  if (data < 0 || 16 + sctpChunk[chunk].fixed + data > bytes.length)
    return { malformed: `an SCTP chunk of a wrong length` }
  return { kind: 'sctp', srcPort: view.getUint16(0), dstPort: view.getUint16(2), chunk, data }
}

const chunkNames = ['data', 'init', 'init-ack', 'abort'] as const satisfies readonly Sctp['chunk'][]
