import type { Facts } from './facts.ts'

/** What the sieve asks of one rule, as numbers side by side; `sieveWidth` of them. */
export const sieveWidth = 7
export const anyProtocol = -1

/** Below this many rules a walk of the sieve costs less than the index. */
const worthwhile = 24
const none = -1

/**
 * Where the candidates of a long chain stand: rules are kept by the one address, or the one destination port, that each
 * asks for; those that ask for neither stand in a list of their own. Positions are those of the chain, so whoever jumps
 * by the index still knows how many rules lie between.
 */
export interface ChainIndex {
  readonly destinations: Positions
  readonly ports: Positions
  readonly sources: Positions
  /** Positions of all other rules, ascending. */
  readonly others: Int32Array
}

/** A hash table with open addressing: a number leads to the first position, `next` from there to the following ones. */
interface Positions {
  readonly mask: number
  readonly keys: Int32Array
  /** By slot; -1 for an empty one. */
  readonly first: Int32Array
  /** By position in the chain; shared by all fields, for a rule stands in one list only. */
  readonly next: Int32Array
}

type Field = 'destinations' | 'ports' | 'sources' | 'others'

/** Undefined for a chain that is walked as fast without. */
export function chainIndex(sieve: Int32Array): ChainIndex | undefined {
  const length = sieve.length / sieveWidth
  if (length < worthwhile) return undefined
  const counts = { destinations: 0, ports: 0, sources: 0, others: 0 }
  for (let i = 0; i < length; i++) counts[fieldOf(sieve, i * sieveWidth)]++
  const next = new Int32Array(length).fill(none)
  const others = new Int32Array(counts.others)
  const index: ChainIndex = {
    destinations: positions(counts.destinations, next),
    ports: positions(counts.ports, next),
    sources: positions(counts.sources, next),
    others,
  }
  let left = others.length
  // From the end, so that each list begins with its lowest position.
  for (let i = length - 1; i >= 0; i--) {
    const field = fieldOf(sieve, i * sieveWidth)
    if (field === 'others') others[--left] = i
    else put(index[field], keyAt(sieve, i * sieveWidth, field), i)
  }
  return index
}

function fieldOf(sieve: Int32Array, at: number): Field {
  if (sieve[at + 2] === -1) return 'destinations'
  if (sieve[at + 5] === sieve[at + 6]) return 'ports'
  return sieve[at] === -1 ? 'sources' : 'others'
}

const keyOffset = { destinations: 3, ports: 5, sources: 1 } as const
const keyAt = (sieve: Int32Array, at: number, field: keyof typeof keyOffset): number =>
  sieve[at + keyOffset[field]] as number

function positions(count: number, next: Int32Array): Positions {
  const size = 2 ** Math.ceil(Math.log2(2 * count + 2))
  return { mask: size - 1, keys: new Int32Array(size), first: new Int32Array(size).fill(none), next }
}

function put({ mask, keys, first, next }: Positions, key: number, position: number): void {
  let slot = hash(key) & mask
  while (first[slot] !== none && keys[slot] !== key) slot = (slot + 1) & mask
  next[position] = first[slot] as number
  keys[slot] = key
  first[slot] = position
}

/** Finalizer of MurmurHash3: addresses of one network differ in few bits. */
function hash(key: number): number {
  let h = Math.imul(key ^ (key >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** The first rule from `from` on that the sieve lets pass; the number of rules where there is none. */
export function nextIndexed(index: ChainIndex, sieve: Int32Array, from: number, f: Facts): number {
  let best = sieve.length / sieveWidth
  best = nextListed(index.destinations, 'destinations', f.destinationWord, sieve, from, best, f)
  best = nextListed(index.ports, 'ports', f.dstPort, sieve, from, best, f)
  best = nextListed(index.sources, 'sources', f.sourceWord, sieve, from, best, f)
  const { others } = index
  for (let i = firstFrom(others, from); i < others.length; i++) {
    const at = others[i] as number
    if (at >= best) break
    if (passesSieve(sieve, at, f)) return at
  }
  return best
}

function nextListed(
  p: Positions,
  field: keyof typeof keyOffset,
  key: number,
  sieve: Int32Array,
  from: number,
  best: number,
  f: Facts,
): number {
  const { next } = p
  let at = resumes(sieve, from, field, key) ? (next[from - 1] as number) : firstOf(p, key)
  for (; at !== none && at < best; at = next[at] as number) {
    if (at >= from && passesSieve(sieve, at, f)) return at
  }
  return best
}

/** Whether the rule just left stands in the same list: IPv6 addresses may have the same last word, thousands of them. */
const resumes = (sieve: Int32Array, from: number, field: keyof typeof keyOffset, key: number): boolean =>
  from > 0 && fieldOf(sieve, (from - 1) * sieveWidth) === field && keyAt(sieve, (from - 1) * sieveWidth, field) === key

function firstOf({ mask, keys, first }: Positions, key: number): number {
  let slot = hash(key) & mask
  while (first[slot] !== none && keys[slot] !== key) slot = (slot + 1) & mask
  return first[slot] as number
}

/** Index of the first element that is not below `from`. */
function firstFrom(ascending: Int32Array, from: number): number {
  let [low, high] = [0, ascending.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] as number) < from) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether the packet may match the rule at this position. */
export function passesSieve(sieve: Int32Array, position: number, f: Facts): boolean {
  const at = position * sieveWidth
  if ((f.destinationWord & (sieve[at + 2] as number)) !== sieve[at + 3]) return false
  if ((f.sourceWord & (sieve[at] as number)) !== sieve[at + 1]) return false
  const asked = sieve[at + 4]
  if (asked !== f.protocol && asked !== anyProtocol) return false
  return f.dstPort >= (sieve[at + 5] as number) && f.dstPort <= (sieve[at + 6] as number)
}

/** The same by walking the sieve. */
export function nextByWalk(sieve: Int32Array, from: number, f: Facts): number {
  const length = sieve.length / sieveWidth
  for (let at = from; at < length; at++) if (passesSieve(sieve, at, f)) return at
  return length
}
