import type { FieldPath } from './field-path.ts'

/** Where JSON text stops being JSON (RFC 8259). */
export interface JsonFault {
  readonly offset: number
  readonly expected: string
}

/** A key that stands twice in one object. `JSON.parse` would keep the last and say nothing. */
export interface JsonDuplicate {
  readonly offset: number
  readonly key: string
}

export interface JsonScan {
  /** End of the value, or the fault. */
  readonly end: number
  readonly fault: JsonFault | undefined
  readonly duplicates: readonly JsonDuplicate[]
}

const maxDepth = 500

/** Walks one JSON value from `start` without building it. */
export function scanJson(text: string, start: number): JsonScan {
  const duplicates: JsonDuplicate[] = []
  try {
    const end = skipValue(text, skipSpace(text, start), 0, (offset, key) => duplicates.push({ offset, key }))
    return { end, fault: undefined, duplicates }
  } catch (e) {
    if (e instanceof Fault) return { end: e.offset, fault: { offset: e.offset, expected: e.expected }, duplicates }
    throw e
  }
}

/** Offset of the field at `path` below the value at `start`, of its nearest parent where it is absent. `text` is valid. */
export function jsonOffsetOf(text: string, start: number, path: FieldPath): number {
  let at = skipSpace(text, start)
  let offset = at
  for (const step of path) {
    const found =
      text[at] === '{' ? member(text, at, String(step)) : text[at] === '[' ? element(text, at, step) : undefined
    if (!found) break
    offset = found.offset
    at = found.value
  }
  return offset
}

/** Offset and end of each entry of the list at `path`. */
export function jsonEntries(text: string, start: number, path: FieldPath): readonly { from: number; to: number }[] {
  let at = jsonValueAt(text, start, path)
  const entries: { from: number; to: number }[] = []
  if (at === undefined || text[at] !== '[') return entries
  at = skipSpace(text, at + 1)
  while (text[at] !== ']') {
    const to = skipValue(text, at, 0, undefined)
    entries.push({ from: at, to })
    at = skipSpace(text, to)
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return entries
}

function jsonValueAt(text: string, start: number, path: FieldPath): number | undefined {
  let at = skipSpace(text, start)
  for (const step of path) {
    const found = text[at] === '{' ? member(text, at, String(step)) : element(text, at, step)
    if (!found) return undefined
    at = found.value
  }
  return at
}

interface Found {
  readonly offset: number
  readonly value: number
}

function member(text: string, start: number, key: string): Found | undefined {
  let at = skipSpace(text, start + 1)
  while (text[at] === '"') {
    const keyEnd = skipString(text, at)
    const value = skipSpace(text, skipSpace(text, keyEnd) + 1)
    if (keyText(text, at, keyEnd) === key) return { offset: at, value }
    at = skipSpace(text, skipValue(text, value, 0, undefined))
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return undefined
}

function element(text: string, start: number, index: string | number): Found | undefined {
  let at = skipSpace(text, start + 1)
  for (let i = 0; at < text.length && text[at] !== ']'; i++) {
    if (i === index) return { offset: at, value: at }
    at = skipSpace(text, skipValue(text, at, 0, undefined))
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return undefined
}

class Fault extends Error {
  readonly offset: number
  readonly expected: string
  constructor(offset: number, expected: string) {
    super(expected)
    this.offset = offset
    this.expected = expected
  }
}

/** Undefined where nobody asks: the text was scanned before. */
type OnDuplicate = (offset: number, key: string) => void

function skipValue(text: string, at: number, depth: number, onDuplicate: OnDuplicate | undefined): number {
  if (depth > maxDepth) throw new Fault(at, `at most ${maxDepth} levels`)
  switch (text.charCodeAt(at)) {
    case 123:
      return skipObject(text, at, depth, onDuplicate)
    case 91:
      return skipArray(text, at, depth, onDuplicate)
    case 34:
      return skipString(text, at)
    default:
      return skipPlain(text, at)
  }
}

function skipObject(text: string, start: number, depth: number, onDuplicate: OnDuplicate | undefined): number {
  const isKnown = onDuplicate && knownKeys(text)
  let at = skipSpace(text, start + 1)
  if (text.charCodeAt(at) === 125) return at + 1
  for (let first = true; ; first = false) {
    if (text.charCodeAt(at) !== 34)
      throw new Fault(at, first ? 'a key in double quotes or "}"' : 'a key in double quotes')
    const keyEnd = skipString(text, at)
    if (isKnown?.(at, keyEnd)) onDuplicate?.(at, keyText(text, at, keyEnd))
    at = skipSpace(text, keyEnd)
    if (text.charCodeAt(at) !== 58) throw new Fault(at, '":"')
    at = skipSpace(text, skipValue(text, skipSpace(text, at + 1), depth + 1, onDuplicate))
    if (text.charCodeAt(at) === 125) return at + 1
    if (text.charCodeAt(at) !== 44) throw new Fault(at, '"," or "}"')
    at = skipSpace(text, at + 1)
  }
}

/** So many keys are told apart by their letters where they stand; of more, and of those with escapes, texts are made. */
const fewKeys = 12

/** Tells of each key of one object, given by its ends, whether it stood there before. */
function knownKeys(text: string): (from: number, to: number) => boolean {
  const ends: number[] = []
  let texts: Set<string> | undefined
  return (from, to) => {
    if (!texts && ends.length < 2 * fewKeys && !hasEscape(text, from, to)) {
      for (let i = 0; i < ends.length; i += 2)
        if (sameLetters(text, ends[i] ?? 0, ends[i + 1] ?? 0, from, to)) return true
      ends.push(from, to)
      return false
    }
    texts ??= new Set(ends.flatMap((end, i) => (i % 2 === 0 ? keyText(text, end, ends[i + 1] ?? end) : [])))
    const key = keyText(text, from, to)
    const known = texts.has(key)
    texts.add(key)
    return known
  }
}

function hasEscape(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (text.charCodeAt(at) === 92) return true
  return false
}

function sameLetters(text: string, from: number, to: number, otherFrom: number, otherTo: number): boolean {
  if (to - from !== otherTo - otherFrom) return false
  for (let i = 1; from + i < to; i++) if (text.charCodeAt(from + i) !== text.charCodeAt(otherFrom + i)) return false
  return true
}

function skipArray(text: string, start: number, depth: number, onDuplicate: OnDuplicate | undefined): number {
  let at = skipSpace(text, start + 1)
  if (text[at] === ']') return at + 1
  for (;;) {
    at = skipSpace(text, skipValue(text, at, depth + 1, onDuplicate))
    if (text[at] === ']') return at + 1
    if (text[at] !== ',') throw new Fault(at, '"," or "]"')
    at = skipSpace(text, at + 1)
  }
}

function skipString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 34) return at + 1
    if (code < 32) throw new Fault(at, 'no line end or control character inside a text')
    if (code === 92) {
      if (!/^\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/.test(text.slice(at, at + 6)))
        throw new Fault(at, 'an escape such as \\n')
      at++
    }
  }
  throw new Fault(text.length, 'a closing double quote')
}

const plainValue = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.])/y

function skipPlain(text: string, at: number): number {
  plainValue.lastIndex = at
  const match = plainValue.exec(text)
  if (!match) throw new Fault(at, 'a value')
  return at + match[0].length
}

function keyText(text: string, from: number, to: number): string {
  const raw = text.slice(from + 1, to - 1)
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw
}

export function skipSpace(text: string, from: number): number {
  let at = from
  for (;;) {
    const code = text.charCodeAt(at)
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return at
    at++
  }
}
