import fc from 'fast-check'
import { expect, test } from 'vitest'
import { scanJson } from '../../src/kube/json.ts'

/** Few letters, so that keys repeat; some of them spelt as escapes. */
const key = fc.array(fc.constantFrom('a', 'b', 'cc', '\\u0061', '\\u0062', '\\n'), { minLength: 1, maxLength: 3 })
const keys = fc.array(
  key.map((letters) => letters.join('')),
  { maxLength: 30 },
)

test('every key that stands twice in one object is told where it stands again, however it is spelt', () => {
  fc.assert(
    fc.property(keys, (list) => {
      const entries = list.map((k, i) => `"${k}": {"${k}": ${i}}`)
      const text = `{${entries.join(', ')}}`
      const seen = new Set<string>()
      const expected = list.flatMap((k, i) => {
        const plain = JSON.parse(`"${k}"`) as string
        const again = seen.has(plain)
        seen.add(plain)
        const offset = 1 + entries.slice(0, i).reduce((n, e) => n + e.length + 2, 0)
        return again ? [{ offset, key: plain }] : []
      })
      expect(scanJson(text, 0)).toEqual({ end: text.length, fault: undefined, duplicates: expected })
    }),
    { numRuns: 300 },
  )
})
