import type { IpPacket } from '../../packet/packet.ts'
import type { Hook } from '../netfilter/hook.ts'
import { type Connection, type Direction, isDstNat, isSrcNat } from './connection.ts'
import { quotedBy } from './icmp-error.ts'
import { type Manip, rewrite } from './rewrite.ts'
import { invertTuple } from './tuple.ts'

/** HOOK2MANIP: the source is rewritten where the packet leaves or ends, the destination elsewhere. */
export const manipAt = (hook: Hook): Manip => (hook === 'postrouting' || hook === 'input' ? 'src' : 'dst')

/** nf_nat_packet: rewrites by the connection's mapping what this hook may rewrite; answers get the inverse. */
export function translate(packet: IpPacket, c: Connection, direction: Direction, manip: Manip): IpPacket {
  if (!isTranslated(c, direction, manip)) return packet
  return rewrite(packet, manip, invertTuple(c[opposite(direction)]))
}

/**
 * nf_nat_icmp_reply_translation: an error about a translated packet gets the addresses that its receiver knows, inside
 * and out. Undefined: a redirect of a connection that is translated, or not yet known to be untranslated, is dropped.
 */
export function translateError(
  packet: IpPacket,
  c: Connection,
  direction: Direction,
  manip: Manip,
): IpPacket | undefined {
  const message = packet.payload.kind === 'icmp' ? packet.payload.message : undefined
  const quoted = message && quotedBy(message)
  if (!message || !quoted) return packet
  const settled = c.natDone.src && c.natDone.dst
  if (message.kind === 'redirect' && (!settled || isSrcNat(c) || isDstNat(c))) return undefined
  if (!isTranslated(c, direction, manip)) return packet
  const original = c[opposite(direction)]
  const inside = rewrite(quoted, manip === 'src' ? 'dst' : 'src', original)
  const rewritten: IpPacket = { ...packet, payload: { kind: 'icmp', message: withQuoted(message, inside) } }
  const outside = invertTuple(original)
  return manip === 'src' ? { ...rewritten, src: outside.src } : { ...rewritten, dst: outside.dst }
}

/** Whether this manip applies: answers swap what source and destination translation touch. */
function isTranslated(c: Connection, direction: Direction, manip: Manip): boolean {
  return (manip === 'src') === (direction === 'original') ? isSrcNat(c) : isDstNat(c)
}

const opposite = (direction: Direction): Direction => (direction === 'original' ? 'reply' : 'original')

function withQuoted<M extends { readonly kind: string }>(message: M, quoted: IpPacket): M {
  return { ...message, quoted }
}
