import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LabelSelector } from '../../src/kube/objects/meta.ts'
import {
  formatRequirements,
  matchesLabelSelector,
  matchesRequirements,
  matchesSelectorMap,
  parseLabelSelector,
  type Requirement,
} from '../../src/kube/selector.ts'

describe('a metav1 label selector', () => {
  test.each<{ name: string; selector: LabelSelector; labels: Record<string, string> | undefined; matches: boolean }>([
    { name: 'that is empty matches an object without labels', selector: {}, labels: undefined, matches: true },
    {
      name: 'needs every label of matchLabels',
      selector: { matchLabels: { a: '1', b: '2' } },
      labels: { a: '1' },
      matches: false,
    },
    {
      name: 'joins labels and expressions with and',
      selector: { matchLabels: { a: '1' }, matchExpressions: [{ key: 'b', operator: 'Exists' }] },
      labels: { a: '1' },
      matches: false,
    },
    {
      name: 'In wants the key',
      selector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['x', ''] }] },
      labels: {},
      matches: false,
    },
    {
      name: 'In finds one of its values',
      selector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['x', 'y'] }] },
      labels: { a: 'y' },
      matches: true,
    },
    {
      name: 'NotIn matches an absent key',
      selector: { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['x'] }] },
      labels: {},
      matches: true,
    },
    {
      name: 'NotIn turns a listed value down',
      selector: { matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['x'] }] },
      labels: { a: 'x' },
      matches: false,
    },
    {
      name: 'Exists takes the empty value',
      selector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] },
      labels: { a: '' },
      matches: true,
    },
    {
      name: 'DoesNotExist matches an absent key',
      selector: { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] },
      labels: { b: '' },
      matches: true,
    },
    {
      name: 'does not take what every object inherits for a label',
      selector: { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] },
      labels: {},
      matches: false,
    },
  ])('$name', ({ selector, labels, matches }) => {
    expect(matchesLabelSelector(selector, labels)).toBe(matches)
  })

  test('a plain map wants equal values', () => {
    expect(matchesSelectorMap({ app: 'web' }, { app: 'web', tier: 'front' })).toBe(true)
    expect(matchesSelectorMap({ app: 'web' }, { app: 'api' })).toBe(false)
    expect(matchesSelectorMap({ app: '' }, undefined)).toBe(false)
  })
})

describe('a selector in kubectl syntax', () => {
  const matches = (text: string, labels: Record<string, string>): boolean | string => {
    const parsed = parseLabelSelector(text)
    return parsed.ok ? matchesRequirements(parsed.requirements, labels) : parsed.error.message
  }

  test.each([
    { text: 'a=b,c==d,e!=f,g in (x,y),h notin (z),!i,j', labels: { a: 'b', c: 'd', g: 'y', j: '' }, matches: true },
    {
      text: 'a=b,c==d,e!=f,g in (x,y),h notin (z),!i,j',
      labels: { a: 'b', c: 'd', g: 'y', j: '', i: '' },
      matches: false,
    },
    { text: '', labels: { a: 'b' }, matches: true },
    { text: ' a = b , ! c ', labels: { a: 'b' }, matches: true },
    { text: 'a!=b', labels: {}, matches: true },
    { text: 'a=', labels: { a: '' }, matches: true },
    { text: 'a in (,b)', labels: { a: '' }, matches: true },
    { text: 'a=b,a=c', labels: { a: 'b' }, matches: false },
    { text: 'in in (in)', labels: { in: 'in' }, matches: true },
    { text: 'example.com/tier notin (a)', labels: {}, matches: true },
    { text: 'n>5', labels: { n: '6' }, matches: true },
    { text: 'n<5', labels: { n: '6' }, matches: false },
    { text: 'n>5', labels: { n: 'many' }, matches: false },
  ])('$text on $labels is $matches', ({ text, labels, matches: expected }) => {
    expect(matches(text, labels)).toBe(expected)
  })

  test.each([
    { text: 'a in x', column: 5, message: 'expected "(", found "x"' },
    { text: 'a in (x', column: 7, message: 'expected "," or ")", found the end' },
    { text: 'a,', column: 2, message: 'expected a label key after ","' },
    { text: '=a', column: 0, message: 'expected a label key, found "="' },
    { text: 'a b', column: 2, message: 'expected one of = == != in notin < >, found "b"' },
    { text: 'a=b c', column: 4, message: 'expected "," or the end, found "c"' },
    { text: 'a/b/c=d', column: 0, message: 'expected a label key, found "a/b/c"' },
    { text: 'a=-x', column: 2, message: 'expected a label value, found "-x"' },
    { text: 'a>x', column: 2, message: 'expected a whole number, found "x"' },
    { text: '!', column: 1, message: 'expected a label key, found the end' },
  ])('$text is wrong at column $column: $message', ({ text, column, message }) => {
    expect(parseLabelSelector(text)).toEqual({ ok: false, error: { column, message } })
  })

  const key = fc.stringMatching(/^[a-z]([-a-z]{0,3}[a-z])?$/)
  const value = fc.stringMatching(/^([a-z]([-a-z]{0,3}[a-z])?)?$/)
  const requirement: fc.Arbitrary<Requirement> = fc.oneof(
    fc.record({
      key,
      operator: fc.constantFrom('In' as const, 'NotIn' as const),
      values: fc.array(value, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ key, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const), values: fc.constant([]) }),
    fc.record({
      key,
      operator: fc.constantFrom('Gt' as const, 'Lt' as const),
      values: fc.integer().map((n) => [String(n)]),
    }),
  )

  test('that was printed parses back to the same', () => {
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 4 }), (requirements) => {
        expect(parseLabelSelector(formatRequirements(requirements))).toEqual({ ok: true, requirements })
      }),
      { numRuns: 200 },
    )
  })

  test('of any text parses or says where it is wrong', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab=!<>(), innot/.') }), (text) => {
        const parsed = parseLabelSelector(text)
        expect(parsed.ok || (parsed.error.column >= 0 && parsed.error.column <= text.length)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})
