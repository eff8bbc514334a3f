import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatFieldRequirements, matchesFields, parseFieldSelector } from '../../src/kube/field-selector.ts'

const pod = {
  metadata: { name: 'web', namespace: 'shop' },
  spec: { nodeName: 'node-a', hostNetwork: true, terminationGracePeriodSeconds: 30 },
  status: { phase: 'Running' },
}

describe('a field selector', () => {
  test.each([
    { text: 'metadata.name=web', matches: true },
    { text: 'metadata.name==web,spec.nodeName!=node-b', matches: true },
    { text: 'status.phase!=Running', matches: false },
    { text: 'spec.hostNetwork=true,spec.terminationGracePeriodSeconds=30', matches: true },
    { text: 'status.podIP=', matches: true },
    { text: 'spec.toString!=', matches: false },
    { text: '', matches: true },
    { text: ',metadata.name=web,', matches: true },
  ])('"$text" matches: $matches', ({ text, matches }) => {
    const parsed = parseFieldSelector(text)
    expect(parsed.ok && matchesFields(parsed.requirements, pod)).toBe(matches)
  })

  test.each([
    { text: 'metadata.name', column: 0 },
    { text: 'a=b,=c', column: 4 },
    { text: 'a=b=c', column: 2 },
    { text: 'a=b\\x', column: 2 },
  ])('"$text" is wrong at column $column', ({ text, column }) => {
    expect(parseFieldSelector(text)).toMatchObject({ ok: false, error: { column } })
  })

  test('that was printed parses back to the same', () => {
    const requirement = fc.record({
      path: fc.array(fc.stringMatching(/^[a-z]{1,4}$/), { minLength: 1, maxLength: 3 }),
      operator: fc.constantFrom('=' as const, '!=' as const),
      value: fc.string({ unit: fc.constantFrom(...'ab,=\\ !') }),
    })
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 3 }), (requirements) => {
        const text = formatFieldRequirements(requirements)
        expect(parseFieldSelector(text), text).toEqual({ ok: true, requirements })
      }),
      { numRuns: 200 },
    )
  })
})
