import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRule, parseRuleset } from '../../../src/artefact/iptables/parse.ts'
import { formatRule, formatRuleset } from '../../../src/artefact/iptables/print.ts'
import { type TableName, tableOrder } from '../../../src/artefact/iptables/rule.ts'
import { textProblemSentence } from '../../../src/artefact/problem.ts'
import { type Family, families } from '../../../src/net/ip.ts'
import { anyRule } from './any-rule.ts'

/** What iptables-save prints for an argument line, or the problems. */
function printed(line: string, family: Family = 'ipv4'): string {
  const { rules, problems } = parseRule(`-A X ${line}`, family)
  return [...rules.map((r) => formatRule(r, 'X').slice('-A X '.length)), ...problems.map(textProblemSentence)].join(
    '\n',
  )
}

describe('a rule as people and agents write it comes out as iptables-save prints it', () => {
  test.each([
    {
      name: 'kube-proxy order, unquoted comment',
      given: '-m comment --comment ns/svc:p80 -m tcp -p tcp -d 1.2.3.4 --dport 80 -j ACCEPT',
      saved: '-d 1.2.3.4/32 -p tcp -m comment --comment "ns/svc:p80" -m tcp --dport 80 -j ACCEPT',
    },
    {
      name: 'a match implied by the protocol',
      given: '-p tcp --dport http --syn',
      saved: '-p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN',
    },
    {
      name: 'an implied match keeps its place',
      given: '-p udp -m comment --comment a --sport 1: --dport :9',
      saved: '-p udp -m comment --comment a -m udp --sport 1:65535 --dport 0:9',
    },
    { name: 'dotted mask and host bits', given: '-s 10.1.2.3/255.255.0.0 -d 10.0.0.0/0', saved: '-s 10.1.0.0/16' },
    { name: 'negation after the option', given: '-s ! 10.0.0.0/8 -i ! eth0', saved: '! -s 10.0.0.0/8 ! -i eth0' },
    {
      name: 'protocol by number',
      given: '-p 6 -m multiport ! --ports 1,https,2:3',
      saved: '-p tcp -m multiport ! --ports 1,443,2:3',
    },
    { name: 'protocol 4 has another name', given: '-p 4', saved: '-p ipencap' },
    { name: 'all protocols and all interfaces', given: '-p all -i + -o any+', saved: '-o any+' },
    { name: 'fragments', given: '! -f ! -p tcp', saved: '! -p tcp ! -f' },
    {
      name: 'states in kernel order',
      given: '-m conntrack --ctstate DNAT,ESTABLISHED,INVALID',
      saved: '-m conntrack --ctstate INVALID,ESTABLISHED,DNAT',
    },
    {
      name: 'address types in kernel order',
      given: '-m addrtype --src-type LOCAL,UNICAST ! --dst-type BROADCAST',
      saved: '-m addrtype --src-type UNICAST,LOCAL ! --dst-type BROADCAST',
    },
    {
      name: 'all of conntrack',
      given:
        '-m conntrack --ctorigdstport 80 --ctproto tcp --ctorigdst 10.1.1.1 --ctrepldst 1.1.1.2/31 ! --ctdir ORIGINAL',
      saved: '-m conntrack --ctproto 6 --ctorigdst 10.1.1.1 --ctrepldst 1.1.1.2/31 --ctorigdstport 80 --ctdir REPLY',
    },
    {
      name: 'marks',
      given: '-m mark --mark 010 -m connmark ! --mark 0x00000001/0x1',
      saved: '-m mark --mark 0x8 -m connmark ! --mark 0x1/0x1',
    },
    { name: 'set-mark', given: '-j MARK --set-mark 0x1/0xf0', saved: '-j MARK --set-xmark 0x1/0xf1' },
    { name: 'or-mark', given: '-j MARK --or-mark 0x00004000', saved: '-j MARK --set-xmark 0x4000/0x4000' },
    { name: 'xor-mark', given: '-j MARK --xor-mark 0x00004000', saved: '-j MARK --set-xmark 0x4000/0x0' },
    { name: 'and-mark', given: '-j MARK --and-mark 0xff', saved: '-j MARK --set-xmark 0x0/0xffffff00' },
    {
      name: 'CONNMARK',
      given: '-j CONNMARK --save-mark --mask 0xff',
      saved: '-j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff',
    },
    {
      name: 'probability in parts of 2^31',
      given: '-m statistic --mode random --probability 0.3333333333',
      saved: '-m statistic --mode random --probability 0.33333333349',
    },
    {
      name: 'negated probability',
      given: '-m statistic --mode random ! --probability 0.3',
      saved: '-m statistic --mode random ! --probability 0.29999999981',
    },
    {
      name: 'recent with its defaults',
      given: '-m recent --name N --rcheck --seconds 10 --reap',
      saved: '-m recent --rcheck --seconds 10 --reap --name N --mask 255.255.255.255 --rsource',
    },
    { name: 'REJECT without a type', given: '-j REJECT', saved: '-j REJECT --reject-with icmp-port-unreachable' },
    {
      name: 'REJECT by an alias',
      given: '-p tcp -j REJECT --reject-with tcp-rst',
      saved: '-p tcp -j REJECT --reject-with tcp-reset',
    },
    {
      name: 'ICMP by name',
      given: '-p icmp --icmp-type fragmentation-needed',
      saved: '-p icmp -m icmp --icmp-type 3/4',
    },
    { name: 'any ICMP', given: '-p icmp -m icmp ! --icmp-type 255/3', saved: '-p icmp -m icmp ! --icmp-type any' },
    { name: 'nfacct has two blanks', given: '-m nfacct --nfacct-name n', saved: '-m nfacct --nfacct-name  n' },
    {
      name: 'rate in the largest unit',
      given: '-m limit --limit 60/minute --limit-burst 5',
      saved: '-m limit --limit 1/sec',
    },
    {
      name: 'DNAT to a port range',
      given: '-p tcp -j DNAT --to-destination 1.1.1.1-1.1.1.4:80-90 --random',
      saved: '-p tcp -j DNAT --to-destination 1.1.1.1-1.1.1.4:80-90 --random',
    },
    { name: 'SNAT by its short option', given: '-j SNAT --to 1.2.3.4', saved: '-j SNAT --to-source 1.2.3.4' },
    {
      name: 'MASQUERADE to one port',
      given: '-p tcp -j MASQUERADE --to-ports 1024-1024 --random-fully --random',
      saved: '-p tcp -j MASQUERADE --to-ports 1024 --random --random-fully',
    },
    {
      name: 'a misspelt option',
      given: '--source 1.1.1.1 --jump LOG --log-prefix "a b: " --log-level warning --goto-less',
      saved: 'line 1: found "--goto-less"; expected an option of iptables or of LOG',
    },
    { name: 'long names', given: '--in-interface eth0+ --goto KUBE', saved: '-i eth0+ -g KUBE' },
    {
      name: 'two instances of a match',
      given: '-m mark --mark 1 -m mark --mark 2',
      saved: '-m mark --mark 0x1 -m mark --mark 0x2',
    },
    {
      name: 'several sources are several rules',
      given: '-s 1.1.1.1,1.1.1.2 -d 2.2.2.2,2.2.2.3 -j DROP',
      saved:
        '-s 1.1.1.1/32 -d 2.2.2.2/32 -j DROP\n-s 1.1.1.1/32 -d 2.2.2.3/32 -j DROP\n-s 1.1.1.2/32 -d 2.2.2.2/32 -j DROP\n-s 1.1.1.2/32 -d 2.2.2.3/32 -j DROP',
    },
    {
      name: 'a module that is not modelled',
      given: '-m u32 --u32 "0>>22&0x3C@0=1" -s 1.1.1.1 -j TEE --gateway 1.1.1.2',
      saved: '-s 1.1.1.1/32 -m u32 --u32 "0>>22&0x3C@0=1" -j TEE --gateway 1.1.1.2',
    },
    {
      name: 'an option that is not modelled',
      given: '-p tcp --tcp-option 3 -m set ! --match-set s src,dst --return-nomatch',
      saved: '-p tcp -m tcp --tcp-option 3 -m set ! --match-set s src,dst --return-nomatch',
    },
    {
      name: 'quoting',
      given: '-m comment --comment "a \\"b\\" c\\\\d \'e\'"',
      saved: '-m comment --comment "a \\"b\\" c\\\\d \\\'e\\\'"',
    },
  ])('$name', ({ given, saved }) => {
    expect(printed(given)).toBe(saved)
  })

  test.each([
    {
      given: '-p icmpv6 --icmpv6-type echo-request -m icmp6 ! --icmpv6-type 1/3',
      saved: '-p ipv6-icmp -m icmp6 --icmpv6-type 128 -m icmp6 ! --icmpv6-type 1/3',
    },
    {
      given: '-s FD00::1 -d fd00::/ffff:: -j REJECT',
      saved: '-s fd00::1/128 -d fd00::/16 -j REJECT --reject-with icmp6-port-unreachable',
    },
    { given: '-p tcp -j DNAT --to-destination [fd00::1]:80', saved: '-p tcp -j DNAT --to-destination [fd00::1]:80' },
    { given: '-j DNAT --to-destination fd00::1-fd00::3', saved: '-j DNAT --to-destination fd00::1-fd00::3' },
    {
      given: '-m recent --set',
      saved: '-m recent --set --name DEFAULT --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource',
    },
  ])('in IPv6: $given', ({ given, saved }) => {
    expect(printed(given, 'ipv6')).toBe(saved)
  })
})

