import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  addBit,
  andInto,
  countMembers,
  difference,
  emptySet,
  fullSet,
  hasBit,
  intersection,
  members,
  orIntersection,
  orInto,
  transpose,
  wordsFor,
} from '../../src/policy/bitset.ts'

const size = 100
const anySet = () => fc.uniqueArray(fc.nat(size - 1))

function setOf(numbers: readonly number[]): Uint32Array {
  const set = emptySet(size)
  for (const n of numbers) addBit(set, n)
  return set
}

const sorted = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b)

test('sets of bits behave as sets of numbers', () => {
  fc.assert(
    fc.property(anySet(), anySet(), anySet(), (a, b, c) => {
      expect([...members(setOf(a))]).toEqual(sorted(a))
      expect(countMembers(setOf(a))).toBe(a.length)
      expect([...members(intersection(setOf(a), setOf(b)))]).toEqual(sorted(a.filter((n) => b.includes(n))))
      expect([...members(difference(setOf(a), setOf(b)))]).toEqual(sorted(a.filter((n) => !b.includes(n))))
      const [union, both, gained] = [setOf(a), setOf(a), setOf(a)]
      orInto(union, setOf(b))
      andInto(both, setOf(b))
      orIntersection(gained, setOf(b), setOf(c))
      expect([...members(union)]).toEqual(sorted(new Set([...a, ...b])))
      expect(both).toEqual(intersection(setOf(a), setOf(b)))
      expect([...members(gained)]).toEqual(sorted(new Set([...a, ...b.filter((n) => c.includes(n))])))
    }),
  )
})

test.each([0, 1, 31, 32, 33, 64, 100])('the full set of %i has exactly so many members', (n) => {
  expect([...members(fullSet(n))]).toEqual(Array.from({ length: n }, (_, i) => i))
})

test('the transpose has bit (i, j) where the matrix has (j, i)', () => {
  const shape = fc.record({ height: fc.integer({ min: 1, max: 80 }), width: fc.integer({ min: 1, max: 80 }) })
  fc.assert(
    fc.property(shape, fc.array(fc.tuple(fc.nat(79), fc.nat(79))), ({ height, width }, cells) => {
      const matrix = new Uint32Array(height * wordsFor(width))
      for (const [r, c] of cells) if (r < height && c < width) addBit(matrix, c, r * wordsFor(width))
      const turned = transpose(matrix, height, width)
      expect(turned.length).toBe(width * wordsFor(height))
      for (let r = 0; r < height; r++) {
        for (let c = 0; c < width; c++) {
          expect(hasBit(turned, r, c * wordsFor(height))).toBe(hasBit(matrix, c, r * wordsFor(width)))
        }
      }
    }),
  )
})
