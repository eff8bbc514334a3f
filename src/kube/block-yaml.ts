/**
 * Reads the plain block style in which kubectl prints and most manifests are written, some twenty times faster than a whole
 * YAML parser. Whatever it is not sure of it leaves to that parser, by answering `undefined`: flow collections with content,
 * anchors, tags, folded and multi-line scalars, escapes, quoted keys, errors of any kind. A property test holds both equal.
 */
export interface BlockDocument {
  readonly value: unknown
  /** Offset of the first key or dash. */
  readonly offset: number
  /** The entries of a list under the top-level key `items`. */
  readonly items: readonly { readonly from: number; readonly to: number }[] | undefined
  /** Whether a null is among the values. */
  readonly hasNull: boolean
}

/**
 * The document between two offsets of `text`, its `---` line included or not, with `\n` line ends. Not a slice of it: V8
 * reads characters of a whole string faster.
 */
export function readBlockYaml(text: string, from = 0, to = text.length): BlockDocument | undefined {
  try {
    return new BlockReader(text, from, to).document()
  } catch (e) {
    if (e === notPlain) return undefined
    throw e
  }
}

const notPlain = Symbol('not plain block style')

const SPACE = 32
const NEWLINE = 10
const HASH = 35
const DASH = 45
const COLON = 58
const maxDepth = 100

