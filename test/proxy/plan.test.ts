import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Endpoint } from '../../src/kube/objects/service.ts'
import { planServices, type ServicePortPlan } from '../../src/proxy/plan.ts'
import { endpoint, service, slice } from './fixtures.ts'
import { TestObjects } from './object-reader.ts'
import { testSettings } from './test-settings.ts'

const state = {
  ready: { ready: true, serving: true, terminating: false },
  leaving: { ready: false, serving: true, terminating: true },
  down: { ready: false, serving: false, terminating: false },
} as const

const here = (address: string, conditions: keyof typeof state = 'ready'): Endpoint =>
  endpoint(address, 'node-a', { conditions: state[conditions] })
const there = (address: string, conditions: keyof typeof state = 'ready'): Endpoint =>
  endpoint(address, 'node-b', { conditions: state[conditions] })

function planOf(
  spec: Parameters<typeof service>[1],
  endpoints: readonly Endpoint[],
  given: Parameters<typeof testSettings>[0] = {},
  annotations: Readonly<Record<string, string>> = {},
): ServicePortPlan {
  const object = service(
    'web',
    { clusterIP: '10.96.0.1', ...spec },
    { metadata: { name: 'web', namespace: 'ns', annotations } },
  )
  const [plan] = planServices(new TestObjects([object, slice('web', endpoints)]), testSettings(given))
  if (plan === undefined) throw new Error('no plan')
  return plan
}

const ips = (list: ServicePortPlan['cluster']): string[] => list.map((e) => e.ip)
const nodePort = { type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 30080 }] } as const
const external = { ...nodePort, externalTrafficPolicy: 'Local' } as const
const internal = { internalTrafficPolicy: 'Local' } as const

describe('which endpoints are used', () => {
  test.each([
    {
      name: 'Cluster: every ready one',
      spec: {},
      endpoints: [here('10.1.1.1'), there('10.1.1.2'), there('10.1.1.3', 'down')],
      cluster: ['10.1.1.1', '10.1.1.2'],
      local: [],
    },
    {
      name: 'Cluster: none ready, those that still serve',
      spec: {},
      endpoints: [here('10.1.1.1', 'leaving'), there('10.1.1.2', 'leaving'), there('10.1.1.3', 'down')],
      cluster: ['10.1.1.1', '10.1.1.2'],
      local: [],
    },
    {
      name: 'internal Local: only those here',
      spec: internal,
      endpoints: [here('10.1.1.1'), there('10.1.1.2')],
      cluster: [],
      local: ['10.1.1.1'],
    },
    {
      name: 'external Local: both lists',
      spec: external,
      endpoints: [here('10.1.1.1'), there('10.1.1.2')],
      cluster: ['10.1.1.1', '10.1.1.2'],
      local: ['10.1.1.1'],
    },
    {
      name: 'external Local: the two lists fall back apart',
      spec: external,
      endpoints: [here('10.1.1.1', 'leaving'), there('10.1.1.2')],
      cluster: ['10.1.1.2'],
      local: ['10.1.1.1'],
    },
    {
      name: 'external Local without an external address is not used',
      spec: { type: 'NodePort', externalTrafficPolicy: 'Local' } as const,
      endpoints: [here('10.1.1.1')],
      cluster: ['10.1.1.1'],
      local: [],
    },
  ])('$name', ({ spec, endpoints, cluster, local }) => {
    const plan = planOf(spec, endpoints)
    expect({ cluster: ips(plan.cluster), local: ips(plan.local) }).toEqual({ cluster, local })
    expect(ips(plan.reachable)).toEqual([...new Set([...cluster, ...local])].sort())
  })

  test('before 1.26 nothing falls back to endpoints that terminate', () => {
    expect(planOf({}, [there('10.1.1.1', 'leaving')], { minor: 25 })).toMatchObject({
      cluster: [],
      hasEndpoints: false,
    })
  })
})

describe('what is refused', () => {
  const reject = { action: 'reject', reason: 'has no endpoints' }
  const drop = { action: 'drop', reason: 'has no local endpoints' }
  test.each([
    { name: 'no endpoints', spec: external, endpoints: [], inside: reject, outside: reject },
    {
      name: 'endpoints that are not usable',
      spec: nodePort,
      endpoints: [there('10.1.1.1', 'down')],
      inside: reject,
      outside: reject,
    },
    {
      name: 'external Local, none here',
      spec: external,
      endpoints: [there('10.1.1.1')],
      inside: undefined,
      outside: drop,
    },
    {
      name: 'internal Local, none here',
      spec: { ...nodePort, ...internal },
      endpoints: [there('10.1.1.1')],
      inside: drop,
      outside: undefined,
    },
    {
      name: 'both Local, none here',
      spec: { ...external, ...internal },
      endpoints: [there('10.1.1.1')],
      inside: drop,
      outside: drop,
    },
    {
      name: 'both Local, one here',
      spec: { ...external, ...internal },
      endpoints: [here('10.1.1.1')],
      inside: undefined,
      outside: undefined,
    },
  ])('$name', ({ spec, endpoints, inside, outside }) => {
    const plan = planOf(spec, endpoints)
    expect({ inside: plan.internalRefusal, outside: plan.externalRefusal }).toEqual({ inside, outside })
  })

  test('up to 1.23 internal Local without local endpoints has no endpoints at all', () => {
    expect(planOf(internal, [there('10.1.1.1')], { minor: 23 }).internalRefusal).toEqual(reject)
  })
})

