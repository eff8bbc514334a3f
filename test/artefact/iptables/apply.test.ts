import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyEdits, editsOf, rulesEqual } from '../../../src/artefact/iptables/apply.ts'
import type { IptablesEdit } from '../../../src/artefact/iptables/edit.ts'
import { parseRule, parseRuleset, restoreNoflush } from '../../../src/artefact/iptables/parse.ts'
import { formatRule, formatRuleset } from '../../../src/artefact/iptables/print.ts'
import { emptyRuleset, type Rule, type Ruleset } from '../../../src/artefact/iptables/rule.ts'
import { anyRule } from './any-rule.ts'

const rule = (spec: string): Rule => parseRule(spec, 'ipv4').rules[0] ?? { matches: [] }
const at = { table: 'nat', chain: 'A' } as const
const listed = (ruleset: Ruleset, chain: string): readonly string[] =>
  ruleset.tables.flatMap((t) =>
    t.chains.filter((c) => c.name === chain).flatMap((c) => c.rules.map((r) => formatRule(r, chain))),
  )

describe('edits', () => {
  test.each<{ name: string; edits: readonly IptablesEdit[]; rules: readonly string[] }>([
    {
      name: 'append and prepend',
      edits: [
        { op: 'append', ...at, rule: rule('-j ACCEPT') },
        { op: 'prepend', ...at, rule: rule('-p tcp') },
        { op: 'prepend', ...at, rule: rule('-p udp') },
        { op: 'append', ...at, rule: rule('-j RETURN') },
      ],
      rules: ['-A A -p udp', '-A A -p tcp', '-A A -j ACCEPT', '-A A -j RETURN'],
    },
    {
      name: 'an equal rule stays where it is, counters and origin aside',
      edits: [
        { op: 'append', ...at, rule: { ...rule('-j ACCEPT'), origin: { by: 'kubelet' } } },
        { op: 'append', ...at, rule: rule('-p udp') },
        { op: 'ensure-prepended', ...at, rule: rule('-p udp') },
        { op: 'ensure-appended', ...at, rule: { ...rule('-j ACCEPT'), counters: { packets: 1, bytes: 2 } } },
        { op: 'ensure-prepended', ...at, rule: rule('-p sctp') },
        { op: 'ensure-prepended', ...at, rule: rule('-p sctp') },
      ],
      rules: ['-A A -p sctp', '-A A -j ACCEPT', '-A A -p udp'],
    },
    {
      name: 'after a flush nothing is there any more',
      edits: [
        { op: 'append', ...at, rule: rule('-j ACCEPT') },
        { op: 'ensure-appended', ...at, rule: rule('-j ACCEPT') },
        { op: 'flush-chain', ...at },
        { op: 'ensure-appended', ...at, rule: rule('-j ACCEPT') },
        { op: 'ensure-chain', ...at },
      ],
      rules: ['-A A -j ACCEPT'],
    },
    {
      name: 'a deleted chain is gone with its rules',
      edits: [
        { op: 'append', ...at, rule: rule('-j ACCEPT') },
        { op: 'delete-chain', ...at },
      ],
      rules: [],
    },
  ])('$name', ({ edits, rules }) => {
    expect(listed(applyEdits(emptyRuleset('ipv4'), edits), 'A')).toEqual(rules)
  })

  test('a table that is named has its built-in chains, in the order in which it is printed', () => {
    const edits: IptablesEdit[] = [
      { op: 'ensure-chain', table: 'nat', chain: 'B' },
      { op: 'ensure-chain', table: 'nat', chain: 'A' },
      { op: 'policy', table: 'filter', chain: 'FORWARD', policy: 'DROP' },
      { op: 'policy', table: 'filter', chain: 'OWN', policy: 'DROP' },
      { op: 'delete-chain', table: 'filter', chain: 'INPUT' },
    ]
    const { tables } = applyEdits(emptyRuleset('ipv4'), edits)
    expect(
      tables.map((t) => `${t.name}: ${t.chains.map((c) => c.name + (c.policy === 'DROP' ? '!' : '')).join(' ')}`),
    ).toEqual(['filter: INPUT FORWARD! OUTPUT OWN', 'nat: PREROUTING INPUT OUTPUT POSTROUTING A B'])
  })

  test('the ruleset given is not changed, and chains that no edit names are the same objects', () => {
    const before = parseRuleset('*nat\n:A - [0:0]\n:B - [0:0]\n-A A -j B\nCOMMIT', 'ipv4').ruleset
    const text = formatRuleset(before)
    const after = applyEdits(before, [{ op: 'append', table: 'nat', chain: 'B', rule: rule('-j ACCEPT') }])
    expect(formatRuleset(before)).toBe(text)
    expect(after.tables[0]?.chains.find((c) => c.name === 'A')).toBe(
      before.tables[0]?.chains.find((c) => c.name === 'A'),
    )
  })
})

