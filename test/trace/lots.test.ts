import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { one, plus, zero } from '../../src/trace/fraction.ts'
import {
  nextScript,
  probabilityOf,
  type ScriptedChance,
  scriptedChance,
  seededChance,
  seededRandom,
} from '../../src/trace/lots.ts'

const of = { what: 'endpoint' }

/** Runs `draw` once for every way in which its lots can fall. */
function everyBranch<T>(
  draw: (chance: ScriptedChance) => T,
): { readonly result: T; readonly lots: ScriptedChance['lots'] }[] {
  const branches: { result: T; lots: ScriptedChance['lots'] }[] = []
  for (let script: readonly number[] | undefined = []; script; ) {
    const chance = scriptedChance(script, () => 0)
    branches.push({ result: draw(chance), lots: chance.lots })
    script = nextScript(chance.lots)
  }
  return branches
}

describe('lots', () => {
  /** kube-proxy's ladder: rule i of n is taken with probability 1/(n-i), the last always. */
  const ladder =
    (n: number) =>
    (chance: ScriptedChance): number => {
      for (let i = 0; i < n - 1; i++) if (chance.probably(Math.round(2 ** 31 / (n - i)), of)) return i
      return n - 1
    }

  test('every endpoint of a ladder is one branch, in the order of the rules', () => {
    expect(everyBranch(ladder(5)).map((b) => b.result)).toEqual([0, 1, 2, 3, 4])
  })

  test('the probabilities of all branches add up to exactly one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), (n) => {
        const total = everyBranch(ladder(n)).reduce((sum, b) => plus(sum, probabilityOf(b.lots)), zero)
        expect(total).toEqual(one)
      }),
    )
  })

  test('a uniform choice has as many branches as options', () => {
    expect(everyBranch((chance) => chance.pick(3, of)).map((b) => b.result)).toEqual([0, 1, 2])
  })

  test('a lot that can fall one way only is no branch', () => {
    expect(everyBranch((chance) => chance.probably(2 ** 31, of))).toHaveLength(1)
    expect(everyBranch((chance) => chance.probably(0, of))).toMatchObject([{ result: false }])
  })

  test('the same seed draws the same lots', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = (): number[] => {
          const chance = seededChance(seededRandom(seed))
          return Array.from({ length: 20 }, () => chance.pick(7, of))
        }
        expect(draw()).toEqual(draw())
      }),
    )
  })

  test('seeded lots fall as often as they should', () => {
    const chance = seededChance(seededRandom(7))
    const hits = Array.from({ length: 10_000 }, () => chance.probably(2 ** 29, of)).filter(Boolean).length
    expect(hits).toBeGreaterThan(2300)
    expect(hits).toBeLessThan(2700)
  })
})
