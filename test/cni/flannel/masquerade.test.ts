import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applyEdits } from '../../../src/artefact/iptables/apply.ts'
import type { IptablesEdit } from '../../../src/artefact/iptables/edit.ts'
import { formatRule, formatRuleSpec } from '../../../src/artefact/iptables/print.ts'
import { emptyRuleset } from '../../../src/artefact/iptables/rule.ts'
import { ruleGeneration } from '../../../src/cni/flannel/generation.ts'
import { type MasqueradePlan, masqueradeEdits } from '../../../src/cni/flannel/masquerade.ts'
import { nftChains } from '../../../src/cni/flannel/nftables.ts'
import { applyPlan, resyncPlan, teardownPlan } from '../../../src/cni/flannel/restore-plan.ts'
import { version } from '../../../src/cni/version.ts'
import { prefix, prefixFamily } from '../../../src/net/prefix.ts'

const plan = (release: string, more: Partial<MasqueradePlan> = {}): MasqueradePlan => ({
  network: prefix('10.244.0.0/16'),
  subnet: prefix('10.244.1.0/24'),
  ipMasq: true,
  forwardRules: true,
  randomFully: true,
  generation: ruleGeneration(version(release)),
  ...more,
})

const foreign: readonly IptablesEdit[] = [
  { op: 'append', table: 'nat', chain: 'POSTROUTING', rule: { matches: [], target: { kind: 'jump', chain: 'OTHER' } } },
  { op: 'append', table: 'filter', chain: 'FORWARD', rule: { matches: [], target: { kind: 'jump', chain: 'OTHER' } } },
]

/** Every rule as iptables-save prints it, foreign jumps standing there before. */
function lines(p: MasqueradePlan): readonly string[] {
  const ruleset = applyEdits(emptyRuleset(prefixFamily(p.network)), [...foreign, ...masqueradeEdits(p)])
  return ruleset.tables
    .toSorted((a, b) => (a.name < b.name ? 1 : -1))
    .flatMap((t) => t.chains.flatMap((c) => c.rules.map((r) => formatRule(r, c.name))))
}

describe('the newest rules', () => {
  test('stand in chains of their own, behind what was there', () => {
    const masq = '-m comment --comment "flanneld masq"'
    expect(lines(plan('v0.28.9'))).toEqual([
      '-A POSTROUTING -j OTHER',
      `-A POSTROUTING ${masq} -j FLANNEL-POSTRTG`,
      `-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 ${masq} -j RETURN`,
      `-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 ${masq} -j RETURN`,
      `-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 ${masq} -j RETURN`,
      `-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 ${masq} -j RETURN`,
      `-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 ${masq} -j MASQUERADE --random-fully`,
      `-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 ${masq} -j MASQUERADE --random-fully`,
      '-A FORWARD -j OTHER',
      '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
      '-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
      '-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
    ])
  })

  test('have an IPv6 twin with the IPv6 multicast block', () => {
    const v6 = lines(plan('v0.28.9', { network: prefix('fd00::/48'), subnet: prefix('fd00:0:0:1::/64') }))
    expect(v6.find((l) => l.includes('MASQUERADE') && l.includes('! -d'))).toContain('-s fd00::/48 ! -d ff00::/8')
  })

  test.each([
    ['--ip-masq off leaves nat alone', { ipMasq: false }, /FLANNEL-POSTRTG/],
    ['--iptables-forward-rules=false leaves filter alone', { forwardRules: false }, /FLANNEL-FWD/],
    ['without random-fully the masquerade is plain', { randomFully: false }, /random-fully/],
  ])('%s', (_, more, gone) => {
    expect(lines(plan('v0.28.9')).some((l) => gone.test(l))).toBe(true)
    expect(lines(plan('v0.28.9', more)).some((l) => gone.test(l))).toBe(false)
  })

  test('are the same after a second run', () => {
    const once = masqueradeEdits(plan('v0.28.9'))
    const ruleset = applyEdits(emptyRuleset('ipv4'), once)
    expect(applyEdits(ruleset, once)).toEqual(ruleset)
  })
})