describe('laws', () => {
  const anyEdit = (rules: fc.Arbitrary<Rule>): fc.Arbitrary<IptablesEdit> => {
    const chain = fc.constantFrom('A', 'B', 'FORWARD')
    return fc.oneof(
      fc.record({
        op: fc.constantFrom('append', 'prepend', 'ensure-appended', 'ensure-prepended'),
        table: fc.constant('filter' as const),
        chain,
        rule: rules,
      }),
      fc.record({
        op: fc.constantFrom('ensure-chain', 'flush-chain', 'delete-chain'),
        table: fc.constant('filter' as const),
        chain,
      }),
    )
  }
  const few = fc.constantFrom(rule('-p tcp'), rule('-p udp'), rule('-j ACCEPT'), rule('-j DROP'))

  /** The edits on plain arrays, as simply as they can be said. */
  function plainly(edits: readonly IptablesEdit[]): Map<string, Rule[]> {
    const chains = new Map<string, Rule[]>([['FORWARD', []]])
    for (const edit of edits) {
      if (edit.op === 'delete-chain') {
        if (edit.chain !== 'FORWARD') chains.delete(edit.chain)
        continue
      }
      const rules = chains.get(edit.chain) ?? []
      chains.set(edit.chain, rules)
      if (edit.op === 'flush-chain') rules.length = 0
      if (!('rule' in edit)) continue
      if (edit.op.startsWith('ensure') && rules.some((r) => rulesEqual(r, edit.rule))) continue
      if (edit.op.endsWith('append') || edit.op.endsWith('appended')) rules.push(edit.rule)
      else rules.unshift(edit.rule)
    }
    return chains
  }

  test('any edits do what they do on plain arrays', () => {
    fc.assert(
      fc.property(fc.array(anyEdit(few), { maxLength: 40 }), (edits) => {
        const ruleset = applyEdits(emptyRuleset('ipv4'), edits)
        const expected = plainly(edits)
        for (const chain of ['A', 'B', 'FORWARD'])
          expect(listed(ruleset, chain)).toEqual((expected.get(chain) ?? []).map((r) => formatRule(r, chain)))
      }),
      { numRuns: 200 },
    )
  })

  test('the edits of a ruleset make it again, and so does its text, with and without flushing', () => {
    fc.assert(
      fc.property(fc.array(anyEdit(anyRule({ chains: ['A', 'B'] })), { maxLength: 10 }), (edits) => {
        const both: IptablesEdit[] = ['A', 'B'].map((chain) => ({ op: 'ensure-chain', table: 'filter', chain }))
        const ruleset = applyEdits(emptyRuleset('ipv4'), [...edits, ...both])
        expect(applyEdits(emptyRuleset('ipv4'), editsOf(ruleset))).toEqual(ruleset)
        expect(parseRuleset(formatRuleset(ruleset), 'ipv4')).toEqual({ ruleset, problems: [] })
        expect(restoreNoflush(emptyRuleset('ipv4'), formatRuleset(ruleset)).ruleset).toEqual(ruleset)
      }),
      { numRuns: 100 },
    )
  })
})

describe('iptables-restore --noflush', () => {
  const base = parseRuleset(
    '*nat\n:A - [0:0]\n:B - [0:0]\n-A POSTROUTING -j A\n-A A -j B\n-A B -p tcp\nCOMMIT',
    'ipv4',
  ).ruleset

  test('empties the chains it names and leaves the others; a built-in chain keeps its rules', () => {
    const { ruleset, problems } = restoreNoflush(
      base,
      '*nat\n:A - [0:0]\n:POSTROUTING ACCEPT [0:0]\n-A A -j RETURN\n-X B\n-F B\n-X B\nCOMMIT',
    )
    expect(problems.map((p) => p.line)).toEqual([5])
    expect(listed(ruleset, 'POSTROUTING')).toEqual(['-A POSTROUTING -j A'])
    expect(listed(ruleset, 'A')).toEqual(['-A A -j RETURN'])
    expect(ruleset.tables[0]?.chains.map((c) => c.name)).not.toContain('B')
  })
})
