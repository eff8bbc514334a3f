import { describe, expect, test } from 'vitest'
import { planUnderlay } from '../../src/cluster/underlay.ts'
import type { Underlay, UnderlaySpec } from '../../src/kube/objects/kubehop.ts'
import type { Node } from '../../src/kube/objects/node.ts'
import { formatPrefix } from '../../src/net/prefix.ts'

const node = (name: string, ...addresses: string[]): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
})
const underlay = (spec: UnderlaySpec): Underlay => ({
  apiVersion: 'kubehop.dev/v1alpha1',
  kind: 'Underlay',
  metadata: { name: 'net' },
  spec,
})

const summary = (plan: ReturnType<typeof planUnderlay>) => ({
  segments: plan.segments.map((s) =>
    `${s.name} ${s.prefixes.map(formatPrefix).join(' ')}: ${s.nodes.map((n) => n.name).join(' ')}`.trimEnd(),
  ),
  routers: plan.routers.map(
    (r) => `${r.name} ${r.ports.map((p) => `${p.segment}=${p.addresses.join(',')}`).join(' ')}`,
  ),
  hosts: plan.hosts.map((h) => `${h.name} ${h.addresses.join(',')} on ${h.segment}`),
})

describe('the underlay where nothing says what it is', () => {
  test.each([
    {
      name: 'nodes that share a /24 are on one segment, and a router leads outside',
      nodes: [node('a', '192.168.50.11'), node('b', '192.168.50.12')],
      is: {
        segments: ['lan 192.168.50.0/24: a b', 'outside 203.0.113.0/24:'],
        routers: ['router lan=192.168.50.1 outside=203.0.113.1'],
        hosts: ['external 203.0.113.10 on outside'],
      },
    },
    {
      name: 'nodes of two subnets are on two segments, in the order of the nodes',
      nodes: [node('a', '10.0.1.5'), node('b', '10.0.2.5'), node('c', '10.0.1.6')],
      is: {
        segments: ['lan1 10.0.1.0/24: a c', 'lan2 10.0.2.0/24: b', 'outside 203.0.113.0/24:'],
        routers: ['router lan1=10.0.1.1 lan2=10.0.2.1 outside=203.0.113.1'],
        hosts: ['external 203.0.113.10 on outside'],
      },
    },
    {
      name: 'a node that links two families joins their subnets',
      nodes: [node('a', '10.0.1.5', 'fd00:1::5'), node('b', 'fd00:1::6')],
      is: {
        segments: ['lan 10.0.1.0/24 fd00:1::/64: a b', 'outside 203.0.113.0/24 2001:db8:ffff::/64:'],
        routers: ['router lan=10.0.1.1,fd00:1::1 outside=203.0.113.1,2001:db8:ffff::1'],
        hosts: ['external 203.0.113.10,2001:db8:ffff::a on outside'],
      },
    },
    {
      name: 'the router gives way to a node that has the first address',
      nodes: [node('a', '10.0.1.1')],
      is: { routers: ['router lan=10.0.1.254 outside=203.0.113.1'] },
    },
    {
      name: 'the outside gives way to nodes that have its network',
      nodes: [node('a', '203.0.113.7')],
      is: { segments: ['lan 203.0.113.0/24: a', 'outside 198.51.100.0/24:'] },
    },
  ])('$name', ({ nodes, is }) => {
    expect(summary(planUnderlay(nodes, undefined))).toMatchObject(is)
  })
})

describe('an Underlay document', () => {
  const nodes = [node('a', '10.0.1.5'), node('b', '10.0.1.6')]

  test('puts nodes on segments by name, whatever their addresses share', () => {
    const plan = planUnderlay(
      nodes,
      underlay({
        segments: [
          { name: 'rack1', cidr: '10.0.1.0/25', nodes: ['a'] },
          { name: 'rack2', cidr: '10.0.1.128/25', nodes: ['b'] },
        ],
      }),
    )
    expect(summary(plan).segments.slice(0, 2)).toEqual(['rack1 10.0.1.0/25: a', 'rack2 10.0.1.128/25: b'])
  })

  test('names hosts, which need no outside when a segment holds them', () => {
    const plan = planUnderlay(
      nodes,
      underlay({
        segments: [{ name: 'lan', cidr: '10.0.1.0/24' }],
        hosts: [{ name: 'client', address: '10.0.1.99', listens: ['tcp/80'] }],
      }),
    )
    expect(summary(plan)).toMatchObject({ segments: ['lan 10.0.1.0/24: a b'], hosts: ['client 10.0.1.99 on lan'] })
  })

  test('gives routers their addresses and routes', () => {
    const plan = planUnderlay(
      nodes,
      underlay({
        routers: [{ name: 'gw', addresses: { lan: '10.0.1.9' }, routes: [{ to: '172.16.0.0/12', via: '10.0.1.5' }] }],
      }),
    )
    expect(plan.routers[0]).toMatchObject({
      name: 'gw',
      ports: [{ segment: 'lan', addresses: ['10.0.1.9'] }],
      routes: [{ to: { address: '172.16.0.0', length: 12 }, via: '10.0.1.5' }],
    })
  })
})
