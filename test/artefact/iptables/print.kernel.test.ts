import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRuleset } from '../../../src/artefact/iptables/parse.ts'
import { formatRule, formatTable } from '../../../src/artefact/iptables/print.ts'
import { builtinChains, type TableName } from '../../../src/artefact/iptables/rule.ts'
import type { Family } from '../../../src/net/ip.ts'
import { inNamespace, missingTools } from '../real-tools.ts'
import { anyRule } from './any-rule.ts'

const missing = missingTools('iptables-restore', 'ip6tables-restore', 'iptables-save', 'ipset')
const tool = { ipv4: 'iptables', ipv6: 'ip6tables' } as const

/** What the kernel has after the text was loaded, as iptables-save prints it. */
function loaded(text: string, family: Family): string {
  const script = `ipset create foo hash:ip,port; ipset create foo6 hash:ip,port family inet6
${tool[family]}-restore && ${tool[family]}-save | grep -v '^#'`
  const ran = inNamespace(script, text)
  expect(ran.stderr.replaceAll(/^Warning.*$/gm, '').trim()).toBe('')
  return ran.stdout
}

const withoutCounts = (text: string): string => text.replaceAll(/ \[\d+:\d+\]$/gm, ' [0:0]')

describe.skipIf(missing !== undefined)(`a real iptables agrees${missing ? ` (skipped: ${missing})` : ''}`, () => {
  test.each<[Family, TableName]>([
    ['ipv4', 'filter'],
    ['ipv4', 'nat'],
    ['ipv4', 'mangle'],
    ['ipv4', 'raw'],
    ['ipv6', 'filter'],
    ['ipv6', 'nat'],
    ['ipv6', 'mangle'],
  ])('random rules load, and are listed as we print them: %s %s', (family, table) => {
    const arbitrary = anyRule({ family, table, chains: ['A', 'B'], loadable: true })
    const rules = fc.sample(arbitrary, { numRuns: 150, seed: 20 })
    const own = rules.map((rule, i) => ({ name: `R${String(i).padStart(4, '0')}`, rules: [rule] }))
    const builtins = builtinChains[table].map((name) => ({ name, policy: 'ACCEPT' as const, rules: [] }))
    const chains = [...builtins, { name: 'A', rules: [] }, { name: 'B', rules: [] }, ...own]
    const text = formatTable({ name: table, chains })
    expect(withoutCounts(loaded(text, family))).toBe(text)
  })

  test('text in the ways people write it comes out of the kernel as it comes out of us', () => {
    const lines = [
      '-A X -p icmp --icmp-type fragmentation-needed -j REJECT',
      '-A X -p tcp --dport http --tcp-flags ALL SYN,ACK -j REJECT --reject-with tcp-rst',
      '-A X -m multiport -p tcp --destination-ports 80,https,1:4 -m comment --comment a.b',
      '-A X -m set --match-set foo src,dst -m mark --mark 010 -j LOG --log-prefix "a b" --log-level error --log-uid',
      '-A X -m conntrack --ctstate DNAT,INVALID --ctorigdstport 80 --ctproto udp --ctorigdst 10.1.1.1',
      '-A X -s 1.1.1.1,1.1.1.2 -d 2.2.2.2 -j MARK --or-mark 0x10',
      '-I X -s 10.1.2.3/255.255.0.0 -m statistic --mode random --probability 0.1666666667 -g Y',
      '-A X -m recent --name N --rcheck --seconds 10800 --reap -m limit --limit 90/min -j NFLOG --nflog-group 1',
      '-A X -m physdev --physdev-is-bridged ! --physdev-in a+ --physdev-out b -j CONNMARK --set-mark 1/0x10',
      '-A X -m addrtype --dst-type LOCAL,UNICAST --limit-iface-in -j SET --add-set foo src,dst --exist',
      '-A X -m iprange --dst-range 10.0.0.1-10.0.0.9 -m pkttype --pkt-type host -m mac --mac-source 02:00:0A:00:00:01',
      '-A X -p 4 -j DROP',
      '-A FORWARD -j X',
      '-P FORWARD DROP',
      '-I INPUT -p tcp -m tcp --tcp-option 3 -j RETURN',
      '-D X 3',
      '-A Y -p udp -m length --length 1:3 -j DROP',
    ]
    const text = ['*filter', ':X - [0:0]', ':Y - [0:0]', ...lines, 'COMMIT', ''].join('\n')
    const { ruleset, problems } = parseRuleset(text, 'ipv4')
    expect(problems).toEqual([])
    expect(withoutCounts(loaded(text, 'ipv4'))).toBe(formatTable(ruleset.tables[0] ?? { name: 'filter', chains: [] }))
  })

  test('what we refuse, iptables-restore --test refuses', () => {
    const refused = [
      '-s example.invalid',
      '-p tcp --dprot 80',
      '-m multiport --dports 80',
      '-m recent --set --rcheck',
      '-m conntrack --ctstate GONE',
      '-i averyveryverylongname',
      '-j NOCHAIN',
      '-p tcp --dport 99999',
    ]
    for (const spec of refused) {
      const text = `*filter\n:X - [0:0]\n-A X ${spec}\nCOMMIT\n`
      expect(parseRuleset(text, 'ipv4').problems, spec).not.toEqual([])
      expect(inNamespace('iptables-restore', text).status, spec).not.toBe(0)
    }
  })

  test('the legacy back end lists the same', () => {
    if (missingTools('iptables-legacy-restore') !== undefined) return
    const rules = fc.sample(anyRule({ table: 'filter', chains: ['B'], loadable: true }), { numRuns: 40, seed: 3 })
    const text = ['*filter', ':A - [0:0]', ':B - [0:0]', ...rules.map((r) => formatRule(r, 'A')), 'COMMIT', ''].join(
      '\n',
    )
    const ran = inNamespace('iptables-legacy-restore && iptables-legacy-save', text)
    if (ran.stderr.includes('Table does not exist') || ran.stderr.includes('not supported')) return
    expect(ran.stdout.split('\n').filter((l) => l.startsWith('-A'))).toEqual(rules.map((r) => formatRule(r, 'A')))
  })
})