describe('what iptables refuses is told with what would be right', () => {
  test.each([
    { given: '-s example.com', expected: 'an IPv4 address or CIDR block (host names are not looked up)' },
    { given: '-s fd00::1', expected: 'an IPv4 address' },
    { given: '-s 10.0.0.0/33', expected: 'an IPv4 address' },
    { given: '-p tcp --dprot 80', expected: 'an option of iptables' },
    { given: '-p tcp --dport 70000', expected: 'from 0 to 65535' },
    { given: '-p tcp --dport', expected: 'a value after --dport' },
    { given: '-m multiport --dports 80', expected: '-p tcp' },
    { given: '-m tcp --dport 80', expected: '-p tcp in a rule' },
    { given: '-p udp -j REJECT --reject-with tcp-reset', expected: 'only after -p tcp' },
    { given: '-j DNAT --to-destination 1.1.1.1:80', expected: 'a port only after -p' },
    { given: '-m recent --set --rcheck', expected: 'only one of' },
    { given: '-m conntrack --ctstate GONE', expected: 'INVALID' },
    { given: '-m statistic --mode random --probability 1.5', expected: 'from 0 to 1' },
    { given: '-m comment', expected: '--comment' },
    { given: '-i averyveryverylongname', expected: 'at most 15' },
    { given: '-j ACCEPT -j DROP', expected: 'only one' },
    { given: 'stray', expected: 'an option' },
    { given: '-m comment --comment "open', expected: 'closing quote' },
    { given: '!', expected: 'an option after' },
  ])('$given', ({ given, expected }) => {
    const { rules, problems } = parseRule(`-A X ${given}`, 'ipv4')
    expect(rules).toEqual([])
    expect(problems.map((p) => p.expected).join()).toContain(expected)
  })
})

