import type { SelectorError } from './selector.ts'

/** One term: the field at a dotted path equals, or does not equal, a text. */
export interface FieldRequirement {
  readonly path: readonly string[]
  readonly operator: '=' | '!='
  readonly value: string
}

export type ParsedFieldSelector =
  | { readonly ok: true; readonly requirements: readonly FieldRequirement[] }
  | { readonly ok: false; readonly error: SelectorError }

/**
 * kubectl `--field-selector`: `metadata.name=web,status.phase!=Failed`; `\,`, `\=` and `\\` stand for themselves
 * (apimachinery `pkg/fields/selector.go`). Any field may be named, not only those that the API server indexes.
 */
export function parseFieldSelector(text: string): ParsedFieldSelector {
  const requirements: FieldRequirement[] = []
  // An escaped character belongs to its term; empty terms are passed over, as upstream does.
  for (const match of text.matchAll(/(?:\\[\s\S]?|[^,\\])+/g)) {
    const term = parseTerm(match[0])
    if ('message' in term) return { ok: false, error: { column: match.index + term.column, message: term.message } }
    requirements.push(term)
  }
  return { ok: true, requirements }
}

/** A field that is absent equals the empty text, as for the API server. */
export function matchesFields(requirements: readonly FieldRequirement[], object: unknown): boolean {
  return requirements.every((r) => (fieldText(object, r.path) === r.value) === (r.operator === '='))
}

export const formatFieldRequirements = (requirements: readonly FieldRequirement[]): string =>
  requirements.map((r) => `${r.path.join('.')}${r.operator}${r.value.replace(/[\\,=]/g, '\\$&')}`).join(',')

function parseTerm(term: string): FieldRequirement | SelectorError {
  const operator = /!=|==|=/.exec(term)
  if (operator === null)
    return { column: 0, message: `expected FIELD=VALUE or FIELD!=VALUE, found ${JSON.stringify(term)}` }
  const field = term.slice(0, operator.index)
  if (!/^[A-Za-z][\w-]*(\.[\w-]+)*$/.test(field)) {
    return { column: 0, message: `expected a field such as metadata.name, found ${JSON.stringify(field)}` }
  }
  const raw = term.slice(operator.index + operator[0].length)
  if (/(^|[^\\])(\\\\)*(=|\\$|\\[^\\,=])/.test(raw)) {
    const message = `"=" and "\\" in a value need a "\\" before them: ${JSON.stringify(raw)}`
    return { column: operator.index + operator[0].length, message }
  }
  return {
    path: field.split('.'),
    operator: operator[0] === '!=' ? '!=' : '=',
    value: raw.replace(/\\([\\,=])/g, '$1'),
  }
}

function fieldText(object: unknown, path: readonly string[]): string {
  let value = object
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return ''
    value = (value as Readonly<Record<string, unknown>>)[key]
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}
