import type { Labels } from './objects/meta.ts'

/** A parsed selector of Calico's own language (libcalico-go/lib/selector). */
export type Selector =
  | { readonly kind: 'all' | 'global' }
  | { readonly kind: 'has'; readonly key: string }
  | { readonly kind: 'compare'; readonly key: string; readonly op: CompareOp; readonly value: string }
  | { readonly kind: 'in' | 'not in'; readonly key: string; readonly values: readonly string[] }
  | { readonly kind: 'not'; readonly of: Selector }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Selector[] }

type CompareOp = '==' | '!=' | 'contains' | 'starts with' | 'ends with'

export type ParsedSelector =
  | { readonly ok: true; readonly selector: Selector }
  | { readonly ok: false; readonly message: string }

/** The empty selector is `all()`. */
export function parseSelector(text: string): ParsedSelector {
  const tokens = tokenize(text)
  if (typeof tokens === 'string') return { ok: false, message: tokens }
  if (tokens.length === 0) return { ok: true, selector: { kind: 'all' } }
  const parser: Parser = { tokens, at: 0 }
  const selector = parseOr(parser)
  const rest = parser.tokens[parser.at]
  if (typeof selector === 'string') return { ok: false, message: selector }
  if (rest) return { ok: false, message: `unexpected ${JSON.stringify(rest.text)}` }
  return { ok: true, selector }
}

interface Token {
  readonly kind: 'word' | 'text' | 'sign'
  readonly text: string
}

interface Parser {
  readonly tokens: readonly Token[]
  at: number
}

const pattern =
  /\s*(?:"([^"]*)"|'([^']*)'|(&&|\|\||==|!=|[!(){},])|(all|global)\s*\(\s*\)|has\(\s*([A-Za-z0-9_./-]+)\s*\)|([A-Za-z0-9_./-]+))/y

function tokenize(text: string): readonly Token[] | string {
  const tokens: Token[] = []
  pattern.lastIndex = 0
  while (pattern.lastIndex < text.trimEnd().length) {
    const from = pattern.lastIndex
    const found = pattern.exec(text)
    if (!found) return `cannot read ${JSON.stringify(text.slice(from).trim())}`
    const [, double, single, sign, call, has, word] = found
    const quoted = double ?? single
    if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted })
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign })
    else if (call !== undefined) tokens.push({ kind: 'sign', text: `${call}()` })
    else if (has !== undefined) tokens.push({ kind: 'sign', text: 'has' }, { kind: 'word', text: has })
    else tokens.push({ kind: 'word', text: word ?? '' })
  }
  return tokens
}

const isSign = (p: Parser, text: string): boolean => {
  const token = p.tokens[p.at]
  return token?.kind === 'sign' && token.text === text
}

function take(p: Parser): Token | undefined {
  return p.tokens[p.at++]
}

function parseOr(p: Parser): Selector | string {
  return parseList(p, '||', 'or', parseAnd)
}

function parseAnd(p: Parser): Selector | string {
  return parseList(p, '&&', 'and', parseUnary)
}

function parseList(
  p: Parser,
  sign: string,
  kind: 'and' | 'or',
  parse: (p: Parser) => Selector | string,
): Selector | string {
  const of: Selector[] = []
  for (;;) {
    const next = parse(p)
    if (typeof next === 'string') return next
    of.push(next)
    if (!isSign(p, sign)) break
    p.at++
  }
  const [first] = of
  return of.length === 1 && first ? first : { kind, of }
}

function parseUnary(p: Parser): Selector | string {
  const token = take(p)
  if (token === undefined) return 'the selector ends too early'
  if (token.kind === 'word') return parseComparison(p, token.text)
  if (token.kind === 'text') return `a label name may not stand in quotes: ${JSON.stringify(token.text)}`
  switch (token.text) {
    case '!': {
      const of = parseUnary(p)
      return typeof of === 'string' ? of : { kind: 'not', of }
    }
    case 'all()':
      return { kind: 'all' }
    case 'global()':
      return { kind: 'global' }
    case 'has':
      return { kind: 'has', key: take(p)?.text ?? '' }
    case '(': {
      const inner = parseOr(p)
      if (typeof inner === 'string') return inner
      if (!isSign(p, ')')) return 'a closing parenthesis is missing'
      p.at++
      return inner
    }
    default:
      return `unexpected ${JSON.stringify(token.text)}`
  }
}