/** Letters of keys that need no quotes: words, digits, `_ . / -`. */
const isKeyCode = new Uint8Array(128)
for (const c of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-') isKeyCode[c.charCodeAt(0)] = 1

/** First letters of plain scalars. */
const startsPlain = new Uint8Array(128)
for (const c of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./~(+<=$^\\;-') {
  startsPlain[c.charCodeAt(0)] = 1
}

const words = new Map<string, boolean | null>([['~', null]])
for (const word of ['null', 'Null', 'NULL']) words.set(word, null)
for (const word of ['true', 'True', 'TRUE', 'yes', 'Yes', 'YES', 'on', 'On', 'ON']) words.set(word, true)
for (const word of ['false', 'False', 'FALSE', 'no', 'No', 'NO', 'off', 'Off', 'OFF']) words.set(word, false)

class BlockReader {
  readonly #text: string
  readonly #end: number
  /** Where the content of the line at hand begins, and its column; column -1 after the last line. */
  #at = 0
  #column = 0
  #depth = 0
  #items: { from: number; to: number }[] | undefined
  #hasNull = false

  constructor(text: string, from: number, to: number) {
    this.#text = text
    this.#end = to
    this.#at = from
  }

  document(): BlockDocument {
    this.#line(this.#at)
    if (this.#column === 0 && this.#text.startsWith('---', this.#at)) this.#marker()
    const offset = this.#at
    const value = this.#column < 0 ? null : this.#node()
    if (this.#column >= 0) throw notPlain
    return { value, offset, items: this.#items, hasNull: this.#hasNull }
  }

  #marker(): void {
    const end = this.#lineEnd(this.#at)
    if (!/^---[ ]*(#.*)?$/.test(this.#text.slice(this.#at, end))) throw notPlain
    this.#line(end + 1)
  }

  /** Goes to the first line from `start` on that has content. */
  #line(start: number): void {
    const text = this.#text
    let at = start
    while (at < this.#end) {
      const lineStart = at
      let code = text.charCodeAt(at)
      while (code === SPACE) code = text.charCodeAt(++at)
      if (code !== NEWLINE && code !== HASH && at < this.#end) {
        this.#at = at
        this.#column = at - lineStart
        return
      }
      at = this.#lineEnd(at) + 1
    }
    this.#at = this.#end
    this.#column = -1
  }

  /** Offset of the line end, or of the end of the document. */
  #lineEnd(from: number): number {
    const end = this.#text.indexOf('\n', from)
    return end < 0 || end > this.#end ? this.#end : end
  }

  /** The character at an offset; past the document, a line end. */
  #code(at: number): number {
    return at < this.#end ? this.#text.charCodeAt(at) : NEWLINE
  }

  #node(): unknown {
    if (++this.#depth > maxDepth) throw notPlain
    const value = this.#isDash() ? this.#sequence(false) : this.#mapping()
    this.#depth--
    return value
  }

  #isDash(): boolean {
    if (this.#code(this.#at) !== DASH) return false
    const next = this.#code(this.#at + 1)
    return next === SPACE || next === NEWLINE
  }

  #mapping(): Record<string, unknown> {
    const column = this.#column
    const top = this.#depth === 1
    const map: Record<string, unknown> = {}
    while (this.#column === column && !this.#isDash()) {
      const end = this.#keyEnd()
      if (end < 0) throw notPlain
      const key = this.#text.slice(this.#at, end)
      if (key in map) throw notPlain // given twice, or `__proto__` and its like
      map[key] = this.#value(end + 1, column, top && key === 'items')
      if (this.#column > column) throw notPlain
    }
    return map
  }

  /** Offset of the colon after a plain key; -1 where there is none. */
  #keyEnd(): number {
    const text = this.#text
    let at = this.#at
    if (text.charCodeAt(at) === DASH) return -1
    while (isKeyCode[text.charCodeAt(at)] === 1) at++
    if (at === this.#at || text.charCodeAt(at) !== COLON) return -1
    const next = this.#code(at + 1)
    return next === SPACE || next === NEWLINE ? at : -1
  }

  /** What follows a key's colon: on its line, or below it, deeper; a list may stand at the key's own column. */
  #value(from: number, column: number, isItems: boolean): unknown {
    const at = this.#skipSpaces(from)
    if (!this.#isBlank(at)) return this.#scalar(at, column)
    this.#line(this.#lineEnd(at) + 1)
    if (this.#column === column && this.#isDash()) return this.#deeper(isItems)
    if (this.#column > column) return this.#isDash() ? this.#deeper(isItems) : this.#node()
    this.#hasNull = true
    return null
  }

  #deeper(isItems: boolean): readonly unknown[] {
    if (++this.#depth > maxDepth) throw notPlain
    const list = this.#sequence(isItems)
    this.#depth--
    return list
  }

  #sequence(isItems: boolean): readonly unknown[] {
    const column = this.#column
    const list: unknown[] = []
    const ranges: { from: number; to: number }[] = []
    while (this.#column === column && this.#isDash()) {
      const at = this.#skipSpaces(this.#at + 1)
      list.push(this.#entry(at, column))
      if (isItems) ranges.push({ from: at, to: this.#column < 0 ? this.#at : this.#at - this.#column })
      if (this.#column > column) throw notPlain
    }
    if (isItems) this.#items = ranges
    return list
  }

  #entry(at: number, column: number): unknown {
    if (this.#isBlank(at)) {
      this.#line(this.#lineEnd(at) + 1)
      if (this.#column > column) throw notPlain // rare; its offset would have to be found
      this.#hasNull = true
      return null
    }
    this.#column += at - this.#at
    this.#at = at
    return this.#isDash() || this.#keyEnd() >= 0 ? this.#node() : this.#scalar(at, column)
  }

  #skipSpaces(from: number): number {
    let at = from
    while (this.#code(at) === SPACE) at++
    return at
  }

  /** Whether nothing but a comment follows on this line. */
  #isBlank(at: number): boolean {
    const code = this.#code(at)
    return code === NEWLINE || (code === HASH && this.#text.charCodeAt(at - 1) === SPACE)
  }

  #scalar(at: number, column: number): unknown {
    const end = this.#lineEnd(at)
    const first = this.#text.charCodeAt(at)
    if (first === 124) return this.#literal(at, end, column)
    this.#line(end + 1)
    if (startsPlain[first] === 1 || first >= 128) return this.#plain(at, end)
    const raw = this.#text.slice(at, end)
    switch (first) {
      case 34: // "
        return quoted(raw, /^"([^"\\\t]*)" *(?: #.*)?$/)
      case 39: // '
        return quoted(raw, /^'((?:[^'\t]|'')*)' *(?: #.*)?$/).replaceAll("''", "'")
      case 123: // {
        if (/^\{ *\} *(?: #.*)?$/.test(raw)) return {}
        break
      case 91: // [
        if (/^\[ *\] *(?: #.*)?$/.test(raw)) return []
        break
    }
    throw notPlain
  }

  #plain(at: number, end: number): unknown {
    const text = this.#text
    let stop = at
    let previous = 0
    for (let i = at; i < end; i++) {
      const code = text.charCodeAt(i)
      if (code > 126 || code === 9) this.#mustBePlain(code)
      if (code === HASH && previous === SPACE) break
      if (code === SPACE && previous === COLON) throw notPlain
      if (code !== SPACE) stop = i + 1
      previous = code
    }
    if (text.charCodeAt(stop - 1) === COLON) throw notPlain
    if (text.charCodeAt(at) === DASH && (stop === at + 1 || text.charCodeAt(at + 1) === SPACE)) throw notPlain
    const value = plainScalar(text.slice(at, stop))
    if (value === null) this.#hasNull = true
    return value
  }

  /** Spaces and line ends beyond ASCII, on which parsers differ, and tabs. */
  #mustBePlain(code: number): void {
    if (code === 9 || code === 0x7f || (code >= 0x80 && code <= 0xa0) || /[\s\ufeff]/.test(String.fromCharCode(code))) {
      throw notPlain
    }
  }

  /** `|`, `|-` and `|+`: lines kept as they are. */
  #literal(at: number, end: number, column: number): string {
    const header = this.#text.slice(at, end)
    const chomp = /^\|([-+]?) *$/.exec(header)?.[1]
    if (chomp === undefined) throw notPlain
    const first = this.#firstContent(end + 1)
    const stop = this.#literalEnd(first, end + 1, column)
    const lines = this.#text.slice(end + 1, stop).split('\n')
    if (lines.at(-1) === '') lines.pop() // what the last line end leaves
    const indent = lines.find((l) => l.trim() !== '')?.search(/\S/) ?? 0
    if (indent <= column || indent === 0) throw notPlain
    const body = lines.map((line) => bodyLine(line, indent)).join('\n')
    this.#line(stop)
    const kept = body.replace(/\n+$/, '')
    if (this.#text.charCodeAt(stop - 1) !== NEWLINE) throw notPlain // parsers differ on a last line without an end
    if (chomp === '-') return kept
    return chomp === '+' ? `${body}\n` : `${kept}\n`
  }

  #firstContent(from: number): number {
    let at = from
    while (at < this.#end && this.#text.charCodeAt(at) === NEWLINE) at++
    return at
  }

  /** Start of the first line after the scalar: one that is not blank and not deeper than the key. */
  #literalEnd(first: number, from: number, column: number): number {
    let at = Math.max(first, from)
    while (at < this.#end) {
      const content = this.#skipSpaces(at)
      const code = this.#code(content)
      if (code === 9) throw notPlain
      if (code !== NEWLINE && content < this.#end && content - at <= column) return at
      at = this.#lineEnd(content) + 1
    }
    return this.#end
  }
}

function bodyLine(line: string, indent: number): string {
  const content = line.search(/[^ ]/)
  if (content >= 0 && content < indent) throw notPlain
  if (line.length < indent) return ''
  return line.slice(indent)
}

function quoted(raw: string, pattern: RegExp): string {
  const text = pattern.exec(raw)?.[1]
  if (text === undefined) throw notPlain
  return text
}

/** YAML 1.2 core schema, and the words that YAML 1.1 takes for booleans, as Kubernetes still does. */
function plainScalar(text: string): unknown {
  const code = text.charCodeAt(0)
  if ((code >= 48 && code <= 57) || code === 43 || code === 45 || code === 46) return numberOr(text)
  const word = text.length <= 5 ? words.get(text) : undefined
  return word === undefined ? text : word
}

function numberOr(text: string): unknown {
  if (/^[-+]?\d+$/.test(text)) return Number(text)
  if (/^[-+]?(?:\.\d+|\d+\.\d*)$/.test(text)) return Number(text)
  // Octal, hexadecimal, exponents, infinity: rare enough to leave them to the whole parser.
  if (
    /^(?:0[xo][\da-fA-F]+|[-+]?(?:\.\d+|\d+(?:\.\d*)?)[eE][-+]?\d+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/.test(
      text,
    )
  ) {
    throw notPlain
  }
  return text
}
