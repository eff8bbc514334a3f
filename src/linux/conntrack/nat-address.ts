import type { IpRange } from '../../artefact/iptables/rule.ts'
import { familyOf, type Ip, ipAt, ipToBigInt, widthOf } from '../../net/ip.ts'
import type { Tuple } from './connection.ts'
import { jhashWords } from './jhash.ts'
import type { Manip } from './rewrite.ts'

/**
 * find_best_ips_proto (net/netfilter/nf_nat_core.c): one address of the range, the same each time for the same source
 * and, unless `persistent`, destination. Bytes are taken as a little-endian machine loads them.
 */
export function addressInRange(range: IpRange, tuple: Tuple, manip: Manip, persistent: boolean): Ip {
  if (range.from === range.to) return range.from
  const [from, to, destination] = [wordsOf(range.from), wordsOf(range.to), wordsOf(tuple.dst)]
  const lastOfDestination = destination.at(-1) ?? 0
  let hash = jhashWords(padded(wordsOf(tuple.src)).map(swapBytes), persistent ? 0 : swapBytes(lastOfDestination))
  let below = false
  const chosen = to.map((max, i) => {
    const min = below ? 0 : (from[i] ?? 0)
    const span = below ? 0xffffffff : (max - min + 1) >>> 0
    const word = (min + scale(hash, span)) >>> 0
    if (word !== max) below = true
    // A destination is written in place: what is mixed in next is already the new word.
    if (!persistent) hash = (hash ^ swapBytes(manip === 'dst' ? word : (destination[i] ?? 0))) >>> 0
    return word
  })
  return ipAt(
    chosen.reduce((value, word) => (value << 32n) | BigInt(word), 0n),
    familyOf(range.from),
  )
}

export function isInAddressRange(range: IpRange, tuple: Tuple, manip: Manip): boolean {
  const value = ipToBigInt(manip === 'src' ? tuple.src : tuple.dst)
  return ipToBigInt(range.from) <= value && value <= ipToBigInt(range.to)
}

/** One word for IPv4, four for IPv6, the first the most significant. */
function wordsOf(ip: Ip): readonly number[] {
  const value = ipToBigInt(ip)
  const count = widthOf(familyOf(ip)) / 32
  return Array.from({ length: count }, (_, i) => Number((value >> BigInt(32 * (count - 1 - i))) & 0xffffffffn))
}

/** The kernel hashes the whole union of both families: an IPv4 address is followed by zeros. */
const padded = (words: readonly number[]): readonly number[] => [...words, 0, 0, 0].slice(0, 4)

const swapBytes = (w: number): number => ((w << 24) | ((w & 0xff00) << 8) | ((w >>> 8) & 0xff00) | (w >>> 24)) >>> 0

/** reciprocal_scale: maps a 32-bit hash evenly to 0 … span - 1. */
const scale = (hash: number, span: number): number => Number((BigInt(hash) * BigInt(span)) >> 32n)
