import { describe, expect, test } from 'vitest'
import { replaceRulesets, tracksConnections } from '../../../src/linux/netfilter/netfilter.ts'
import { skbOf } from '../../../src/linux/skb.ts'
import { icmpError, matched, rig, ruleset, tcp, udp } from './rig.ts'

const syn = tcp('10.0.0.1:40000', '10.0.0.2:80', 'S')

const filter = (lines: string, policy = 'ACCEPT'): string =>
  `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ${policy} [0:0]\n${lines}\nCOMMIT\n`

function forward(text: string, packet = syn) {
  const r = rig({ v4: text })
  const result = r.run('forward', skbOf(packet))
  return { verdict: result.verdict, matched: matched(r), r, result }
}

describe('how a chain is left', () => {
  test('a jump returns to the rule after it, at the end of the chain and by RETURN', () => {
    const { verdict, matched } = forward(
      filter(
        ':A - [0:0]\n:B - [0:0]\n-A FORWARD -j A\n-A FORWARD -j B\n-A FORWARD -j DROP\n-A A -p udp -j DROP\n-A B -p tcp -j RETURN\n-A B -j ACCEPT',
      ),
    )
    expect(matched).toEqual([
      'filter FORWARD#1 jump',
      'filter FORWARD#2 jump',
      'filter B#1 return',
      'filter FORWARD#3 drop',
    ])
    expect(verdict).toBe('drop')
  })

  test('a goto does not come back to its chain, but to the caller of that chain', () => {
    const { matched } = forward(
      filter(
        ':A - [0:0]\n:B - [0:0]\n-A FORWARD -j A\n-A FORWARD -j DROP\n-A A -g B\n-A A -j ACCEPT\n-A B -p udp -j ACCEPT',
      ),
    )
    expect(matched).toEqual(['filter FORWARD#1 jump', 'filter A#1 goto', 'filter FORWARD#2 drop'])
  })

  test('a goto from a built-in chain ends at its policy', () => {
    const { verdict, matched } = forward(filter(':A - [0:0]\n-A FORWARD -g A\n-A FORWARD -j ACCEPT\n-A A', 'DROP'))
    expect({ verdict, matched }).toEqual({ verdict: 'drop', matched: ['filter FORWARD#1 goto', 'filter A#1 continue'] })
  })

  test('RETURN in a built-in chain is its policy', () => {
    const { verdict, r } = forward(filter('-A FORWARD -j RETURN\n-A FORWARD -j ACCEPT', 'DROP'))
    expect(verdict).toBe('drop')
    expect(r.events.filter((e) => e.kind === 'drop')).toMatchObject([
      { reason: 'policy-drop', table: 'filter', chain: 'FORWARD' },
    ])
    expect(r.counters()).toEqual(['+1 filter FORWARD#0', '+1 filter FORWARD#1'])
  })

  test('ACCEPT in one table leaves the next table of the hook to decide', () => {
    const text = `*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j ACCEPT\nCOMMIT\n${filter('-A FORWARD -j DROP')}`
    expect(forward(text)).toMatchObject({
      verdict: 'drop',
      matched: ['mangle FORWARD#1 accept', 'filter FORWARD#1 drop'],
    })
  })
})

describe('what no kernel would load ends undecided, and never hangs', () => {
  test.each([
    ['a jump to itself', ':A - [0:0]\n-A FORWARD -j A\n-A A -j A', 'leads back to itself'],
    ['a circle of two', ':A - [0:0]\n:B - [0:0]\n-A FORWARD -j A\n-A A -j B\n-A B -j A', 'leads back to itself'],
    ['a circle by goto', ':A - [0:0]\n:B - [0:0]\n-A FORWARD -g A\n-A A -g B\n-A B -g A', 'leads back to itself'],
    ['DNAT in the filter table', '-A FORWARD -p tcp -j DNAT --to-destination 10.0.0.3', 'no kernel takes DNAT'],
    ['an unknown target', '-A FORWARD -j MADEUP --option', 'cannot be carried out'],
    ['an unknown condition before a verdict', '-A FORWARD -m madeup -j DROP', 'cannot be evaluated'],
    ['an unknown condition before a mark', '-A FORWARD -m madeup -j MARK --set-xmark 0x1/0x1', 'cannot be evaluated'],
  ])('%s', (_, rules, why) => {
    const { verdict, r } = forward(filter(rules))
    expect(verdict).toBe('undecided')
    const [end] = r.events.filter((e) => e.kind === 'drop')
    expect(end).toMatchObject({ reason: 'unsupported-rule', table: 'filter', detail: expect.stringContaining(why) })
  })

  test('the same chain may be called twice in a row', () => {
    const { verdict } = forward(
      filter(
        ':A - [0:0]\n:B - [0:0]\n-A FORWARD -j A\n-A FORWARD -j A\n-A FORWARD -g B\n-A A -j B\n-A B -p udp -j DROP',
      ),
    )
    expect(verdict).toBe('accept')
  })
})

