import { type Family, familyOf, type Ip, ipToBigInt } from '../net/ip.ts'
import { lastAddress, type Prefix, prefixFamily } from '../net/prefix.ts'
import { addBit, type Bitset, emptySet, orInto } from './bitset.ts'

/**
 * Cuts each family's addresses at the ends of all blocks that are ever asked about: two addresses of one piece are in the
 * same blocks, and a block is a run of pieces.
 */
export interface AddressIndex {
  /** The piece that an address is in, unique over both families. */
  pieceOf(ip: Ip): string
  /** The members whose address is in the block. */
  inBlock(block: Prefix): Bitset
}

/** `addresses[i]` is the address of member i. */
export function pieceIndex(blocks: readonly Prefix[]): Pick<AddressIndex, 'pieceOf'> {
  const cuts = cutsOf(blocks)
  return { pieceOf: (ip) => `${familyOf(ip)}:${pieceAt(cuts[familyOf(ip)], ipToBigInt(ip))}` }
}

export function addressIndex(blocks: readonly Prefix[], addresses: readonly (Ip | undefined)[]): AddressIndex {
  const cuts = cutsOf(blocks)
  const pieces = { ipv4: new Map<number, Bitset>(), ipv6: new Map<number, Bitset>() }
  for (const [i, ip] of addresses.entries()) {
    if (ip === undefined) continue
    const family = familyOf(ip)
    const piece = pieceAt(cuts[family], ipToBigInt(ip))
    const set = pieces[family].get(piece) ?? emptySet(addresses.length)
    addBit(set, i)
    pieces[family].set(piece, set)
  }
  const inBlock = (block: Prefix): Bitset => {
    const family = prefixFamily(block)
    const [first, last] = [block.address, lastAddress(block)].map((ip) => pieceAt(cuts[family], ipToBigInt(ip)))
    const found = emptySet(addresses.length)
    for (const [piece, set] of pieces[family]) if (piece >= (first ?? 0) && piece <= (last ?? -1)) orInto(found, set)
    return found
  }
  return { ...pieceIndex(blocks), inBlock }
}

function cutsOf(blocks: readonly Prefix[]): Readonly<Record<Family, readonly bigint[]>> {
  const of = (family: Family): readonly bigint[] => {
    const own = blocks.filter((b) => prefixFamily(b) === family)
    const ends = own.flatMap((b) => [ipToBigInt(b.address), ipToBigInt(lastAddress(b)) + 1n])
    return [...new Set(ends)].sort((a, b) => (a < b ? -1 : 1))
  }
  return { ipv4: of('ipv4'), ipv6: of('ipv6') }
}

/** How many cuts are at or below the address. */
function pieceAt(cuts: readonly bigint[], address: bigint): number {
  let [low, high] = [0, cuts.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((cuts[middle] ?? 0n) <= address) low = middle + 1
    else high = middle
  }
  return low
}
