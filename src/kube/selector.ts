import { isLabelValue, isQualifiedName } from './name-rules.ts'
import type { LabelRequirement, LabelSelector, Labels } from './objects/meta.ts'

/** One term of a list selector. `Gt` and `Lt` exist on the command line only, for labels that hold whole numbers. */
export interface Requirement {
  readonly key: string
  readonly operator: LabelRequirement['operator'] | 'Gt' | 'Lt'
  readonly values: readonly string[]
}

/** Where a selector stops making sense. `column` counts from 0. */
export interface SelectorError {
  readonly column: number
  readonly message: string
}

export type ParsedLabelSelector =
  | { readonly ok: true; readonly requirements: readonly Requirement[] }
  | { readonly ok: false; readonly error: SelectorError }

/**
 * metav1.LabelSelector: all of its parts must hold, so an empty one matches everything. `NotIn` and `DoesNotExist` hold for
 * an object without the key. What an absent selector means is its user's affair.
 */
export function matchesLabelSelector(selector: LabelSelector, labels: Labels | undefined): boolean {
  if (selector.matchLabels && !matchesSelectorMap(selector.matchLabels, labels)) return false
  return (selector.matchExpressions ?? []).every((e) => matchesRequirement(e, labels))
}

/** A plain map of labels, as Services and ReplicationControllers select by. An empty map matches everything. */
export function matchesSelectorMap(map: Labels, labels: Labels | undefined): boolean {
  for (const key in map) if (labelOf(labels, key) !== map[key]) return false
  return true
}

export const matchesRequirements = (requirements: readonly Requirement[], labels: Labels | undefined): boolean =>
  requirements.every((r) => matchesRequirement(r, labels))

function matchesRequirement(r: Requirement | LabelRequirement, labels: Labels | undefined): boolean {
  const found = labelOf(labels, r.key)
  switch (r.operator) {
    case 'In':
      return found !== undefined && (r.values ?? []).includes(found)
    case 'NotIn':
      return found === undefined || !(r.values ?? []).includes(found)
    case 'Exists':
      return found !== undefined
    case 'DoesNotExist':
      return found === undefined
    case 'Gt':
      return isInteger(found) && BigInt(found) > BigInt(r.values?.[0] ?? 0)
    case 'Lt':
      return isInteger(found) && BigInt(found) < BigInt(r.values?.[0] ?? 0)
  }
}

const isInteger = (text: string | undefined): text is string => text !== undefined && /^-?\d+$/.test(text)

// A label may be named like a property of every object (`constructor`).
const labelOf = (labels: Labels | undefined, key: string): string | undefined =>
  labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined

/** kubectl `-l`: `a=b,c==d,e!=f,g in (x,y),h notin (z),!i,j,k>1` (apimachinery `pkg/labels/selector.go`). */
export function parseLabelSelector(text: string): ParsedLabelSelector {
  const tokens = tokensOf(text)
  const requirements: Requirement[] = []
  try {
    while (tokens.peek().text !== '') {
      requirements.push(parseRequirement(tokens))
      const { text: separator, column } = tokens.next()
      if (separator === '') break
      if (separator !== ',') throw new Unexpected(column, `expected "," or the end, found ${quoted(separator)}`)
      if (tokens.peek().text === '') throw new Unexpected(tokens.peek().column, 'expected a label key after ","')
    }
    return { ok: true, requirements }
  } catch (e) {
    if (e instanceof Unexpected) return { ok: false, error: { column: e.column, message: e.message } }
    throw e
  }
}

/** The selector as `parseLabelSelector` reads it back. */
export const formatRequirements = (requirements: readonly Requirement[]): string =>
  requirements.map(formatRequirement).join(',')

function formatRequirement({ key, operator, values }: Requirement): string {
  const [first = ''] = values
  switch (operator) {
    case 'In':
      return values.length === 1 ? `${key}=${first}` : `${key} in (${values.join(',')})`
    case 'NotIn':
      return values.length === 1 ? `${key}!=${first}` : `${key} notin (${values.join(',')})`
    case 'Exists':
      return key
    case 'DoesNotExist':
      return `!${key}`
    case 'Gt':
      return `${key}>${first}`
    case 'Lt':
      return `${key}<${first}`
  }
}

interface Token {
  readonly text: string
  readonly column: number
}

interface Tokens {
  peek(): Token
  next(): Token
}

/** Leaves the descent early; never leaves this file. */
class Unexpected extends Error {
  readonly column: number
  constructor(column: number, message: string) {
    super(message)
    this.column = column
  }
}

const quoted = (text: string): string => (text === '' ? 'the end' : JSON.stringify(text))

function tokensOf(text: string): Tokens {
  const found = [...text.matchAll(/==|!=|[=!<>(),]|[^\s=!<>(),]+/g)].map((m) => ({ text: m[0], column: m.index }))
  const end = { text: '', column: text.length }
  let at = 0
  return { peek: () => found[at] ?? end, next: () => found[at++] ?? end }
}

function parseRequirement(tokens: Tokens): Requirement {
  const first = tokens.next()
  if (first.text === '!') return { key: keyFrom(tokens.next()), operator: 'DoesNotExist', values: [] }
  const key = keyFrom(first)
  const { text, column } = tokens.peek()
  if (text === '' || text === ',') return { key, operator: 'Exists', values: [] }
  tokens.next()
  switch (text) {
    case '=':
    case '==':
      return { key, operator: 'In', values: [optionalValue(tokens)] }
    case '!=':
      return { key, operator: 'NotIn', values: [optionalValue(tokens)] }
    case 'in':
      return { key, operator: 'In', values: valueSet(tokens) }
    case 'notin':
      return { key, operator: 'NotIn', values: valueSet(tokens) }
    case '>':
      return { key, operator: 'Gt', values: [integerFrom(tokens.next())] }
    case '<':
      return { key, operator: 'Lt', values: [integerFrom(tokens.next())] }
    default:
      throw new Unexpected(column, `expected one of = == != in notin < >, found ${quoted(text)}`)
  }
}

function keyFrom({ text, column }: Token): string {
  if (isQualifiedName(text)) return text
  throw new Unexpected(column, `expected a label key, found ${quoted(text)}`)
}

/** `a=` and `a=,b` select the empty value. */
function optionalValue(tokens: Tokens): string {
  const { text } = tokens.peek()
  return text === '' || text === ',' ? '' : valueFrom(tokens.next())
}

function valueFrom({ text, column }: Token): string {
  if (text !== '' && isLabelValue(text)) return text
  throw new Unexpected(column, `expected a label value, found ${quoted(text)}`)
}

function integerFrom({ text, column }: Token): string {
  if (isInteger(text)) return text
  throw new Unexpected(column, `expected a whole number, found ${quoted(text)}`)
}

/** `(a,b)`; an empty place is the empty value. */
function valueSet(tokens: Tokens): readonly string[] {
  const open = tokens.next()
  if (open.text !== '(') throw new Unexpected(open.column, `expected "(", found ${quoted(open.text)}`)
  const values: string[] = []
  for (;;) {
    const { text } = tokens.peek()
    values.push(text === ',' || text === ')' ? '' : valueFrom(tokens.next()))
    const { text: separator, column } = tokens.next()
    if (separator === ')') return values
    if (separator !== ',') throw new Unexpected(column, `expected "," or ")", found ${quoted(separator)}`)
  }
}