describe('rules examined', () => {
  const many = Array.from(
    { length: 50 },
    (_, i) => `-A FORWARD -d 10.1.0.${i}/32 -p tcp -m tcp --dport 80 -j DROP`,
  ).join('\n')

  test.each([false, true])('are counted as the kernel compares them, the misses told or not (%s)', (everyRule) => {
    const r = rig({
      v4: filter(`${many}\n:A - [0:0]\n-A FORWARD -j A\n-A FORWARD -p udp -j DROP\n-A A -p udp -j DROP`),
      everyRule,
    })
    r.run('forward', skbOf(syn))
    const told = r.events.flatMap((e) =>
      e.kind === 'rule' || e.kind === 'chain-end' ? [[e.kind, e.chain, e.examined]] : [],
    )
    expect(told).toEqual([
      ['rule', 'FORWARD', 51],
      ['chain-end', 'A', 1],
      ['chain-end', 'FORWARD', 1],
    ])
    expect(r.events.filter((e) => e.kind === 'rule-miss')).toHaveLength(everyRule ? 52 : 0)
  })
})

describe('REJECT', () => {
  test.each([
    ['icmp-port-unreachable', syn, { kind: 'icmp', type: 3, code: 3 }],
    ['icmp-net-unreachable', syn, { kind: 'icmp', type: 3, code: 0 }],
    ['icmp-host-unreachable', syn, { kind: 'icmp', type: 3, code: 1 }],
    ['icmp-proto-unreachable', syn, { kind: 'icmp', type: 3, code: 2 }],
    ['icmp-net-prohibited', syn, { kind: 'icmp', type: 3, code: 9 }],
    ['icmp-host-prohibited', syn, { kind: 'icmp', type: 3, code: 10 }],
    ['icmp-admin-prohibited', syn, { kind: 'icmp', type: 3, code: 13 }],
    ['tcp-reset', syn, { kind: 'tcp-reset' }],
  ])('--reject-with %s', (type, packet, answer) => {
    const { result, r } = forward(filter(`-A FORWARD -p tcp -j REJECT --reject-with ${type}`), packet)
    expect(result).toMatchObject({ verdict: 'reject', answer })
    expect(r.events.filter((e) => e.kind === 'drop')).toMatchObject([{ reason: 'rule-reject', index: 1 }])
  })

  test.each([
    ['icmp6-no-route', { type: 1, code: 0 }],
    ['icmp6-adm-prohibited', { type: 1, code: 1 }],
    ['icmp6-addr-unreachable', { type: 1, code: 3 }],
    ['icmp6-port-unreachable', { type: 1, code: 4 }],
    ['icmp6-policy-fail', { type: 1, code: 5 }],
    ['icmp6-reject-route', { type: 1, code: 6 }],
  ])('--reject-with %s', (type, answer) => {
    const r = rig({ v6: filter(`-A FORWARD -j REJECT --reject-with ${type}`) })
    const result = r.run('forward', skbOf(udp('[fd00::1]:1', '[fd00::2]:2')))
    expect(result).toMatchObject({ verdict: 'reject', answer: { kind: 'icmp', ...answer } })
  })

  test('a RST is not answered with a RST', () => {
    const rst = tcp('10.0.0.1:40000', '10.0.0.2:80', 'R')
    expect(forward(filter('-A FORWARD -p tcp -j REJECT --reject-with tcp-reset'), rst).verdict).toBe('drop')
  })
})

