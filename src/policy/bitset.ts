/** Sets of small integers, 32 to a word. All sets of one calculation have the same number of words. */
export type Bitset = Uint32Array

export const wordsFor = (size: number): number => (size + 31) >>> 5

export const emptySet = (size: number): Bitset => new Uint32Array(wordsFor(size))

/** 0 to `size` - 1. Bits past the end are zero, here and in every set that is made from such sets. */
export function fullSet(size: number): Bitset {
  const set = emptySet(size).fill(0xffffffff)
  const rest = size & 31
  if (rest > 0) set[set.length - 1] = 0xffffffff >>> (32 - rest)
  return set
}

export const hasBit = (set: Bitset, i: number, offset = 0): boolean =>
  (((set[offset + (i >>> 5)] ?? 0) >>> (i & 31)) & 1) === 1

export function addBit(set: Bitset, i: number, offset = 0): void {
  const at = offset + (i >>> 5)
  set[at] = (set[at] ?? 0) | (1 << (i & 31))
}

/** `target` becomes the union of both. */
export function orInto(target: Bitset, other: Bitset): void {
  for (let w = 0; w < target.length; w++) target[w] = (target[w] ?? 0) | (other[w] ?? 0)
}

/** `target` keeps what the other has too. */
export function andInto(target: Bitset, other: Bitset): void {
  for (let w = 0; w < target.length; w++) target[w] = (target[w] ?? 0) & (other[w] ?? 0)
}

/** `target` gains what both others have. */
export function orIntersection(target: Bitset, a: Bitset, b: Bitset): void {
  for (let w = 0; w < target.length; w++) target[w] = (target[w] ?? 0) | ((a[w] ?? 0) & (b[w] ?? 0))
}

export function intersection(a: Bitset, b: Bitset): Bitset {
  const both = a.slice()
  andInto(both, b)
  return both
}

export function difference(a: Bitset, b: Bitset): Bitset {
  const rest = a.slice()
  for (let w = 0; w < rest.length; w++) rest[w] = (rest[w] ?? 0) & ~(b[w] ?? 0)
  return rest
}

/** The members, in order. */
export function* members(set: Bitset): Generator<number> {
  for (let w = 0; w < set.length; w++) {
    for (let word = set[w] ?? 0; word !== 0; word &= word - 1) yield w * 32 + 31 - Math.clz32(word & -word)
  }
}

export function countMembers(set: Bitset): number {
  let count = 0
  for (let word of set) {
    word -= (word >>> 1) & 0x55555555
    word = (word & 0x33333333) + ((word >>> 2) & 0x33333333)
    count += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
  }
  return count
}

/** The transpose of `height` rows of `width` bits, each row of `wordsFor(width)` words. */
export function transpose(rows: Bitset, height: number, width: number): Bitset {
  const [across, down] = [wordsFor(width), wordsFor(height)]
  const result = new Uint32Array(width * down)
  const block = new Uint32Array(32)
  for (let top = 0; top < down; top++) {
    const tall = Math.min(32, height - top * 32)
    for (let column = 0; column < across; column++) {
      const wide = Math.min(32, width - column * 32)
      block.fill(0)
      for (let r = 0; r < tall; r++) block[r] = rows[(top * 32 + r) * across + column] ?? 0
      transposeBlock(block)
      for (let r = 0; r < wide; r++) result[(column * 32 + r) * down + top] = block[r] ?? 0
    }
  }
  return result
}

/** 32 by 32 bits in place: swaps ever smaller quarters (Hacker's Delight 7-3, least significant bit first). */
function transposeBlock(block: Uint32Array): void {
  let mask = 0x0000ffff
  for (let step = 16; step !== 0; step >>>= 1, mask ^= mask << step) {
    for (let k = 0; k < 32; k = ((k | step) + 1) & ~step) {
      const low = block[k] ?? 0
      const high = block[k | step] ?? 0
      const swap = ((low >>> step) ^ high) & mask
      block[k | step] = high ^ swap
      block[k] = low ^ (swap << step)
    }
  }
}
