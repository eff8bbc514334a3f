/** Where an object was read, and where its fields stand. */
export interface Source {
  readonly file: string
  /** 1-based line of the object's first key. */
  readonly line: number
  /** 1-based line of a field; of its nearest parent where the field itself is absent. */
  lineOf(path: readonly (string | number)[]): number
}
