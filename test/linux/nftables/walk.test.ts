import { describe, expect, test } from 'vitest'
import { emptyRuleset } from '../../../src/artefact/iptables/rule.ts'
import { replaceRulesets } from '../../../src/linux/netfilter/netfilter.ts'
import { listNft } from '../../../src/linux/nftables/runtime.ts'
import { answerTo, flow, matched, nftRuleset, type Rig, rig, tcp, udp } from '../netfilter/rig.ts'

const inTable = (body: string, family = 'ip'): string => `table ${family} t {\n${body}\n}`
const filter = (rules: string, hook = 'forward', priority = '0', more = ''): string =>
  inTable(`${more}\n chain c {\n type filter hook ${hook} priority ${priority};\n${rules}\n }`)
const verdict = (nft: string, packet = udp('10.0.0.1:1000', '10.0.0.2:80')): string =>
  rig({ nft }).forward(packet).verdict

describe('a condition', () => {
  test.each([
    ['ip saddr 10.0.0.0/8 drop', 'drop'],
    ['ip saddr != 10.0.0.0/8 drop', 'accept'],
    ['ip saddr { 10.9.0.0/16, 10.0.0.1 } drop', 'drop'],
    ['ip daddr 10.0.0.2-10.0.0.9 drop', 'drop'],
    ['udp dport { 79, 80-90 } drop', 'drop'],
    ['udp dport > 80 drop', 'accept'],
    ['tcp dport 80 drop', 'accept'],
    ['tcp dport != 80 drop', 'accept'],
    ['meta l4proto udp th dport 80 drop', 'drop'],
    ['iifname "eth*" oif "eth1" drop', 'drop'],
    ['ct state new drop', 'drop'],
    ['ct state established,related drop', 'accept'],
    ['ct state != new drop', 'accept'],
    ['meta mark set 0x5 meta mark & 0x4 != 0 drop', 'drop'],
    ['meta mark 0x1 drop', 'accept'],
    ['fib daddr type local drop', 'accept'],
    ['ip6 saddr fd00::1 drop', 'accept'],
    ['ip daddr . meta l4proto . th dport vmap { 10.0.0.2 . udp . 80 : drop }', 'drop'],
    ['ip daddr . meta l4proto . th dport vmap { 10.0.0.2 . tcp . 80 : drop }', 'accept'],
    ['numgen random mod 3 vmap { 0 : drop, 1 : accept, 2 : accept }', 'drop'],
    ['numgen random mod 100 < 10 drop', 'drop'],
    ['reject', 'reject'],
    ['quota over 10 mbytes drop', 'undecided'],
  ])('%s', (rule, expected) => {
    expect(verdict(filter(rule))).toBe(expected)
  })
})

describe('chains', () => {
  test('jump comes back, goto does not, return leaves', () => {
    const jump = inTable(`chain d {\n return\n drop\n }
      chain e {\n meta mark set 1\n }
      chain c {\n type filter hook forward priority 0; policy drop;\n jump d\n goto e\n accept\n }`)
    expect(verdict(jump)).toBe('drop')
  })

  test('accept ends its own base chain alone; of equal priorities the newest chain is first, then iptables', () => {
    const nft = `${inTable('chain a {\n type filter hook forward priority 0;\n meta mark 2 accept\n meta mark set 1\n }')}
      table ip u { chain b { type filter hook forward priority 0;
        accept
      }
      chain z { type filter hook forward priority 0;
        meta mark set 2
      } }`
    const v4 =
      '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -m mark --mark 0x2 -j DROP\nCOMMIT\n'
    const r = rig({ nft, v4 })
    expect(r.forward(udp('10.0.0.1:1000', '10.0.0.2:80')).verdict).toBe('drop')
    expect(matched(r)).toEqual(['ip u z#1 continue', 'ip u b#1 accept', 'ip t a#1 accept', 'filter FORWARD#1 drop'])
  })

  test('of a table inet both families pass', () => {
    const nft = inTable(
      'chain c {\n type filter hook forward priority 0;\n ip6 saddr fd00::1 drop\n udp dport 80 reject\n }',
      'inet',
    )
    expect(rig({ nft }).forward(udp('[fd00::1]:1', '[fd00::2]:80')).verdict).toBe('drop')
    const rejected = rig({ nft }).forward(udp('[fd00::9]:1', '[fd00::2]:80'))
    expect(rejected).toMatchObject({ verdict: 'reject', answer: { kind: 'icmp', type: 1, code: 4 } })
  })
})