describe('targets that go on', () => {
  test.each([
    ['--set-xmark 0x4000/0x4000', 0x8001, 0xc001],
    ['--set-xmark 0x5/0xffffffff', 0x8001, 0x5],
    ['--set-xmark 0x4000/0x0', 0x4001, 0x1],
    ['--set-xmark 0x80000000/0x80000000', 1, 0x80000001],
  ])('MARK %s on 0x%x', (option, before, after) => {
    const r = rig({ v4: filter(`-A FORWARD -j MARK ${option}`) })
    const result = r.run('forward', { ...skbOf(syn), mark: before })
    expect(result).toMatchObject({ verdict: 'accept', skb: { mark: after } })
    expect(r.events.filter((e) => e.kind === 'mark')).toEqual([{ kind: 'mark', before, after }])
  })

  test('a rule without target counts and goes on, and so does LOG', () => {
    const { verdict, r } = forward(filter('-A FORWARD -p tcp\n-A FORWARD -j LOG --log-prefix "x "\n-A FORWARD -p udp'))
    expect(verdict).toBe('accept')
    expect(r.counters()).toEqual(['+1 filter FORWARD#0', '+1 filter FORWARD#1', '+1 filter FORWARD#2'])
  })

  test('CONNMARK carries a mark to the answers of a connection', () => {
    const r = rig({
      v4: '*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p udp -m conntrack --ctstate NEW -j CONNMARK --set-xmark 0x7/0xffffffff\n-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff\nCOMMIT\n',
    })
    r.forward(udp('10.0.0.1:1', '10.0.0.2:2'))
    expect(r.forward(udp('10.0.0.2:2', '10.0.0.1:1'))).toMatchObject({ verdict: 'accept', skb: { mark: 7 } })
  })
})

describe('a namespace without rules', () => {
  test('runs nothing, tracks nothing and says nothing', () => {
    const r = rig()
    expect(r.forward(syn).verdict).toBe('accept')
    expect(r.events).toEqual([])
    expect(r.connections()).toEqual([])
  })

  test.each([
    ['a nat table', '*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n', true],
    ['a conntrack match', filter('-A FORWARD -m conntrack --ctstate NEW -j ACCEPT'), true],
    ['a state match', filter('-A FORWARD -m state --state NEW -j ACCEPT'), true],
    ['plain rules', filter('-A FORWARD -p tcp -j ACCEPT'), false],
    ['NOTRACK alone', '*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j NOTRACK\nCOMMIT\n', false],
  ])('connections are tracked with %s', (_, text, expected) => {
    const r = rig({ v4: text })
    expect([tracksConnections(r.nf, 'ipv4'), tracksConnections(r.nf, 'ipv6')]).toEqual([expected, false])
  })
})

describe('replacing the rules', () => {
  test('keeps connections and lists, and the counters of chains that are the same', () => {
    const text =
      '*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -m recent --set --name L --mask 255.255.255.255 --rsource\nCOMMIT\n'
    const r = rig({ v4: text })
    const before = { ipv4: ruleset(text, 'ipv4'), ipv6: ruleset('', 'ipv6') }
    replaceRulesets(r.nf, before)
    r.forward(syn)
    replaceRulesets(r.nf, { ...before })
    expect(r.counters()).toEqual(['+1 nat PREROUTING#0', '+1 nat PREROUTING#1', '+1 nat POSTROUTING#0'])
    replaceRulesets(r.nf, { ...before, ipv4: ruleset('*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n', 'ipv4') })
    expect(r.counters()).toEqual([])
    expect(r.connections()).toHaveLength(1)
    expect([...(r.nf.recent.get('L')?.entries.keys() ?? [])]).toEqual(['10.0.0.1'])
  })
})

test('an ICMP error is no flow of its own where nothing is known about its quote', () => {
  const r = rig({ v4: filter('-A FORWARD -m conntrack --ctstate INVALID -j DROP') })
  expect(r.forward(icmpError('10.0.0.2', '10.0.0.1', syn)).verdict).toBe('drop')
})
