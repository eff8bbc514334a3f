import type { FieldPath } from '../field-path.ts'
import { isLabelValue, isQualifiedName } from '../name-rules.ts'
import type { Labels } from '../objects/meta.ts'
import type { ProblemArgs } from '../problem.ts'

/** What the API server says against a field (apimachinery `pkg/util/validation/field`). */
export type FieldError = { readonly path: FieldPath } & ProblemArgs['API_REFUSES']

export const invalid = (path: FieldPath, found: unknown, detail: string): FieldError => ({
  path,
  type: 'Invalid',
  detail,
  found,
})
export const required = (path: FieldPath, detail: string): FieldError => ({ path, type: 'Required', detail })
export const forbidden = (path: FieldPath, detail: string): FieldError => ({ path, type: 'Forbidden', detail })
export const duplicate = (path: FieldPath, found: unknown): FieldError => ({
  path,
  type: 'Duplicate',
  detail: 'must be unique here',
  found,
})
export const notSupported = (path: FieldPath, found: unknown, supported: readonly string[]): FieldError => ({
  path,
  type: 'NotSupported',
  detail: `supported values: ${supported.map((s) => `"${s}"`).join(', ')}`,
  found,
})

export const portRange = 'must be between 1 and 65535, inclusive'
export const isPort = (n: number): boolean => Number.isInteger(n) && n >= 1 && n <= 65535

/** IsValidPortName: an IANA service name (RFC 6335). */
export function portNameErrors(path: FieldPath, name: string): readonly FieldError[] {
  const rules: readonly (readonly [broken: boolean, detail: string])[] = [
    [name.length > 15, 'must be no more than 15 characters'],
    [!/^[-a-z0-9]+$/.test(name), 'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)'],
    [!/[a-z]/.test(name), 'must contain at least one letter (a-z)'],
    [name.includes('--'), 'must not contain consecutive hyphens'],
    [name.startsWith('-') || name.endsWith('-'), 'must not begin or end with a hyphen'],
  ]
  return rules.flatMap(([broken, detail]) => (broken ? [invalid(path, name, detail)] : []))
}

const keyRule = 'a label key is at most 63 letters, digits, "-", "_" or ".", after an optional DNS name and "/"'
export const valueRule = 'a label value is at most 63 letters, digits, "-", "_" or ".", a letter or digit at both ends'

/** ValidateLabels: the path stops at the map. */
export function labelErrors(path: FieldPath, labels: Labels | undefined): readonly FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...labelKeyErrors(path, key),
    ...(isLabelValue(value) ? [] : [invalid(path, value, valueRule)]),
  ])
}

export const labelKeyErrors = (path: FieldPath, key: string): readonly FieldError[] =>
  isQualifiedName(key) ? [] : [invalid(path, key, keyRule)]
