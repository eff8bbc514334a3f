import type { Family } from '../net/ip.ts'
import type { TextProblem } from './problem.ts'

/** What a parser of a listing gives: what could be read, and what could not. */
export interface Parsed<T> {
  readonly entries: readonly T[]
  readonly problems: readonly TextProblem[]
}

/** One line that says something: blanks and `#` comments are left out. */
export interface TextLine {
  readonly number: number
  /** Without the command in front. */
  readonly words: readonly string[]
  readonly text: string
  /** Whether the line was a command (`ip route add ...`) rather than a line of a listing. */
  readonly command: boolean
  /** Of `ip -4`, `ip -6`. */
  readonly family: Family | undefined
  /** Indented lines belong to the one before. */
  readonly indented: boolean
}

const commandPattern =
  /^(?:sudo\s+)?(?:(?:ip|bridge)\s+)?((?:-\S+\s+)*)(?:addr(?:ess)?|route|rule|neigh(?:bour|bor)?|fdb|link|a|r|n)\s+(?:add|append|replace|change|prepend)\s+/

/** Splits a text into its lines; takes `ip [-6] route add`, `route add`, `bridge fdb append` and the like off the front. */
export function textLines(text: string): readonly TextLine[] {
  return text.split('\n').flatMap((raw, index): TextLine[] => {
    const trimmed = raw.trim()
    if (trimmed === '' || trimmed.startsWith('#')) return []
    const command = commandPattern.exec(trimmed)
    const options = command?.[1] ?? ''
    return [
      {
        number: index + 1,
        text: trimmed,
        words: trimmed.slice(command?.[0].length ?? 0).split(/\s+/),
        command: command !== null,
        family: options.includes('-6') ? 'ipv6' : options.includes('-4') ? 'ipv4' : undefined,
        indented: /^\s/.test(raw),
      },
    ]
  })
}

/** The words of a line, taken one by one, with the first thing that is wrong kept. */
export class WordReader {
  readonly line: TextLine
  problem: TextProblem | undefined
  readonly #words: readonly string[]
  #at = 0

  constructor(line: TextLine, words: readonly string[] = line.words) {
    this.line = line
    this.#words = words
  }

  get more(): boolean {
    return this.problem === undefined && this.#at < this.#words.length
  }

  peek(): string | undefined {
    return this.#words[this.#at]
  }

  next(): string {
    return this.#words[this.#at++] ?? ''
  }

  /** The next word, parsed; a problem if it does not parse. */
  take<T>(parse: (text: string) => T | undefined, expected: string): T | undefined {
    const word = this.next()
    const value = word === '' ? undefined : parse(word)
    return value === undefined ? this.bad(word || 'the end of the line', expected) : value
  }

  /** The next word if it parses; else it is left. */
  maybe<T>(parse: (text: string) => T | undefined): T | undefined {
    const value = parse(this.peek() ?? '')
    if (value !== undefined) this.#at++
    return value
  }

  bad(found: string, expected: string): undefined {
    this.problem ??= { line: this.line.number, found, expected }
    return undefined
  }
}

/** Reads each line by one function: a value, a problem in the reader, or nothing. */
export function parseLines<T>(text: string, read: (words: WordReader) => T | undefined): Parsed<T> {
  const entries: T[] = []
  const problems: TextProblem[] = []
  for (const line of textLines(text)) {
    const reader = new WordReader(line)
    const value = read(reader)
    if (reader.problem) problems.push(reader.problem)
    else if (value !== undefined) entries.push(value)
  }
  return { entries, problems }
}

export const parseWholeNumber = (text: string): number | undefined =>
  /^(0x[0-9a-f]+|\d+)$/i.test(text) && Number(text) <= 0xffffffff ? Number(text) : undefined
