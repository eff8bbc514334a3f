import { describe, expect, test } from 'vitest'
import type { Community } from '../../src/bgp/attributes.ts'
import { type Condition, type Filter, readsPrefix } from '../../src/bgp/filter.ts'
import { formatCondition, formatFunctions, formatStatements } from '../../src/bgp/format-filter.ts'
import { type FilterRoute, globMatches, runFilter } from '../../src/bgp/run-filter.ts'
import { ip } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'
import { calicoExport, crossSubnet, kernelMetric, metricToLocalPref } from './calico-filters.ts'

const routeOf = (changes: Partial<FilterRoute> = {}): FilterRoute => ({
  prefix: prefix('10.244.1.0/26'),
  source: 'static',
  peer: 'ibgp',
  preference: 200,
  metric: undefined,
  tunnel: undefined,
  localPref: undefined,
  med: undefined,
  nextHop: undefined,
  asPath: [],
  communities: [],
  setNextHop: false,
  setMed: false,
  ...changes,
})

const acceptIf = (when: Condition): Filter => [{ kind: 'if', when, do: [{ kind: 'accept' }] }]
const bird2 = { dialect: 'bird2', internalPeer: 'true' } as const

describe('a condition', () => {
  const net = (op: '=' | '!=' | '~' | '!~', p: string, lengths?: { min: number; max: number }): Condition => ({
    kind: 'net',
    op,
    prefix: prefix(p),
    ...(lengths && { lengths }),
  })
  const large: Community = [1, 2, 3]
  test.each<{ name: string; when: Condition; route?: Partial<FilterRoute>; holds: boolean; text: string }>([
    { name: 'this very prefix', when: net('=', '10.244.1.0/26'), holds: true, text: 'net = 10.244.1.0/26' },
    { name: 'a longer one is another', when: net('=', '10.244.1.0/24'), holds: false, text: 'net = 10.244.1.0/24' },
    { name: 'within', when: net('~', '10.244.0.0/16'), holds: true, text: 'net ~ 10.244.0.0/16' },
    { name: 'not within', when: net('!~', '10.0.0.0/16'), holds: true, text: 'net !~ 10.0.0.0/16' },
    {
      name: 'within, but too long',
      when: net('~', '10.244.0.0/16', { min: 16, max: 24 }),
      holds: false,
      text: 'net ~ [ 10.244.0.0/16{16,24} ]',
    },
    {
      name: 'a metric that is not there is not small',
      when: { kind: 'compare', attribute: 'krt_metric', op: '<', value: 1024 },
      holds: false,
      text: 'krt_metric < 1024',
    },
    {
      name: 'a device pattern',
      when: { kind: 'ifname', pattern: '*.cali' },
      route: { device: 'wireguard.cali' },
      holds: true,
      text: 'ifname ~ "*.cali"',
    },
    {
      name: 'no device',
      when: { kind: 'not', condition: { kind: 'defined', attribute: 'ifname' } },
      holds: true,
      text: '!(defined(ifname))',
    },
    {
      name: 'a community',
      when: { kind: 'community', has: large },
      route: { communities: [[1, 2], large] },
      holds: true,
      text: '(1, 2, 3) ~ bgp_large_community',
    },
    {
      name: 'the begin of the path',
      when: { kind: 'as path', startsWith: [65001] },
      route: { asPath: [65001, 65000] },
      holds: true,
      text: 'bgp_path ~ [= 65001 * =]',
    },
    {
      name: 'a next hop in a subnet',
      when: { kind: 'next hop in', prefix: prefix('10.0.0.0/24') },
      route: { nextHop: ip('10.0.1.1') },
      holds: false,
      text: 'bgp_next_hop ~ 10.0.0.0/24',
    },
    {
      name: 'either of two',
      when: {
        kind: 'or',
        of: [
          { kind: 'source', is: 'bgp' },
          { kind: 'source', is: 'static' },
        ],
      },
      holds: true,
      text: '(source = RTS_BGP) || (source = RTS_STATIC)',
    },
    { name: 'an outside peer', when: { kind: 'peer', type: 'ebgp' }, holds: false, text: '!true' },
  ])('$name', ({ when, route, holds, text }) => {
    expect(runFilter(acceptIf(when), routeOf(route))).toBe(holds)
    expect(formatCondition(when, bird2)).toBe(text)
  })

  test('device patterns are not regular expressions', () => {
    expect(globMatches('bpf*.cali', 'bpfout.cali')).toBe(true)
    expect(globMatches('bpf*.cali', 'bpfoutxcali')).toBe(false)
    expect(globMatches('eth?', 'eth10')).toBe(false)
  })
})

