import { describe, expect, test } from 'vitest'
import { formatNft, formatNftRule } from '../../../src/artefact/nft/print.ts'
import { parseNft, runNft } from '../../../src/artefact/nft/read.ts'
import { textProblemSentence } from '../../../src/artefact/problem.ts'

const ruleOf = (text: string, family = 'ip', type = ''): string => {
  const { ruleset, problems } = parseNft(`table ${family} t {\n chain d {\n}\n chain c {\n${type}\n${text}\n }\n}`)
  expect(problems).toEqual([])
  const rule = ruleset.tables[0]?.chains[1]?.rules[0]
  return rule ? formatNftRule(rule) : ''
}

describe('a rule is printed as nft lists it', () => {
  test.each([
    ['ip saddr == 10.0.0.1 counter accept', 'ip saddr 10.0.0.1 counter packets 0 bytes 0 accept'],
    ['ip saddr { 10.0.0.1 } accept', 'ip saddr 10.0.0.1 accept'],
    ['ip saddr != { 192.168.0.0/16,10.0.0.0/8 } drop', 'ip saddr != { 10.0.0.0/8, 192.168.0.0/16 } drop'],
    ['ip saddr 10.0.0.1/8 accept', 'ip saddr 10.0.0.0/8 accept'],
    ['mark set mark or 0x4000', 'meta mark set meta mark | 0x00004000'],
    ['mark and 0x4000 == 0 return', 'meta mark & 0x00004000 == 0x00000000 return'],
    ['meta mark & (1|2) != 0 accept', 'meta mark & 0x00000003 != 0x00000000 accept'],
    ['ct state related,established accept', 'ct state established,related accept'],
    ['ct state vmap { established : accept, invalid:drop }', 'ct state vmap { invalid : drop, established : accept }'],
    ['ct state { related, established } accept', 'ct state { established, related } accept'],
    ['meta l4proto { 17, tcp } th dport 53 accept', 'meta l4proto { tcp, udp } th dport 53 accept'],
    ['icmp type { echo-request, echo-reply } accept', 'icmp type { echo-reply, echo-request } accept'],
    ['tcp flags & (fin|syn|rst|ack) == syn accept', 'tcp flags syn / fin,syn,rst,ack accept'],
    ['iif lo accept', 'iif "lo" accept'],
    ['meta iifname cali* accept', 'iifname "cali*" accept'],
    ['fib daddr type local ip daddr != 127.0.0.0/8 accept', 'fib daddr type local ip daddr != 127.0.0.0/8 accept'],
    ['numgen random mod 2 vmap { 0 : goto d , 1 : jump d }', 'numgen random mod 2 vmap { 0 : goto d, 1 : jump d }'],
    ['reject with icmp type port-unreachable', 'reject'],
    ['reject with icmp type host-prohibited', 'reject with icmp host-prohibited'],
    ['log group 2 prefix "x"', 'log prefix "x" group 2'],
    ['limit rate 10/minute burst 5 packets accept', 'limit rate 10/minute accept'],
    ['drop comment "why"', 'drop comment "why"'],
    ['quota over 10 mbytes drop', 'quota over 10 mbytes drop'],
  ])('%s', (given, listed) => {
    expect(ruleOf(given)).toBe(listed)
    expect(ruleOf(listed)).toBe(listed)
  })

  test.each([
    ['dnat to ip daddr map { 1.1.1.1 : 2.2.2.2 }'],
    ['meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 81 }'],
    ['tcp dport 5 dnat to 1.1.1.1-1.1.1.5:80-90 random'],
    ['masquerade fully-random'],
  ])('in a nat chain: %s', (text) => {
    expect(ruleOf(text)).toBe(text)
  })

  test('in an inet table the family of a NAT target is written, that of an address is not', () => {
    expect(ruleOf('ip saddr 1.1.1.1 snat to 2.2.2.2', 'inet')).toBe('ip saddr 1.1.1.1 snat ip to 2.2.2.2')
    expect(ruleOf('meta nfproto ipv4 ip saddr 1.1.1.1 accept', 'inet')).toBe('ip saddr 1.1.1.1 accept')
    expect(ruleOf('dnat ip6 to [fd00::1]:80', 'inet')).toBe('dnat ip6 to [fd00::1]:80')
  })
})

describe('a script', () => {
  const base = 'add table ip t\nadd chain ip t c { type filter hook input priority -110 ; }\n'
  const text = (script: string): string => formatNft(parseNft(script).ruleset)

  test('adds, inserts, flushes and deletes', () => {
    const script = `${base}add rule ip t c ip saddr 1.1.1.1 drop\ninsert rule ip t c accept
      add set ip t s { type ipv4_addr ; flags dynamic,timeout ; timeout 10800s ; }
      add element ip t s { 1.1.1.1, 1.1.1.2 }\ndelete element ip t s { 1.1.1.2 }
      add chain ip t gone\ndelete chain ip t gone`
    expect(text(script)).toBe(
      [
        'table ip t {',
        '\tset s {',
        '\t\ttype ipv4_addr',
        '\t\tsize 65535',
        '\t\tflags dynamic,timeout',
        '\t\ttimeout 3h',
        '\t\telements = { 1.1.1.1 }',
        '\t}',
        '',
        '\tchain c {',
        '\t\ttype filter hook input priority -110; policy accept;',
        '\t\taccept',
        '\t\tip saddr 1.1.1.1 drop',
        '\t}',
        '}',
        '',
      ].join('\n'),
    )
  })

  test('run on a ruleset leaves what it does not touch as it was', () => {
    const before = parseNft(`${base}add table ip6 other\nadd chain ip6 other c`).ruleset
    const after = runNft(before, 'flush chain ip t c\nadd rule ip t c drop').ruleset
    expect(after.tables[1]).toBe(before.tables[1])
    expect(formatNft(after)).toContain('\t\tdrop\n')
  })

  test('a rule that cannot be read stands there all the same', () => {
    const { ruleset } = parseNft(`${base}add rule ip t c ip saddr 10.0.0.300 drop\nadd rule ip t c accept`)
    expect(formatNft(ruleset)).toContain('\t\tip saddr 10.0.0.300 drop\n\t\taccept\n')
  })

  test.each([
    ['add rule ip t nowhere drop', 'line 3: found "add rule"; expected a chain: nowhere does not exist'],
    ['add rule ip t c ip saddr 10.0.0.300 drop', 'line 3: found "10.0.0.300"; expected a value of type ipv4_addr'],
    ['add chain ip t d { type filter hook input priority dstnat ; }', /a priority instead of "dstnat"/],
    ['add element ip t s { 1.1.1.1 }', /a set or map of this table/],
    ['table bridge x { }', /a table of family ip, ip6 or inet/],
    ['frobnicate', /a command/],
  ])('tells what is wrong: %s', (line, expected) => {
    const { problems } = parseNft(base + line)
    expect(problems.map(textProblemSentence)[0]).toMatch(expected)
  })
})