describe('topology', () => {
  const hinted = (e: Endpoint, zone?: string, node?: string): Endpoint => ({
    ...e,
    hints: { ...(zone && { forZones: [{ name: zone }] }), ...(node && { forNodes: [{ name: node }] }) },
  })
  const zones = [
    hinted(here('10.1.1.1'), 'zone-b'),
    hinted(there('10.1.1.2'), 'zone-a'),
    hinted(there('10.1.1.3'), 'zone-b'),
  ]
  const auto = { 'service.kubernetes.io/topology-mode': 'Auto' }
  const all = ['10.1.1.1', '10.1.1.2', '10.1.1.3']
  test.each([
    {
      name: 'hints for the zone narrow the Cluster list',
      minor: 36,
      endpoints: zones,
      notes: {},
      cluster: ['10.1.1.2'],
    },
    { name: 'up to 1.30 an annotation has to ask for it', minor: 30, endpoints: zones, notes: {}, cluster: all },
    { name: 'and then they narrow', minor: 30, endpoints: zones, notes: auto, cluster: ['10.1.1.2'] },
    {
      name: 'the older annotation, before 1.27, only says Auto',
      minor: 26,
      endpoints: zones,
      notes: { 'service.kubernetes.io/topology-aware-hints': 'yes' },
      cluster: all,
    },
    {
      name: 'one ready endpoint without a hint and all are used',
      minor: 36,
      endpoints: [...zones, there('10.1.1.4')],
      notes: {},
      cluster: [...all, '10.1.1.4'],
    },
    {
      name: 'no hint for this zone and all are used',
      minor: 36,
      endpoints: zones.filter((e) => e.addresses[0] !== '10.1.1.2'),
      notes: {},
      cluster: ['10.1.1.1', '10.1.1.3'],
    },
    {
      name: 'hints for the node go first, since 1.34',
      minor: 34,
      endpoints: [hinted(there('10.1.1.1'), 'zone-a', 'node-b'), hinted(here('10.1.1.2'), 'zone-a', 'node-a')],
      notes: {},
      cluster: ['10.1.1.2'],
    },
    {
      name: 'and did not before',
      minor: 33,
      endpoints: [hinted(there('10.1.1.1'), 'zone-a', 'node-b'), hinted(here('10.1.1.2'), 'zone-a', 'node-a')],
      notes: {},
      cluster: ['10.1.1.1', '10.1.1.2'],
    },
  ])('$name', ({ minor, endpoints, notes, cluster }) => {
    expect(ips(planOf({}, endpoints, { minor }, notes).cluster)).toEqual(cluster)
  })

  test('the Local list is never narrowed', () => {
    const plan = planOf(external, zones)
    expect(ips(plan.local)).toEqual(['10.1.1.1'])
    expect(ips(plan.reachable)).toEqual(['10.1.1.1', '10.1.1.2'])
  })

  test('a node without a zone uses all', () => {
    expect(ips(planOf({}, zones, { nodeLabels: {} }).cluster)).toEqual(all)
  })
})

test('service ports stand by namespace/name, then by port name', () => {
  const ports = [
    { name: 'b', port: 2 },
    { name: 'a', port: 1 },
  ]
  const objects = ['y', 'x'].map((name, i) => service(name, { clusterIP: `10.96.0.${i + 1}`, ports }))
  expect(planServices(new TestObjects(objects), testSettings()).map((p) => p.name)).toEqual([
    'ns/x:a',
    'ns/x:b',
    'ns/y:a',
    'ns/y:b',
  ])
})

const anyEndpoints = fc
  .array(
    fc.record({
      node: fc.constantFrom('node-a', 'node-b'),
      is: fc.constantFrom(...(['ready', 'leaving', 'down'] as const)),
    }),
    { maxLength: 8 },
  )
  .map((list) => list.map(({ node, is }, i) => endpoint(`10.1.1.${i}`, node, { conditions: state[is] })))
const anySpec = fc.record({
  externalTrafficPolicy: fc.constantFrom('Cluster', 'Local'),
  internalTrafficPolicy: fc.constantFrom('Cluster', 'Local'),
  type: fc.constantFrom('ClusterIP', 'NodePort'),
}) as fc.Arbitrary<NonNullable<Parameters<typeof service>[1]>>

test('policy Local never leaves the node; policy Cluster reaches every ready endpoint', () => {
  fc.assert(
    fc.property(anySpec, anyEndpoints, fc.constantFrom(22, 24, 30, 36), (spec, endpoints, minor) => {
      const plan = planOf({ ...nodePort, ...spec }, endpoints, { minor })
      expect(plan.local.every((e) => e.local)).toBe(true)
      const ready = plan.endpoints.filter((e) => e.ready)
      if (spec.internalTrafficPolicy === 'Cluster' && ready.length > 0) expect(plan.cluster).toEqual(ready)
      expect(new Set(plan.reachable)).toEqual(new Set([...plan.cluster, ...plan.local]))
    }),
    { numRuns: 150 },
  )
})