describe('a whole text', () => {
  const restore = [
    '*nat',
    ':KUBE-SVC - [0:0]',
    '-A PREROUTING -j KUBE-SVC',
    '[3:180] -A KUBE-SVC -p tcp -j DNAT --to-destination 1.1.1.1:8',
    'COMMIT',
    '*filter',
    '-P FORWARD DROP',
    '-I FORWARD -s 1.1.1.1',
    '-I FORWARD 2 -s 1.1.1.2',
    '-D FORWARD 1',
    'COMMIT',
  ]

  test('a table has its built-in chains, tables and chains stand in the order of iptables-save', () => {
    const { ruleset, problems } = parseRuleset(restore.join('\n'), 'ipv4')
    expect(problems).toEqual([])
    expect(formatRuleset(ruleset)).toBe(
      [
        '*filter',
        ':INPUT ACCEPT [0:0]',
        ':FORWARD DROP [0:0]',
        ':OUTPUT ACCEPT [0:0]',
        '-A FORWARD -s 1.1.1.2/32',
        'COMMIT',
        '*nat',
        ':PREROUTING ACCEPT [0:0]',
        ':INPUT ACCEPT [0:0]',
        ':OUTPUT ACCEPT [0:0]',
        ':POSTROUTING ACCEPT [0:0]',
        ':KUBE-SVC - [0:0]',
        '-A PREROUTING -j KUBE-SVC',
        '-A KUBE-SVC -p tcp -j DNAT --to-destination 1.1.1.1:8',
        'COMMIT',
        '',
      ].join('\n'),
    )
    expect(formatRuleset(ruleset, { counters: true })).toContain('\n[3:180] -A KUBE-SVC -p tcp')
  })

  test('lines of iptables -S and of scripts', () => {
    const { ruleset, problems } = parseRuleset(
      "-P INPUT DROP\n-N A\niptables -w 5 -t nat -A POSTROUTING -m comment --comment 'x y' -j MASQUERADE\niptables -A A -j DROP",
      'ipv4',
    )
    expect(problems).toEqual([])
    expect(ruleset.tables.flatMap((t) => t.chains.flatMap((c) => c.rules.map((r) => formatRule(r, c.name))))).toEqual([
      '-A A -j DROP',
      '-A POSTROUTING -m comment --comment "x y" -j MASQUERADE',
    ])
  })

  test('every problem is told with its line, the other lines count', () => {
    const text =
      '*filter\n:A - [0:0]\n-A A -j NOWHERE\n-A B -j DROP\n-A A -p tcp --dport x\n-A A -j DROP\n*nope\nCOMMIT\n-X INPUT\n:C - [0:0]'
    const { ruleset, problems } = parseRuleset(text, 'ipv4')
    expect(problems.map((p) => p.line)).toEqual([3, 4, 5, 7, 7, 9, 10])
    expect(ruleset.tables[0]?.chains.find((c) => c.name === 'A')?.rules).toHaveLength(2)
  })
})

