/** An exact probability. Always in lowest terms, with a positive denominator. */
export interface Fraction {
  readonly numerator: bigint
  readonly denominator: bigint
}

export const one: Fraction = { numerator: 1n, denominator: 1n }
export const zero: Fraction = { numerator: 0n, denominator: 1n }

export function fraction(numerator: bigint | number, denominator: bigint | number): Fraction {
  const [n, d] = [BigInt(numerator), BigInt(denominator)]
  const divisor = gcd(n < 0n ? -n : n, d)
  return { numerator: n / divisor, denominator: d / divisor }
}

export const times = (a: Fraction, b: Fraction): Fraction =>
  fraction(a.numerator * b.numerator, a.denominator * b.denominator)
export const plus = (a: Fraction, b: Fraction): Fraction =>
  fraction(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator)
export const complement = (a: Fraction): Fraction => fraction(a.denominator - a.numerator, a.denominator)

/** A product of many shares is longer than a number holds: only the leading bits of both parts count. */
export function toNumber({ numerator, denominator }: Fraction): number {
  const excess = BigInt(Math.max(0, denominator.toString(16).length * 4 - 1000))
  return Number(numerator >> excess) / Number(denominator >> excess)
}

/**
 * `1/3`. A share of 2^31 that a rule's decimal text stands for is named by the fraction that it rounds (xt_statistic
 * keeps 0.3333333333 as 715827883/2147483648), with `~` before it; anything else is printed as it is.
 */
export function formatFraction(a: Fraction): string {
  if (a.denominator <= 10_000n) return a.denominator === 1n ? `${a.numerator}` : `${a.numerator}/${a.denominator}`
  const near = nearby(a)
  return near ? `~${near.numerator}/${near.denominator}` : toNumber(a).toFixed(6)
}

function nearby(a: Fraction): Fraction | undefined {
  const value = toNumber(a)
  for (let d = 1; d <= 1000; d++) {
    const n = Math.round(value * d)
    if (n > 0 && Math.abs(n / d - value) < 1e-8) return fraction(n, d)
  }
  return undefined
}

const lowestBit = (a: bigint): bigint => a & -a

/** The kernel's shares have powers of two as denominators: for them the lowest set bits say it all, however long the product. */
function gcd(a: bigint, b: bigint): bigint {
  if (a === 0n || b === 0n) return a + b || 1n
  if (b === lowestBit(b)) return lowestBit(a | b)
  let [greater, lesser] = [a, b]
  while (lesser !== 0n) [greater, lesser] = [lesser, greater % lesser]
  return greater
}
