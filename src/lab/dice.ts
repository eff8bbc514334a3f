import { seededRandom } from '../trace/lots.ts'

/** Choices by a seed. */
export interface Dice {
  /** One of them; the list is not empty. */
  pick<T>(list: readonly T[]): T
  /** True with this probability. */
  chance(probability: number): boolean
  /** From `from` to `to`, both included. */
  between(from: number, to: number): number
}

export function dice(seed: number): Dice {
  const random = seededRandom(seed)
  const between = (from: number, to: number): number =>
    from + Math.min(to - from, Math.floor(random() * (to - from + 1)))
  return {
    pick: (list) => list[between(0, list.length - 1)] as (typeof list)[number],
    chance: (probability) => random() < probability,
    between,
  }
}
