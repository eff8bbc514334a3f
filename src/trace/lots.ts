import type { Chance, ChoicePoint } from '../linux/chance.ts'
import { complement, type Fraction, fraction, one, times } from './fraction.ts'

/** One lot as it fell. `option` counts from 0; for a yes-or-no lot 0 is yes. */
export interface Lot {
  readonly of: ChoicePoint
  readonly option: number
  readonly options: number
  readonly probability: Fraction
}

/** Draws lots by a fixed script as far as it reaches, then takes each first option; remembers how every lot fell. */
export interface ScriptedChance extends Chance {
  readonly lots: readonly Lot[]
}

const scale = 2 ** 31

export function scriptedChance(script: readonly number[], noise: (n: number) => number): ScriptedChance {
  const lots: Lot[] = []
  const take = (of: ChoicePoint, shares: readonly Fraction[]): number => {
    // A lot that can fall one way only is none.
    const possible = shares.flatMap((s, i) => (s.numerator > 0n ? [i] : []))
    const [only] = possible
    if (possible.length === 1 && only !== undefined) return only
    const option = script[lots.length] ?? only ?? 0
    lots.push({ of, option, options: shares.length, probability: shares[option] ?? one })
    return option
  }
  return {
    lots,
    probably(numerator, of) {
      const yes = fraction(numerator, scale)
      return take(of, [yes, complement(yes)]) === 0
    },
    pick: (n, of) =>
      take(
        of,
        Array.from({ length: n }, () => fraction(1, n)),
      ),
    noise,
  }
}

/** Draws by a seed. Remembers how every lot fell, so that the drawn branch can be named and replayed. */
export function seededChance(random: () => number): ScriptedChance {
  const lots: Lot[] = []
  return {
    lots,
    probably(numerator, of) {
      const yes = fraction(numerator, scale)
      if (numerator >= scale) return true
      if (numerator <= 0) return false
      const option = random() * scale < numerator ? 0 : 1
      lots.push({ of, option, options: 2, probability: option === 0 ? yes : complement(yes) })
      return option === 0
    },
    pick(n, of) {
      if (n <= 1) return 0
      const option = Math.min(n - 1, Math.floor(random() * n))
      lots.push({ of, option, options: n, probability: fraction(1, n) })
      return option
    },
    noise: (n) => Math.min(n - 1, Math.floor(random() * n)),
  }
}

export const probabilityOf = (lots: readonly Lot[]): Fraction => lots.reduce((p, lot) => times(p, lot.probability), one)

/** The script of the next branch in depth-first order; undefined after the last. */
export function nextScript(lots: readonly Lot[]): readonly number[] | undefined {
  const last = lots.findLastIndex((lot) => lot.option + 1 < lot.options)
  const lot = lots[last]
  if (!lot) return undefined
  return [...lots.slice(0, last).map((l) => l.option), lot.option + 1]
}

/** splitmix32: small, quick, and good enough to spread choices. Values from 0 up to 1. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state ^ (state >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z ^= z >>> 15
    z = Math.imul(z, 0x735a2d97)
    return ((z ^ (z >>> 15)) >>> 0) / 4294967296
  }
}
