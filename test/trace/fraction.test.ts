import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { complement, formatFraction, fraction, one, plus, times, toNumber, zero } from '../../src/trace/fraction.ts'

describe('exact probabilities', () => {
  test.each([
    { of: fraction(2, 4), text: '1/2' },
    { of: one, text: '1' },
    { of: zero, text: '0' },
    { of: fraction(715827883, 2 ** 31), text: '~1/3' },
    { of: fraction(1, 7919), text: '1/7919' },
  ])('$text is how it is printed', ({ of, text }) => {
    expect(formatFraction(of)).toBe(text)
  })

  const share = fc.tuple(fc.nat(1000), fc.integer({ min: 1, max: 1000 })).map(([n, d]) => fraction(Math.min(n, d), d))

  test('a share and its complement add up to one', () => {
    fc.assert(
      fc.property(share, (s) => {
        expect(plus(s, complement(s))).toEqual(one)
      }),
    )
  })

  test('a product of hundreds of shares stays exact and is still a number', () => {
    const third = fraction(715827883, 2 ** 31)
    const product = Array.from({ length: 400 }, () => third).reduce(times, one)
    expect(product.denominator).toBe(2n ** (31n * 400n))
    expect(plus(product, complement(product))).toEqual(one)
    expect(toNumber(complement(product))).toBe(1)
    expect(toNumber(product)).toBeCloseTo(0, 12)
  })

  test('lowest terms are those of Euclid', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 80n }), fc.bigInt({ min: 1n, max: 2n ** 80n }), (n, d) => {
        const lowest = fraction(n * 12n, d * 8n)
        expect(lowest.numerator * d * 8n).toBe(n * 12n * lowest.denominator)
        expect(fraction(lowest.numerator, lowest.denominator)).toEqual(lowest)
        const primes = [2n, 3n, 5n, 7n]
        expect(primes.filter((p) => lowest.numerator % p === 0n && lowest.denominator % p === 0n)).toEqual([])
      }),
    )
  })

  test('products and sums are those of numbers', () => {
    fc.assert(
      fc.property(share, share, (a, b) => {
        expect(toNumber(times(a, b))).toBeCloseTo(toNumber(a) * toNumber(b), 9)
        expect(toNumber(plus(a, b))).toBeCloseTo(toNumber(a) + toNumber(b), 9)
      }),
    )
  })
})
