import fc from 'fast-check'
import { expect, test } from 'vitest'
import { oneOf, probabilityParts, probabilityText } from '../../../src/proxy/iptables/probability.ts'

test.each([
  [2, '0.5000000000', '0.50000000000'],
  [3, '0.3333333333', '0.33333333349'],
  [5, '0.2000000000', '0.20000000019'],
  [6, '0.1666666667', '0.16666666651'],
  [10, '0.1000000000', '0.10000000009'],
])('one of %i is written %s and read back as %s', (n, written, saved) => {
  expect(probabilityText(n)).toBe(written)
  expect((probabilityParts(n) / 2 ** 31).toFixed(11)).toBe(saved)
})

test('a tie is rounded to even, as Go rounds it', () => {
  expect(probabilityText(2048)).toBe('0.0004882812')
})

test('the share can be told from what the kernel keeps', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 40_000 }), (n) => {
      expect(oneOf(probabilityParts(n))).toBe(n)
    }),
    { numRuns: 200 },
  )
})
