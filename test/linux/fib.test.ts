import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deviceName, type Link } from '../../src/artefact/link.ts'
import type { Route, RoutingRule } from '../../src/artefact/route.ts'
import { parseRoutes } from '../../src/artefact/route-text.ts'
import { createFib, lookup } from '../../src/linux/fib.ts'
import { ip, ipAt } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { networkOf, prefix, prefixContains } from '../../src/net/prefix.ts'

const link = (name: string, up = true): Link => ({
  name: deviceName(name),
  mac: mac('02:00:00:00:00:01'),
  mtu: 1500,
  up,
  kind: { kind: 'physical' },
})
const links = new Map([link('eth0'), link('eth1'), link('down0', false)].map((l) => [l.name, l]))
const routes = (text: string, family: 'ipv4' | 'ipv6' = 'ipv4'): readonly Route[] => parseRoutes(text, family).entries

function outcome(
  text: string,
  dst: string,
  more: { rules?: readonly RoutingRule[]; mark?: number; oif?: string } = {},
) {
  const fib = createFib(routes(text, dst.includes(':') ? 'ipv6' : 'ipv4'), more.rules ?? [], links)
  const flow = { src: undefined, dst: ip(dst), iif: undefined, mark: more.mark ?? 0 }
  const result = lookup(fib, more.oif ? { ...flow, oif: deviceName(more.oif) } : flow)
  if (result.kind === 'route') return `${result.found.route.via ?? 'direct'} ${result.found.device}`
  return result.kind === 'refused' ? result.type : 'none'
}

describe('a look-up in the routing tables', () => {
  const table = `default via 10.0.0.1 dev eth0
10.0.0.0/24 dev eth0 scope link
10.1.0.0/16 via 10.0.0.2 dev eth0
10.1.2.0/24 via 10.0.0.3 dev eth1
blackhole 10.9.0.0/16
unreachable 10.8.0.0/16
prohibit 10.7.0.0/16`
  test.each([
    ['the longest prefix wins', table, '10.1.2.3', '10.0.0.3 eth1'],
    ['a shorter one takes what the longer does not hold', table, '10.1.3.3', '10.0.0.2 eth0'],
    ['the default takes the rest', table, '8.8.8.8', '10.0.0.1 eth0'],
    ['a connected network has no gateway', table, '10.0.0.77', 'direct eth0'],
    ['a blackhole refuses', table, '10.9.1.1', 'blackhole'],
    ['unreachable refuses', table, '10.8.1.1', 'unreachable'],
    ['prohibit refuses', table, '10.7.1.1', 'prohibit'],
    ['no route at all', '10.0.0.0/24 dev eth0', '8.8.8.8', 'none'],
    [
      'the lower metric wins',
      '10.0.0.0/8 via 1.1.1.1 dev eth0 metric 20\n10.0.0.0/8 via 1.1.1.2 dev eth0 metric 10',
      '10.1.1.1',
      '1.1.1.2 eth0',
    ],
    [
      'a downed device takes its routes along',
      '10.0.0.0/8 dev down0\ndefault via 10.0.0.1 dev eth0',
      '10.1.1.1',
      '10.0.0.1 eth0',
    ],
    ['throw goes on to the next rule', 'throw 10.0.0.0/8', '10.1.1.1', 'none'],
    [
      'a gateway without a device is looked up',
      '10.0.0.0/24 dev eth1 scope link\ndefault via 10.0.0.1',
      '8.8.8.8',
      '10.0.0.1 eth1',
    ],
    ['IPv6 by the same code', 'fd00::/64 dev eth0\ndefault via fd00::1 dev eth0', '2001:db8::1', 'fd00::1 eth0'],
  ])('%s', (_, text, dst, expected) => {
    expect(outcome(text, dst)).toBe(expected)
  })

  test('a route by another device than asked for is passed over', () => {
    expect(outcome(table, '10.1.2.3', { oif: 'eth0' })).toBe('10.0.0.2 eth0')
  })

  const lookup100: RoutingRule['action'] = { kind: 'lookup', table: '100' }
  const rule = (more: Partial<RoutingRule>): RoutingRule => ({
    priority: 100,
    family: 'ipv4',
    action: lookup100,
    ...more,
  })
  const two = `default via 10.0.0.1 dev eth0\ndefault via 10.0.1.1 dev eth1 table 100`
  test.each([
    ['a mark leads to another table', rule({ fwmark: { value: 0x10, mask: 0xff } }), 0x110, '10.0.1.1 eth1'],
    ['another mark does not', rule({ fwmark: { value: 0x10, mask: 0xff } }), 0x20, '10.0.0.1 eth0'],
    ['`not` turns it round', rule({ not: true, fwmark: { value: 0x10, mask: 0xff } }), 0x20, '10.0.1.1 eth1'],
    ['a destination prefix', rule({ to: prefix('8.0.0.0/8') }), 0, '10.0.1.1 eth1'],
    ['a rule may refuse by itself', rule({ action: { kind: 'prohibit' } }), 0, 'prohibit'],
    ['a rule that is unreachable is as no route', rule({ action: { kind: 'unreachable' } }), 0, 'none'],
    ['an empty table passes on', rule({ action: { kind: 'lookup', table: '200' } }), 0, '10.0.0.1 eth0'],
  ])('rules: %s', (_, added, mark, expected) => {
    expect(outcome(two, '8.8.8.8', { rules: [added], mark })).toBe(expected)
  })
})

test('the index finds what comparing every route finds', () => {
  const anyRoute = fc
    .record({
      value: fc.integer({ min: 0, max: 0xffff }),
      length: fc.integer({ min: 0, max: 32 }),
      metric: fc.integer({ min: 0, max: 3 }),
    })
    .map(({ value, length, metric }): Route => {
      const dst = networkOf(ipAt(BigInt(0x0a000000 + value * 251), 'ipv4'), length)
      return { type: 'unicast', dst, dev: deviceName('eth0'), table: 'main', proto: 'static', scope: 'link', metric }
    })
  fc.assert(
    fc.property(fc.array(anyRoute, { maxLength: 40 }), fc.integer({ min: 0, max: 0xffffff }), (all, low) => {
      const dst = ipAt(BigInt(0x0a000000 + low), 'ipv4')
      const holding = all.filter((r) => prefixContains(r.dst, dst))
      const best = holding.toSorted((a, b) => b.dst.length - a.dst.length || (a.metric ?? 0) - (b.metric ?? 0))[0]
      const result = lookup(createFib(all, [], links), { src: undefined, dst, iif: undefined, mark: 0 })
      const found = result.kind === 'route' ? result.found.route : undefined
      expect(found && [found.dst, found.metric]).toEqual(best && [best.dst, best.metric])
    }),
    { numRuns: 150 },
  )
})
