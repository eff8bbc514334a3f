import { describe, expect, test } from 'vitest'
import { allocateMarks } from '../../../../src/cni/calico/felix/marks.ts'
import { anyEnd, type ParsedEnd, type ParsedRule } from '../../../../src/cni/calico/felix/parsed-rule.ts'
import { type PolicyContext, policyRules } from '../../../../src/cni/calico/felix/policy-chain.ts'
import { ruleText } from '../../../../src/cni/calico/felix/rule.ts'
import { splitPorts } from '../../../../src/cni/calico/felix/rule-match.ts'

const context: PolicyContext = {
  family: 'ipv4',
  marks: allocateMarks(0xffff0000, { dropBit: true }),
  denyAction: 'DROP',
  logPrefix: 'calico-packet',
  flowLogs: false,
  owner: { type: 'policy', id: 'np/shop/web', shortKind: 'np', namespace: 'shop', name: 'web', tier: 'default' },
  direction: 'ingress',
}

const rule = (
  parts: Partial<Omit<ParsedRule, 'src' | 'dst'>> & { src?: Partial<ParsedEnd>; dst?: Partial<ParsedEnd> },
): ParsedRule => ({
  action: 'allow',
  ...parts,
  src: { ...anyEnd, ...parts.src },
  dst: { ...anyEnd, ...parts.dst },
})

const lines = (rules: readonly ParsedRule[], ctx = context): readonly string[] =>
  policyRules(rules, 'c', ctx).map(ruleText)

describe('the chain of a policy', () => {
  test('one set and one port fit into one rule; the last RETURN is left out', () => {
    expect(lines([rule({ protocol: 'tcp', src: { sets: ['s:x'] }, dst: { ports: ['80'] } })])).toEqual([
      '-m comment --comment "c" -p tcp -m set --match-set cali40s:x src -m multiport --destination-ports 80 --jump MARK --set-mark 0x10000/0x10000',
    ])
  })

  test('a policy without rules is a comment', () => {
    expect(lines([])).toEqual(['-m comment --comment "c"'])
  })

  test('deny marks and drops; in releases without the mark it drops at once', () => {
    expect(lines([rule({ action: 'deny', src: { nets: ['10.0.0.0/8'] } })])).toEqual([
      '-m comment --comment "c" --source 10.0.0.0/8 --jump MARK --set-mark 0x40000/0x40000',
      '-m mark --mark 0x40000/0x40000 --jump DROP',
    ])
    const older = { ...context, marks: allocateMarks(0xffff0000, { dropBit: false }) }
    expect(lines([rule({ action: 'deny' })], older)).toEqual(['-m comment --comment "c" --jump DROP'])
  })

  test('a net with exceptions goes through a block', () => {
    const texts = lines([rule({ src: { nets: ['10.0.0.0/8'], notNets: ['10.1.0.0/16', '10.2.0.0/16'] } })])
    expect(texts.map((t) => t.replace('-m comment --comment "c" ', ''))).toEqual([
      '--jump MARK --set-mark 0x80000/0x180000',
      '--source 10.1.0.0/16 --jump MARK --set-mark 0/0x80000',
      '--source 10.2.0.0/16 --jump MARK --set-mark 0/0x80000',
      '--source 10.0.0.0/8 -m mark --mark 0x80000/0x80000 --jump MARK --set-mark 0x10000/0x10000',
    ])
  })

  test('a rule about the other family has no line', () => {
    expect(lines([rule({ src: { nets: ['fd00::/8'] } })])).toEqual(['-m comment --comment "c"'])
    expect(lines([rule({ ipVersion: 6 })])).toEqual(['-m comment --comment "c"'])
    expect(lines([rule({ src: { notNets: ['0.0.0.0/0'] } })])).toEqual(['-m comment --comment "c"'])
  })

  test('a type of ICMP has a line in its own family only', () => {
    const v6 = { ...context, family: 'ipv6' } as const
    const ping = [rule({ protocol: 'icmp', icmp: { type: 8 } })]
    const ping6 = [rule({ protocol: 'icmpv6', notIcmp: { type: 128, code: 0 } })]
    const lineOf = (match: string): string => `-m comment --comment "c" ${match} --jump MARK --set-mark 0x10000/0x10000`
    expect(lines(ping)).toEqual([lineOf('-p icmp -m icmp --icmp-type 8')])
    expect(lines(ping, v6)).toEqual(['-m comment --comment "c"'])
    expect(lines(ping6)).toEqual(['-m comment --comment "c"'])
    expect(lines(ping6, v6)).toEqual([lineOf('-p icmpv6 -m icmp6 ! --icmpv6-type 128/0')])
  })

  test('a multiport match has fifteen slots, of which a range takes two', () => {
    expect(splitPorts(Array.from({ length: 16 }, (_, i) => `${i}`)).map((s) => s.length)).toEqual([15, 1])
    expect(splitPorts(Array.from({ length: 8 }, (_, i) => `${i}:${i + 1}`)).map((s) => s.length)).toEqual([7, 1])
  })

  test('a log prefix may name tier, kind, policy and name', () => {
    const ctx = { ...context, logPrefix: '%t %k %p %n' }
    expect(lines([rule({ action: 'log' })], ctx)).toEqual([
      '-m comment --comment "c" --jump LOG --log-prefix "default np shop/web web: " --log-level 5',
    ])
  })
})