describe('laws', () => {
  const cases = families.flatMap((family) => tableOrder.map((table): [Family, TableName] => [family, table]))
  test.each(cases)('a rule read back from its listing is the same rule: %s %s', (family, table) => {
    fc.assert(
      fc.property(anyRule({ family, table }), (rule) => {
        const { rules, problems } = parseRule(formatRule(rule, 'X'), family)
        expect(problems).toEqual([])
        expect(rules).toEqual([rule])
      }),
      { numRuns: 150 },
    )
  })

  test('no text makes the parser throw, and every line is either kept or told', () => {
    const word = fc.constantFrom(
      '-A',
      'X',
      '-p',
      'tcp',
      '!',
      '-m',
      'comment',
      '--comment',
      '"',
      '"a b"',
      '-j',
      '--dport',
      '80',
      '-s',
      '1.1.1.1',
      '*filter',
      ':X - [0:0]',
      'COMMIT',
      '-t',
      'nat',
      '-I',
      '3',
      '-D',
      '-c',
      '-f',
      '--',
      '',
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        const { chain, rules, problems } = parseRule(words.join(' '), 'ipv4')
        expect(rules.length + problems.length).toBeGreaterThan(0)
        expect(chain === undefined || chain.length > 0).toBe(true)
        parseRuleset(words.join(' '), 'ipv4')
        parseRuleset(words.join('\n'), 'ipv6')
      }),
      { numRuns: 500 },
    )
  })
})
