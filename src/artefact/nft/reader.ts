import type { TextProblem } from '../problem.ts'
import type { NftFamily, NftSet } from './ruleset.ts'
import { type NftToken, nftTokens } from './tokens.ts'

/** Ends the reading of one statement; `problem` is told, `other` keeps the rest of the rule as it stands. */
export class Unreadable extends Error {
  readonly problem: TextProblem | undefined

  constructor(problem: TextProblem | undefined) {
    super(problem?.expected ?? 'not known')
    this.problem = problem
  }
}

/** The tokens of an nft text, taken one by one, and what they are read against. */
export class NftReader {
  readonly text: string
  readonly #tokens: readonly NftToken[]
  #at = 0
  /** Of the table in hand. */
  family: NftFamily = 'ip'
  /** A set of the table in hand. */
  setOf: (name: string) => NftSet | undefined = () => undefined

  constructor(text: string) {
    this.text = text
    this.#tokens = nftTokens(text)
  }

  get peek(): NftToken {
    return this.#tokens[this.#at] ?? (this.#tokens.at(-1) as NftToken)
  }

  /** The token after the next ones. */
  ahead(n: number): NftToken {
    return this.#tokens[this.#at + n] ?? (this.#tokens.at(-1) as NftToken)
  }

  next(): NftToken {
    const token = this.peek
    if (token.kind !== 'end') this.#at++
    return token
  }

  /** Takes the token if it is this one. */
  accept(text: string): boolean {
    if (this.peek.text !== text || this.peek.kind === 'string') return false
    this.next()
    return true
  }

  expect(text: string): void {
    if (!this.accept(text)) this.fail(`"${text}"`)
  }

  /** A word, or a string in quotes. */
  word(expected: string): string {
    const { kind, text } = this.peek
    if (kind !== 'word' && kind !== 'string') this.fail(expected)
    this.next()
    return text
  }

  take<T>(parse: (text: string) => T | undefined, expected: string): T {
    const value = this.peek.kind === 'word' || this.peek.kind === 'string' ? parse(this.peek.text) : undefined
    if (value === undefined) this.fail(expected)
    this.next()
    return value
  }

  fail(expected: string): never {
    const { line, text, kind } = this.peek
    throw new Unreadable({ line, found: kind === 'newline' ? 'the end of the line' : text, expected })
  }

  get endsStatement(): boolean {
    const { kind, text } = this.peek
    return kind === 'newline' || kind === 'end' || (kind === 'mark' && (text === ';' || text === '}'))
  }

  /** Newlines and `;` between statements. */
  skipBlank(): void {
    while (this.peek.kind === 'newline' || (this.peek.kind === 'mark' && this.peek.text === ';')) this.next()
  }

  skipNewlines(): void {
    while (this.peek.kind === 'newline') this.next()
  }

  /** Goes on behind the statement in hand, whatever is wrong with it, and gives back its text. */
  skipStatement(): string {
    const { start } = this.peek
    let end = start
    for (let depth = 0; this.peek.kind !== 'end'; ) {
      if (depth === 0 && this.endsStatement) break
      const { text, kind, end: at } = this.next()
      if (kind === 'mark' && text === '{') depth++
      if (kind === 'mark' && text === '}') depth--
      end = at
    }
    return this.text.slice(start, end)
  }
}
