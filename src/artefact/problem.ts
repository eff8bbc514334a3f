/** Something in a text of an artefact that cannot be read, with what would be right. */
export interface TextProblem {
  /** From 1. */
  readonly line: number
  /** What stands there. */
  readonly found: string
  /** What would be right, as a phrase: `a port from 0 to 65535`. */
  readonly expected: string
}

/** `line 3: found "--dprot"; expected an option of tcp`. */
export const textProblemSentence = (p: TextProblem): string =>
  `line ${p.line}: found ${JSON.stringify(p.found)}; expected ${p.expected}`

/** Drops the keys that are undefined, so that an optional field is absent rather than undefined. */
export function present<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T
}
