import { packetLength, payloadLength } from '../packet/length.ts'
import { type Fragment, type IpPacket, packetFamily, protocolNumber } from '../packet/packet.ts'
import type { Chance } from './chance.ts'

const ipv4Header = 20
/** With the fragment extension header. */
const ipv6Header = 48

/** ip_do_fragment: pieces of a multiple of 8 bytes, each with the header of the packet as it is now. */
export function fragment(packet: IpPacket, mtu: number, chance: Chance): readonly IpPacket[] {
  const header = packetFamily(packet) === 'ipv4' ? ipv4Header : ipv6Header
  const room = Math.max(8, Math.floor((mtu - header) / 8) * 8)
  const { base, length, more, whole } = pieceOf(packet, chance)
  const pieces: IpPacket[] = []
  for (let at = 0; at < length; at += room) {
    const size = Math.min(room, length - at)
    const payload: Fragment = {
      kind: 'fragment',
      whole,
      offset: base + at,
      length: size,
      more: more || at + size < length,
    }
    pieces.push({ ...packet, id: whole.id, payload })
  }
  return pieces
}

/** A fragment may be cut again; its pieces keep counting from where it began. */
function pieceOf(packet: IpPacket, chance: Chance) {
  if (packet.payload.kind === 'fragment') {
    const { offset, length, more, whole } = packet.payload
    return { base: offset, length, more, whole }
  }
  const whole = packet.id === 0 ? { ...packet, id: 1 + chance.noise(65535) } : packet
  return { base: 0, length: payloadLength(packet.payload), more: false, whole }
}

/** Fragments of one packet that have come in so far (struct ipq). */
export interface Reassembly {
  readonly pieces: IpPacket[]
}

export interface Reassembled {
  readonly packet: IpPacket
  /** The longest fragment. */
  readonly maxSize: number
}

/**
 * ip_defrag: the whole packet once its last piece is there. Its header is that of the first fragment. `user` keeps
 * apart who asks (conntrack, local delivery), as the kernel's IP_DEFRAG_ users do.
 */
export function reassemble(table: Map<string, Reassembly>, user: string, packet: IpPacket): Reassembled | undefined {
  const key = [user, packet.src, packet.dst, protocolNumber(packet), packet.id].join(' ')
  const entry = table.get(key) ?? { pieces: [] }
  entry.pieces.push(packet)
  table.set(key, entry)
  const pieces = entry.pieces.flatMap((p) => (p.payload.kind === 'fragment' ? [{ header: p, piece: p.payload }] : []))
  pieces.sort((a, b) => a.piece.offset - b.piece.offset)
  let end = 0
  for (const { piece } of pieces) {
    if (piece.offset > end) return undefined
    end = Math.max(end, piece.offset + piece.length)
  }
  const [first] = pieces
  if (!first || pieces.at(-1)?.piece.more !== false) return undefined
  table.delete(key)
  const maxSize = Math.max(...pieces.map(({ header }) => packetLength(header)))
  const allDf = pieces.every(({ header }) => header.df)
  return { packet: { ...first.header, df: allDf, payload: first.piece.whole.payload }, maxSize }
}

export const isFragment = (packet: IpPacket): boolean => packet.payload.kind === 'fragment'
