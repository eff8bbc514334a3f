import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readBlockYaml } from '../../src/kube/block-yaml.ts'
import { readYaml, stringifyYaml } from '../../src/kube/yaml.ts'

const whole = (text: string): unknown => {
  const read = readYaml(text)
  if (!read.ok) return { faults: read.faults.map((f) => f.kind) }
  return read.documents.length === 0 ? null : read.documents[0]?.value
}

describe('the reader of block style', () => {
  test.each([
    'a: 1\nb: text\n',
    'a:\n  b:\n    c: d\n  e: f\n',
    'a:\n- b\n- c\nd: e\n',
    'a:\n  - b: 1\n    c: 2\n  - d\n',
    '- a: 1\n- b: 2\n',
    '- - a\n  - b\n- c: d\n',
    '# head\n\na: b # tail\n# foot\n',
    'a: ""\nb: \'it\'\'s\'\nc: "x" # y\n',
    'a: {}\nb: []\nc: ~\nd:\ne: null\n',
    'a: 010\nb: 1.5\nc: -3\nd: +4\ne: .5\nf: 1.\ng: 1.2.3\nh: 10.0.0.0/8\ni: 1-2\n',
    'a: yes\nb: No\nc: on\nd: off\ne: y\nf: n\ng: True\n',
    'a: |\n  x\n   y\n\n  z\nb: 1\n',
    'a: |-\n  x\n\n\nb: 1\n',
    'a: |+\n  x\n\n\nb: 1\n',
    'a: |\n  # no comment\n  ---\n# comment\nb: 1\n',
    '- |\n  x\n- y\n',
    'a: b:c\nurl: http://x/y#z\nimg: k8s.gcr.io/a:v1.2\n',
    '--- # x\na: b\n',
    'a: -1\nb: -x\nc: --flag=1\n',
    'a: 2025-01-01T00:00:00Z\n',
    'a.b/c-d: e\n10-x: f\n',
    'a: é\nb: (x)\nc: <y>\nd: $(z)\n',
    '',
  ])('takes %j and reads it as a whole parser does', (text) => {
    const read = readBlockYaml(text)
    expect(read).toBeDefined()
    expect(read?.value).toEqual(whole(text))
  })

  test.each([
    'a: {b: c}\n',
    'a: [1]\n',
    'a: &x 1\nb: *x\n',
    'a: !!str 1\n',
    'a: >\n  folded\n',
    'a: two\n  lines\n',
    'a: "x\\ny"\n',
    '"a": b\n',
    'a: b: c\n',
    'a: 1\na: 2\n',
    'a:\n\tb: c\n',
    'a: b\n c: d\n',
    'a: 0x10\n',
    'a: 1e3\n',
    'a: .inf\n',
    '? a\n: b\n',
    '<<: a\n',
    'a: b\n---\nc: d\n',
    '__proto__: a\n',
    '%YAML 1.1\n---\na: b\n',
    'text\n',
    'a: `x`\n',
    'a: @x\n',
    'a: %x\n',
    'a: |2\n    x\n',
    'a: |\n  x',
  ])('leaves %j to the whole parser', (text) => {
    expect(readBlockYaml(text)).toBeUndefined()
  })

  test('finds the entries of items', () => {
    const text = 'kind: List\nitems:\n- a: 1\n- b: 2\n  c: 3\nx:\n  items:\n  - d\n'
    const items = readBlockYaml(text)?.items ?? []
    expect(items.map(({ from, to }) => text.slice(from, to))).toEqual(['a: 1\n', 'b: 2\n  c: 3\n'])
  })

  test('reads what the printer prints of any value, or leaves it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const text = stringifyYaml(value)
        const read = readBlockYaml(text)
        if (read) expect(read.value).toEqual(whole(text))
      }),
      { numRuns: 200 },
    )
  })

  test('reads lines of any kind as a whole parser does, or leaves them', () => {
    const indent = fc.constantFrom('', '  ', '    ', '   ', '      ')
    const head = fc.constantFrom('a:', 'b: ', 'c: ', '- ', '- d: ', '-', 'a: ', 'e:  ', '- - ', '', '# ', 'items:')
    const value = fc.constantFrom(
      '',
      '1',
      'x',
      'x y',
      '"q"',
      "'q'",
      '|',
      '|-',
      '|+',
      '>',
      '{}',
      '[]',
      '# c',
      'x # c',
      'x#c',
      'x: y',
      '~',
      'no',
      '-1',
      '- z',
      'a:b',
      '1.5',
      '"',
      '!t',
      '&a',
      '*a',
      ' x ',
      'null',
      '---',
      '\t',
      ':',
      '?',
      '0o7',
      'x:',
      '1_0',
      '\u00a0x',
      '=',
      'é',
    )
    const line = fc.tuple(indent, head, value).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 8 }), fc.boolean(), (lines, ended) => {
        const text = lines.join('\n') + (ended ? '\n' : '')
        const read = readBlockYaml(text)
        if (read) expect(read.value, text).toEqual(whole(text))
      }),
      { numRuns: 500 },
    )
  })
})
