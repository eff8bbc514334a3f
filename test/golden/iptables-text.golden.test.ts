import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseRule, parseRuleset, restoreNoflush } from '../../src/artefact/iptables/parse.ts'
import { formatRule, formatTable } from '../../src/artefact/iptables/print.ts'
import { emptyRuleset } from '../../src/artefact/iptables/rule.ts'
import type { Family } from '../../src/net/ip.ts'
import { goldenRoot } from './golden-root.ts'

interface Text {
  readonly name: string
  readonly family: Family
  readonly text: string
}

/** Every string of a case that holds lines of the given form, however deep. */
function strings(value: unknown, path = ''): readonly (readonly [path: string, text: string])[] {
  if (typeof value === 'string') return [[path, value]]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => strings(inner, path === '' ? key : `${path}.${key}`))
}

function texts(kind: string, wanted: (path: string, text: string) => boolean): readonly Text[] | string {
  const root = goldenRoot(kind)
  if ('missing' in root) return root.missing
  return readdirSync(root.path)
    .filter((f) => f.endsWith('.yaml'))
    .flatMap((file) =>
      strings(parse(readFileSync(join(root.path, file), 'utf8'), { maxAliasCount: -1 }))
        .filter(([path, text]) => wanted(path, text))
        .map(([path, text]) => ({ name: `${kind}/${file} ${path}`, family: familyIn(text, file), text })),
    )
}

const familyIn = (text: string, file: string): Family =>
  /-[sd] [0-9a-f]*:[0-9a-f:]+|icmp6|icmpv6|\[[0-9a-f]+:[0-9a-f:]*\]:|ffff:ffff/.test(text) || /ipv6|-v6/.test(file)
    ? 'ipv6'
    : 'ipv4'

const saved = texts('kube-proxy', (path, text) => /iptablesSave$/.test(path) && text.startsWith('*'))
const restores = texts('kube-proxy', (path, text) => /iptablesRestore$/.test(path) && text.startsWith('*'))

describe.skipIf(typeof saved === 'string')(
  `kube-proxy: iptables-save text${typeof saved === 'string' ? ` (skipped: ${saved})` : ''}`,
  () => {
    test.each(typeof saved === 'string' ? [] : [...saved])('$name is printed as it was read', ({ text, family }) => {
      const { ruleset, problems } = parseRuleset(text, family)
      expect(problems).toEqual([])
      const printed = ruleset.tables.flatMap((t) => formatTable(t).trimEnd().split('\n'))
      const wanted = text
        .trimEnd()
        .split('\n')
        .map((l) => l.replace(/ \[\d+:\d+\]$/, ' [0:0]'))
      for (const line of wanted) expect(printed).toContain(line)
      expect(rules(printed)).toEqual(rules(wanted))
    })
  },
)

/** The rules of each chain in their order, whatever the order of tables and chains. */
function rules(lines: readonly string[]): Record<string, readonly string[]> {
  const found: Record<string, string[]> = {}
  let table = ''
  for (const line of lines) {
    if (line.startsWith('*')) table = line
    const chain = /^-A (\S+)/.exec(line)?.[1]
    if (chain !== undefined) found[`${table} ${chain}`] = [...(found[`${table} ${chain}`] ?? []), line]
  }
  return found
}

describe.skipIf(typeof restores === 'string')(
  `kube-proxy: restore input${typeof restores === 'string' ? ` (skipped: ${restores})` : ''}`,
  () => {
    test.each(typeof restores === 'string' ? [] : [...restores])(
      '$name has no problem but jumps out of the text',
      ({ text, family }) => {
        const { problems } = restoreNoflush(emptyRuleset(family), text)
        expect(problems.filter((p) => !/to be a chain of table|a chain of table/.test(p.expected))).toEqual([])
      },
    )
  },
)

describe.each(['calico', 'flannel', 'kernel'])('rule lines of real agents: %s', (kind) => {
  const all = texts(kind, (_, text) => /^-A \S+ /m.test(text))
  const skipped = typeof all === 'string'
  test.skipIf(skipped)(
    `each is read without a problem, and what is printed reads the same again${skipped ? ` (skipped: ${all})` : ''}`,
    () => {
      const bad = (skipped ? [] : all).flatMap(({ name, text, family }) =>
        text
          .split('\n')
          .filter((l) => /^-A \S+ /.test(l))
          .flatMap((line) => {
            const { chain = '', rules: read, problems } = parseRule(line, family)
            const again = read.map((r) => formatRule(r, chain)).flatMap((printed) => parseRule(printed, family).rules)
            const same = JSON.stringify(again) === JSON.stringify(read) && read.length > 0
            return problems.length > 0 || !same ? [`${name}: ${line}: ${problems.map((p) => p.expected).join()}`] : []
          }),
      )
      expect(bad).toEqual([])
    },
  )
})

describe.each(['calico', 'flannel'])('listings of iptables-save and iptables -S: %s', (kind) => {
  const all = texts(kind, (_, text) => /^-A \S+ /m.test(text))
  const skipped = typeof all === 'string'
  const listings = skipped ? [] : all.filter(({ name }) => /rendered-node|walk-|iptables-(e2e|functional)/.test(name))
  test.skipIf(skipped)(`each line is printed as it was read${skipped ? ` (skipped: ${all})` : ''}`, () => {
    const lines = listings.flatMap(({ text, family }) =>
      text
        .split('\n')
        .filter((l) => /^-A \S+ /.test(l))
        .map((line) => ({ line, family })),
    )
    const printed = lines.map(({ line, family }) => {
      const { chain = '', rules: read } = parseRule(line, family)
      return read.map((r) => formatRule(r, chain)).join('\n')
    })
    expect(lines.length).toBeGreaterThan(20)
    expect(printed).toEqual(lines.map((l) => l.line.trimEnd()))
  })
})
