const seed = 0xdeadbeef

/**
 * Bob Jenkins' lookup3 over 32-bit words (include/linux/jhash.h, jhash2), as the kernel uses it to choose an address of a
 * NAT range. Unsigned result.
 */
export function jhashWords(words: readonly number[], initial: number): number {
  let a = (seed + (words.length << 2) + initial) | 0
  let b = a
  let c = a
  let at = 0
  const word = (i: number): number => words[i] ?? 0
  for (; words.length - at > 3; at += 3) {
    a = (a + word(at)) | 0
    b = (b + word(at + 1)) | 0
    c = (c + word(at + 2)) | 0
    a = ((a - c) ^ rotate(c, 4)) | 0
    c = (c + b) | 0
    b = ((b - a) ^ rotate(a, 6)) | 0
    a = (a + c) | 0
    c = ((c - b) ^ rotate(b, 8)) | 0
    b = (b + a) | 0
    a = ((a - c) ^ rotate(c, 16)) | 0
    c = (c + b) | 0
    b = ((b - a) ^ rotate(a, 19)) | 0
    a = (a + c) | 0
    c = ((c - b) ^ rotate(b, 4)) | 0
    b = (b + a) | 0
  }
  if (at === words.length) return c >>> 0
  // Words past the end count as zero.
  a = (a + word(at)) | 0
  b = (b + word(at + 1)) | 0
  c = (c + word(at + 2)) | 0
  c = ((c ^ b) - rotate(b, 14)) | 0
  a = ((a ^ c) - rotate(c, 11)) | 0
  b = ((b ^ a) - rotate(a, 25)) | 0
  c = ((c ^ b) - rotate(b, 16)) | 0
  a = ((a ^ c) - rotate(c, 4)) | 0
  b = ((b ^ a) - rotate(a, 14)) | 0
  c = ((c ^ b) - rotate(b, 24)) | 0
  return c >>> 0
}

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by))