describe('a filter', () => {
  test('that falls off its end rejects', () => {
    expect(runFilter([], routeOf())).toBe(false)
  })

  test('changes attributes', () => {
    const route = routeOf({ asPath: [65001], communities: [[1, 1]] })
    const filter: Filter = [
      { kind: 'prepend', as: 65000 },
      { kind: 'add community', community: [64512, 7] },
      { kind: 'add community', community: [64512, 7] },
      { kind: 'delete community', community: [1, 1] },
      { kind: 'set', attribute: 'bgp_med', value: 20 },
      { kind: 'set next hop', nextHop: ip('10.0.0.99') },
      { kind: 'accept' },
    ]
    expect(runFilter(filter, route)).toBe(true)
    expect(route).toMatchObject({ asPath: [65000, 65001], communities: [[64512, 7]], med: 20, nextHop: '10.0.0.99' })
    expect(formatStatements(filter, bird2)).toEqual([
      'bgp_path.prepend(65000);',
      'bgp_community.add((64512, 7));',
      'bgp_community.add((64512, 7));',
      'bgp_community.delete((1, 1));',
      'bgp_med = 20;',
      'bgp_next_hop = 10.0.0.99;',
      'accept;',
    ])
  })

  const exported = calicoExport([prefix('10.244.1.0/26')], [prefix('10.244.0.0/16')])
  test.each([
    { net: '10.244.1.0/26', passes: true, why: 'the own block' },
    { net: '10.244.1.5/32', passes: false, why: 'a pod of the own block' },
    { net: '10.244.2.5/32', passes: true, why: 'a borrowed address' },
    { net: '10.0.0.0/24', passes: false, why: 'the subnet of the node' },
    { net: '0.0.0.0/0', passes: false, why: 'the default route' },
  ])("of Calico's export: $why", ({ net, passes }) => {
    expect(runFilter(exported, routeOf({ prefix: prefix(net) }))).toBe(passes)
  })

  test('carries the kernel metric in LOCAL_PREF and back', () => {
    const out = routeOf()
    runFilter(metricToLocalPref, out)
    expect(out).toMatchObject({ metric: 1024, localPref: 2147482623 })
    const back = routeOf({ source: 'bgp', localPref: 2147482647 })
    expect(runFilter(kernelMetric, back)).toBe(true)
    expect(back.metric).toBe(1000)
  })

  test('chooses the tunnel by the next hop', () => {
    const filter = crossSubnet(prefix('10.0.0.0/24'), prefix('10.244.0.0/16'))
    const tunnel = (nextHop: string) => {
      const route = routeOf({ source: 'bgp', nextHop: ip(nextHop) })
      runFilter(filter, route)
      return route.tunnel
    }
    expect([tunnel('10.0.0.7'), tunnel('10.0.1.7')]).toEqual(['', 'tunl0'])
    expect(formatStatements(filter, { dialect: 'calico', internalPeer: 'false' }).join('\n')).toContain(
      'krt_tunnel = "tunl0";',
    )
    expect(formatStatements(filter, bird2).join('\n')).not.toContain('krt_tunnel')
  })

  test('knows whether it looks at prefixes, also in functions', () => {
    expect([readsPrefix(exported), readsPrefix(metricToLocalPref)]).toEqual([true, false])
  })

  test('is printed with its functions, innermost first', () => {
    expect(formatFunctions([exported, exported], 'bird2').map((f) => f.split('\n')[0])).toEqual([
      'function calico_aggr(bool internal_peer)',
      'function calico_export_to_bgp_peers(bool internal_peer)',
    ])
    const other = calicoExport([prefix('10.244.9.0/26')], [])
    expect(() => formatFunctions([exported, other], 'bird2')).toThrow('two filter functions have the name calico_aggr')
  })
})