function parseComparison(p: Parser, key: string): Selector | string {
  const token = take(p)
  if (token?.kind === 'sign' && (token.text === '==' || token.text === '!=')) return compared(p, key, token.text)
  if (token?.kind !== 'word') return `an operator must follow ${key}`
  switch (token.text) {
    case 'contains':
      return compared(p, key, 'contains')
    case 'startswith':
      return compared(p, key, 'starts with')
    case 'endswith':
      return compared(p, key, 'ends with')
    case 'starts':
    case 'ends':
      return take(p)?.text === 'with' ? compared(p, key, `${token.text} with`) : `"with" must follow ${token.text}`
    case 'in':
      return parseSet(p, key, 'in')
    case 'not':
      return take(p)?.text === 'in' ? parseSet(p, key, 'not in') : '"in" must follow not'
    case 'notin':
      return parseSet(p, key, 'not in')
    default:
      return `unknown operator ${JSON.stringify(token.text)}`
  }
}

function compared(p: Parser, key: string, op: CompareOp): Selector | string {
  const value = take(p)
  return value?.kind === 'text' ? { kind: 'compare', key, op, value: value.text } : `a text in quotes must follow ${op}`
}

function parseSet(p: Parser, key: string, kind: 'in' | 'not in'): Selector | string {
  if (!isSign(p, '{')) return `a set in braces must follow ${kind}`
  p.at++
  const values: string[] = []
  while (!isSign(p, '}')) {
    const value = take(p)
    if (value?.kind !== 'text') return 'texts in quotes must stand in a set'
    values.push(value.text)
    if (isSign(p, ',')) p.at++
    else if (!isSign(p, '}')) return 'a closing brace is missing'
  }
  p.at++
  return { kind, key, values: [...new Set(values)].sort(byteOrder) }
}

const byteOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The one spelling that Felix hashes. */
export function formatSelector(s: Selector): string {
  switch (s.kind) {
    case 'all':
    case 'global':
      return `${s.kind}()`
    case 'has':
      return `has(${s.key})`
    case 'compare':
      return `${s.key} ${s.op} ${quote(s.value)}`
    case 'in':
    case 'not in':
      return `${s.key} ${s.kind} {${s.values.map(quote).join(', ')}}`
    case 'not':
      return `!${formatSelector(s.of)}`
    case 'and':
    case 'or':
      return `(${s.of.map(formatSelector).join(s.kind === 'and' ? ' && ' : ' || ')})`
  }
}

const quote = (text: string): string => (text.includes('"') ? `'${text}'` : `"${text}"`)

export function selects(s: Selector, labels: Labels): boolean {
  switch (s.kind) {
    case 'all':
      return true
    case 'global':
      return !Object.hasOwn(labels, 'projectcalico.org/namespace')
    case 'has':
      return Object.hasOwn(labels, s.key)
    case 'compare':
      return compares(s, Object.hasOwn(labels, s.key) ? labels[s.key] : undefined)
    case 'in':
      return Object.hasOwn(labels, s.key) && s.values.includes(labels[s.key] ?? '')
    case 'not in':
      return !(Object.hasOwn(labels, s.key) && s.values.includes(labels[s.key] ?? ''))
    case 'not':
      return !selects(s.of, labels)
    case 'and':
      return s.of.every((part) => selects(part, labels))
    case 'or':
      return s.of.some((part) => selects(part, labels))
  }
}

/** Where the label is missing, only `!=` holds. */
function compares({ op, value }: Extract<Selector, { kind: 'compare' }>, found: string | undefined): boolean {
  switch (op) {
    case '==':
      return found === value
    case '!=':
      return found !== value
    case 'contains':
      return found?.includes(value) ?? false
    case 'starts with':
      return found?.startsWith(value) ?? false
    case 'ends with':
      return found?.endsWith(value) ?? false
  }
}

/** Every label gets `prefix`; `all()` and `global()` of a namespace selector say whether there is a namespace at all. */
export function withPrefix(s: Selector, prefix: string): Selector {
  switch (s.kind) {
    case 'all':
      return { kind: 'has', key: 'projectcalico.org/namespace' }
    case 'global':
      return { kind: 'not', of: { kind: 'has', key: 'projectcalico.org/namespace' } }
    case 'not':
      return { ...s, of: withPrefix(s.of, prefix) }
    case 'and':
    case 'or':
      return { ...s, of: s.of.map((part) => withPrefix(part, prefix)) }
    case 'has':
    case 'compare':
    case 'in':
    case 'not in':
      return { ...s, key: `${prefix}${s.key}` }
  }
}
