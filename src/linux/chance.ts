/**
 * Where the kernel draws lots. The caller decides how: seeded, pinned, or each branch in turn. `of` says what is being
 * decided, so that a choice can be explained and replayed.
 */
export interface Chance {
  /** `-m statistic --mode random`: true with probability `numerator / 2^31`. */
  probably(numerator: number, of: ChoicePoint): boolean
  /** A uniform integer from 0 to `n - 1`: `numgen random`, a hash over endpoints. */
  pick(n: number, of: ChoicePoint): number
  /**
   * A number that matters to no verdict (a masquerade port, an IP id): uniform from 0 to `n - 1`, never branched over.
   */
  noise(n: number): number
}

export interface ChoicePoint {
  readonly what: string
  readonly table?: string
  readonly chain?: string
  /** 1-based number of the rule in its chain. */
  readonly index?: number
}

/** Virtual time in milliseconds since the trace began. */
export interface Clock {
  now(): number
}