describe('nat', () => {
  const nft = inTable(`chain pre {\n type nat hook prerouting priority dstnat;
      meta l4proto udp dnat ip to numgen random mod 2 map { 0 : 10.1.0.1 . 8080, 1 : 10.1.0.2 . 8080 }\n }
    chain post {\n type nat hook postrouting priority srcnat;\n masquerade fully-random\n }`)

  test('is done once for a connection, and undone for its answers', () => {
    const r = rig({ nft })
    const sent = r.forward(udp('10.0.0.1:1000', '10.0.0.2:80'))
    const { packet } = sent.skb
    expect(packet.dst).toBe('10.1.0.1')
    expect(packet.src).toBe('198.51.100.1')
    const back = r.forward(answerTo(packet), { in: 'eth1', out: 'eth0' })
    expect(flow(back.skb.packet)).toBe('10.0.0.2:80 > 10.0.0.1:1000')
  })

  test('shares the connection with the nat table of iptables: who binds first, wins', () => {
    const v4 =
      '*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n-A PREROUTING -j DNAT --to-destination 10.9.9.9\nCOMMIT\n'
    expect(rig({ nft, v4 }).forward(tcp('10.0.0.1:1', '10.0.0.2:80', 'S')).skb.packet.dst).toBe('10.9.9.9')
    expect(rig({ nft, v4 }).forward(udp('10.0.0.1:1', '10.0.0.2:80')).skb.packet.dst).toBe('10.1.0.1')
  })
})

describe('a set that packets change', () => {
  const nft = filter(
    'ip saddr @seen drop\n update @seen { ip saddr }',
    'forward',
    '0',
    'set seen {\n type ipv4_addr\n flags dynamic,timeout\n timeout 10s\n }',
  )
  const send = (r: Rig): string => r.forward(udp('10.0.0.1:1000', '10.0.0.2:80')).verdict

  test('remembers for its timeout of virtual time', () => {
    const r = rig({ nft })
    expect([send(r), send(r)]).toEqual(['accept', 'drop'])
    expect(listNft(r.nf.nft, r.clock).tables[0]?.sets[0]?.elements).toMatchObject([{ expires: 10_000 }])
    r.clock = 10_001
    expect(send(r)).toBe('accept')
  })

  test('keeps what it learned when other rules are put in place', () => {
    const r = rig({ nft })
    send(r)
    const empty = { ipv4: emptyRuleset('ipv4'), ipv6: emptyRuleset('ipv6') }
    replaceRulesets(r.nf, empty, nftRuleset(nft.replace('ip saddr @seen drop', 'ip saddr @seen counter drop')))
    expect(send(r)).toBe('drop')
  })
})

test('counters count what passed all conditions', () => {
  const r = rig({ nft: filter('udp dport 80 counter accept\n udp dport 81 counter accept') })
  r.forward(udp('10.0.0.1:1000', '10.0.0.2:80'))
  const rules = listNft(r.nf.nft, 0).tables[0]?.chains[0]?.rules
  expect(rules?.map(({ statements }) => statements.find((s) => s.kind === 'counter'))).toEqual([
    { kind: 'counter', counter: { packets: 1, bytes: 32 } },
    { kind: 'counter', counter: { packets: 0, bytes: 0 } },
  ])
})
