import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Chain } from '../../../src/artefact/iptables/rule.ts'
import { nextByWalk, nextIndexed } from '../../../src/linux/netfilter/chain-index.ts'
import { compileChain } from '../../../src/linux/netfilter/compile-chain.ts'
import type { Facts } from '../../../src/linux/netfilter/facts.ts'
import { addressWords } from '../../../src/linux/netfilter/facts.ts'
import { replaceRulesets } from '../../../src/linux/netfilter/netfilter.ts'
import { skbOf } from '../../../src/linux/skb.ts'
import { type Ip, ip } from '../../../src/net/ip.ts'
import { rig, ruleset, tcp, udp } from './rig.ts'

/** Few values, so that rules of one address and port meet; masks, ranges and negations among them. */
const address = fc.integer({ min: 1, max: 6 }).map((n) => `10.96.0.${n}`)
const asked = fc.oneof(
  { weight: 6, arbitrary: address.map((a) => `${a}/32`) },
  fc.constantFrom('10.96.0.0/30', '10.96.0.4/31', '0.0.0.0/0'),
)
const not = fc.oneof({ weight: 8, arbitrary: fc.constant('') }, fc.constant('! '))
const port = fc.integer({ min: 80, max: 84 })
const ports = fc.oneof({ weight: 4, arbitrary: port.map(String) }, fc.constantFrom('80:82', ':83', '84:'))
const transport = fc
  .tuple(fc.constantFrom('tcp', 'udp'), fc.option(ports), not)
  .map(([p, dport, n]) => `-p ${p}${dport === null ? '' : ` -m ${p} ${n}--dport ${dport}`}`)
const target = fc.constantFrom('', '-j ACCEPT', '-j DROP', '-j RETURN', '-j MARK --set-xmark 0x4000/0x4000', '-j SIDE')
const part = (flag: string) =>
  fc.option(
    fc.tuple(not, asked).map(([n, a]) => `${n}${flag} ${a}`),
    { nil: '' },
  )
const ruleText = fc
  .tuple(part('-s'), part('-d'), fc.option(transport, { nil: '' }), target)
  .map((parts) => parts.filter((p) => p !== '').join(' '))
const rulesText = fc.array(ruleText, { minLength: 24, maxLength: 60 })

const text = (rules: readonly string[]): string =>
  `*filter\n:FORWARD DROP [0:0]\n:SIDE - [0:0]\n${rules.map((r) => `-A FORWARD ${r}\n`).join('')}-A SIDE -d 10.96.0.2/32 -j ACCEPT\nCOMMIT\n`

const packet = fc
  .tuple(fc.boolean(), address, address, port)
  .map(([isTcp, src, dst, dport]) =>
    isTcp ? tcp(`${src}:40000`, `${dst}:${dport}`, 'S') : udp(`${src}:40000`, `${dst}:${dport}`),
  )

const forwardChain = (rules: readonly string[]): Chain => {
  const chain = ruleset(text(rules), 'ipv4').tables[0]?.chains.find((c) => c.name === 'FORWARD')
  if (!chain) throw new Error('no FORWARD chain')
  return chain
}

describe('the index of a long chain', () => {
  test('tells what a walk rule by rule tells: the same events, with as many rules compared, and the same counters', () => {
    fc.assert(
      fc.property(rulesText, fc.array(packet, { minLength: 1, maxLength: 8 }), (rules, packets) => {
        const told = (linear: boolean) => {
          const r = rig({ v4: text(rules), linear })
          const verdicts = packets.map((p) => r.run('forward', skbOf(p)).verdict)
          return { verdicts, events: r.events, counters: r.counters() }
        }
        expect(told(false)).toEqual(told(true))
      }),
      { numRuns: 150 },
    )
  })

  test('of a changed chain is that of the chain compiled anew', () => {
    const change = fc.record({
      at: fc.nat(60),
      removed: fc.nat(3),
      added: fc.array(ruleText, { maxLength: 3 }),
    })
    fc.assert(
      fc.property(rulesText, change, fc.array(packet, { minLength: 1, maxLength: 4 }), (rules, c, packets) => {
        const before = forwardChain(rules)
        compileChain(before, 'ipv4')
        const after: Chain = {
          ...before,
          rules: before.rules.toSpliced(c.at, c.removed, ...forwardChain(c.added).rules),
        }
        const updated = compileChain(after, 'ipv4', before)
        const anew = compileChain({ ...after }, 'ipv4')
        expect(updated.sieve).toEqual(anew.sieve)
        for (const p of packets) {
          const f = numbersOf(p.src, p.dst, 'dstPort' in p.payload ? p.payload.dstPort : -1)
          for (let from = 0; from <= after.rules.length; from++) {
            const walked = nextByWalk(anew.sieve, from, f)
            if (updated.index) expect(nextIndexed(updated.index, updated.sieve, from, f)).toBe(walked)
          }
        }
      }),
      { numRuns: 100 },
    )
  })
})

const numbersOf = (src: Ip, dst: Ip, dstPort: number): Facts =>
  ({ sourceWord: addressWords(src)[3], destinationWord: addressWords(dst)[3], protocol: 6, dstPort }) as Facts

describe('rules put in the place of others', () => {
  const rules = Array.from({ length: 40 }, (_, i) => `-d 10.96.0.${i + 1}/32 -p tcp -m tcp --dport 80 -j ACCEPT`)
  const syn = tcp('10.0.0.1:1', '10.96.0.40:80', 'S')

  test('a chain that is the same value keeps its counters, a changed one starts anew', () => {
    const r = rig({ v4: text(rules) })
    r.run('forward', skbOf(syn))
    const { ipv4, ipv6 } = { ipv4: ruleset(text(rules), 'ipv4'), ipv6: ruleset('*filter\nCOMMIT\n', 'ipv6') }
    const tables = r.nf.tables.ipv4.get('filter')?.table
    if (!tables) throw new Error('no table')
    const [forward, side] = ['FORWARD', 'SIDE'].map((name) => tables.chains.find((c) => c.name === name))
    const changed = { ...tables, chains: tables.chains.map((c) => (c === side ? { ...c, rules: [] } : c)) }
    expect(forward).toBeDefined()
    replaceRulesets(r.nf, { ipv4: { ...ipv4, tables: [changed] }, ipv6 })
    expect(r.counters()).toEqual(['+1 filter FORWARD#40'])
    replaceRulesets(r.nf, { ipv4, ipv6 })
    expect(r.counters()).toEqual([])
  })

  test('the last of many is found, and all before it count as compared', () => {
    const r = rig({ v4: text(rules) })
    r.run('forward', skbOf(syn))
    expect(r.events.filter((e) => e.kind === 'rule')).toMatchObject([{ index: 40, examined: 40, verdict: 'accept' }])
  })

  test('IPv6 addresses that differ in other words than the last are told apart', () => {
    const six: readonly string[] = Array.from({ length: 40 }, (_, i) => `-A FORWARD -d fd00:${i + 1}::1/128 -j ACCEPT`)
    const r = rig({ v6: `*filter\n:FORWARD DROP [0:0]\n${six.join('\n')}\nCOMMIT\n` })
    const to = ip('fd00:40::1')
    r.run('forward', skbOf({ ...syn, src: ip('fd00::9'), dst: to }))
    expect(r.events.filter((e) => e.kind === 'rule')).toMatchObject([{ index: 40, examined: 40 }])
  })
})