describe('each release that changed the rules', () => {
  const nat = (release: string) =>
    lines(plan(release)).filter((l) => /FLANNEL|POSTROUTING/.test(l) && !/OTHER|FWD/.test(l))
  const rules = (release: string) => nat(release).length
  test.each([
    ['v0.3.0', 3, 'one FLANNEL chain'],
    ['v0.5.3', 3, 'the same'],
    ['v0.5.4', 4, 'and what comes from nodes'],
    ['v0.5.6', 3, 'flat rules'],
    ['v0.8.0-rc1', 3, 'the same'],
    ['v0.8.0-rc2', 4, 'and inbound to local pods'],
    ['v0.19.2', 4, 'the same'],
    ['v0.20.0', 5, 'chains of their own'],
    ['v0.20.2', 6, 'and the mark'],
    ['v0.21.0', 7, 'and podCIDR both ways'],
  ])('%s has %i nat rules: %s', (release, count) => {
    expect(rules(release)).toBe(count)
  })

  test.each([
    ['v0.20.0', 0],
    ['v0.21.2', 0],
    ['v0.21.3', 1],
  ])('%s puts its jump at place %i of POSTROUTING', (release, place) => {
    const chain = lines(plan(release)).filter((l) => l.startsWith('-A POSTROUTING'))
    expect(chain.findIndex((l) => l.includes('FLANNEL'))).toBe(place)
  })

  test.each([
    ['v0.9.0', false],
    ['v0.9.1', true],
  ])('%s accepts in FORWARD: %s', (release, accepts) => {
    expect(lines(plan(release)).some((l) => l.startsWith('-A FORWARD') && l.endsWith('ACCEPT'))).toBe(accepts)
  })

  test('random-fully comes with v0.11.0, IPv6 with v0.15.0, comments with v0.16.2, one of them misspelt', () => {
    expect(nat('v0.10.0').join()).not.toContain('random')
    expect(nat('v0.11.0').join()).toContain('random-fully')
    const v6 = { network: prefix('fd00::/48'), subnet: prefix('fd00:0:0:1::/64') }
    expect(masqueradeEdits(plan('v0.14.1', v6))).toEqual([])
    expect(masqueradeEdits(plan('v0.15.0', v6))).not.toEqual([])
    expect(nat('v0.16.1').join()).not.toContain('comment')
    expect(nat('v0.16.2').join()).toContain('"flannel masq"')
    expect(nat('v0.17.0').join()).not.toContain('"flannel masq"')
  })
})

test('in nftables mode the mark is compared whole, and rule 4 is for all that is not of this node', () => {
  const { postrtg, forward } = nftChains(plan('v0.28.9'))
  expect(
    postrtg
      ?.split('\n')
      .slice(4, 10)
      .map((l) => l.trim()),
  ).toEqual([
    'meta mark 0x00004000 return',
    'ip saddr 10.244.1.0/24 ip daddr 10.244.0.0/16 return',
    'ip saddr 10.244.0.0/16 ip daddr 10.244.1.0/24 return',
    'ip saddr != 10.244.1.0/24 ip daddr 10.244.0.0/16 return',
    'ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random',
    'ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/16 masquerade fully-random',
  ])
  expect(forward).toContain('type filter hook forward priority filter; policy accept;')
  expect(nftChains(plan('v0.28.9', { ipMasq: false, forwardRules: false }))).toEqual({})
})

describe('what flanneld hands to iptables-restore', () => {
  const rules = [
    { table: 'nat', chain: 'POSTROUTING', text: '-j A' },
    { table: 'filter', chain: 'FORWARD', text: '-j B' },
    { table: 'nat', chain: 'A', text: '-j RETURN' },
  ] as const

  test('deletes what exists before it appends, table by table', () => {
    expect(applyPlan(rules, (r) => r.chain === 'A')).toEqual({
      nat: ['-A POSTROUTING -j A', '-D A -j RETURN', '-A A -j RETURN'],
      filter: ['-A FORWARD -j B'],
    })
    expect(teardownPlan(rules).nat).toEqual(['-D POSTROUTING -j A', '-D A -j RETURN'])
  })

  test('is nothing while every rule exists, and all of them when one is missing', () => {
    expect(resyncPlan(rules, () => true)).toEqual({})
    expect(resyncPlan(rules, (r) => r.chain !== 'A').nat).toHaveLength(3)
  })
})

test('every rule of every release names only the network, the podCIDR and multicast', () => {
  const release = fc.tuple(fc.integer({ min: 3, max: 28 }), fc.integer({ min: 0, max: 9 }))
  fc.assert(
    fc.property(release, fc.integer({ min: 0, max: 255 }), ([minor, patch], n) => {
      const p = plan(`v0.${minor}.${patch}`, { subnet: prefix(`10.244.${n}.0/24`) })
      for (const edit of masqueradeEdits(p)) {
        if (!('rule' in edit)) continue
        const named = formatRuleSpec(edit.rule).match(/\d+\.\d+\.\d+\.\d+\/\d+/g) ?? []
        expect(['10.244.0.0/16', `10.244.${n}.0/24`, '224.0.0.0/4']).toEqual(expect.arrayContaining(named))
      }
    }),
    { numRuns: 100 },
  )
})
