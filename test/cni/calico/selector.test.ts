import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { selectorId } from '../../../src/cni/calico/model/selector-id.ts'
import { formatSelector, parseSelector, type Selector, selects, withPrefix } from '../../../src/kube/calico-selector.ts'

function parsed(text: string): Selector {
  const result = parseSelector(text)
  if (!result.ok) throw new Error(result.message)
  return result.selector
}

const key = fc.constantFrom('a', 'b.c/d', 'projectcalico.org/namespace')
const value = fc.constantFrom('x', 'y', 'z w', '')

const { selector: anySelector } = fc.letrec<{ selector: Selector }>((tie) => ({
  selector: fc.oneof(
    { depthSize: 'small' },
    fc.record({ kind: fc.constant('all' as const) }),
    fc.record({ kind: fc.constant('has' as const), key }),
    fc.record({
      kind: fc.constant('compare' as const),
      key,
      op: fc.constantFrom(
        '==' as const,
        '!=' as const,
        'contains' as const,
        'starts with' as const,
        'ends with' as const,
      ),
      value,
    }),
    fc.record({
      kind: fc.constantFrom('in' as const, 'not in' as const),
      key,
      values: fc.uniqueArray(value, { minLength: 1 }).map((v) => v.toSorted()),
    }),
    fc.record({ kind: fc.constant('not' as const), of: tie('selector') }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      of: fc.array(tie('selector'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}))

const labels = fc.dictionary(key, value)

describe('selectors', () => {
  test.each([
    { text: '', is: 'all()' },
    { text: ' (all() )', is: 'all()' },
    { text: '! (has( b)||! has(a ))', is: '!(has(b) || !has(a))' },
    { text: "a in {'z', 'x', \"y\", 'x'}", is: 'a in {"x", "y", "z"}' },
    { text: "a startswith 'b' && c ends with 'd'", is: '(a starts with "b" && c ends with "d")' },
    { text: `a == '"'`, is: `a == '"'` },
  ])('$text is written $is', ({ text, is }) => {
    expect(formatSelector(parsed(text))).toBe(is)
  })

  test.each(['a ==', 'a == b', "a in { 'x'", '(a', "'a' == 'b'", 'a ~ b', "a == 'x' b"])('%s is refused', (text) => {
    expect(parseSelector(text).ok).toBe(false)
  })

  test('a selector read back from its one spelling is the same, and selects the same', () => {
    fc.assert(
      fc.property(anySelector, labels, (selector, given) => {
        const again = parsed(formatSelector(selector))
        expect(formatSelector(again)).toBe(formatSelector(selector))
        expect(selectorId(again)).toBe(selectorId(selector))
        expect(selects(again, given)).toBe(selects(selector, given))
      }),
      { numRuns: 200 },
    )
  })

  test.each([
    { text: "a != 'x'", given: {}, is: true },
    { text: "a not in {'x'}", given: {}, is: true },
    { text: "a contains 'b'", given: { a: 'abc' }, is: true },
    { text: 'has(a)', given: { b: '' }, is: false },
    { text: 'global()', given: { 'projectcalico.org/namespace': 'x' }, is: false },
  ])('$text for $given: $is', ({ text, given, is }) => {
    expect(selects(parsed(text), given as Record<string, string>)).toBe(is)
  })

  test('a namespace selector looks labels up under pcns., and all() means having a namespace', () => {
    expect(formatSelector(withPrefix(parsed("team == 'blue' || all()"), 'pcns.'))).toBe(
      '(pcns.team == "blue" || has(projectcalico.org/namespace))',
    )
  })
})
