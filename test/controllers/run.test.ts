import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isReady, isTerminating, podIpsOf } from '../../src/controllers/pod-state.ts'
import { runControllers } from '../../src/controllers/run.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { Node } from '../../src/kube/objects/node.ts'
import type { Pod } from '../../src/kube/objects/pod.ts'
import type { Service } from '../../src/kube/objects/service.ts'
import { matchesSelectorMap } from '../../src/kube/selector.ts'
import { parseIp } from '../../src/net/ip.ts'
import { parsePrefix, prefixContains } from '../../src/net/prefix.ts'
import {
  deployment,
  dualSettings,
  ipv4Settings,
  node,
  pod,
  ran,
  service,
  snapshot,
  storeOf,
  template,
} from './fixture.ts'

const app = fc.constantFrom('web', 'cart', 'db')

const anyPodSpec = fc.record(
  {
    hostNetwork: fc.boolean(),
    nodeName: fc.constantFrom('node-a', 'node-b', 'lost'),
    nodeSelector: fc.constantFrom({ disk: 'ssd' }, {}),
    readinessGates: fc.constant([{ conditionType: 'example.dev/gate' }]),
  },
  { requiredKeys: [] },
)

const anyStatus: fc.Arbitrary<NonNullable<Pod['status']>> = fc.oneof(
  fc.constant({}),
  fc.constant({ conditions: [{ type: 'Ready', status: 'False' }] }),
  fc.constant({ phase: 'Succeeded' as const }),
  fc.constant({ phase: 'Pending' as const }),
  fc.integer({ min: 2, max: 6 }).map((n) => ({ phase: 'Running' as const, podIP: `10.244.0.${n}` })),
)

const anyNode: fc.Arbitrary<Partial<Node>> = fc.record({
  metadata: fc.constantFrom({ name: '' }, { name: '', labels: { disk: 'ssd', 'topology.kubernetes.io/zone': 'z1' } }),
  spec: fc.constantFrom(
    {},
    { podCIDR: '10.244.1.0/24' },
    { unschedulable: true },
    { taints: [{ key: 'gpu', effect: 'NoSchedule' as const }] },
  ),
})

const anyService: fc.Arbitrary<Partial<Service['spec']>> = fc.record(
  {
    type: fc.constantFrom('ClusterIP' as const, 'NodePort' as const, 'LoadBalancer' as const),
    clusterIP: fc.constantFrom('None', '10.96.1.1', ''),
    selector: app.map((a) => ({ app: a })),
    publishNotReadyAddresses: fc.boolean(),
    externalTrafficPolicy: fc.constant('Local' as const),
    ports: fc.constantFrom(
      [{ port: 80, targetPort: 'http' }],
      [
        { name: 'dns', port: 53, protocol: 'UDP' as const },
        { name: 'dns-tcp', port: 53 },
      ],
      [{ port: 80, targetPort: 'nowhere' }],
    ),
  },
  { requiredKeys: [] },
)

const anyObjects: fc.Arbitrary<readonly KubeObject[]> = fc
  .record({
    deployments: fc.uniqueArray(fc.tuple(app, fc.nat(5), anyPodSpec), { selector: ([name]) => name }),
    pods: fc.array(fc.tuple(app, anyPodSpec, anyStatus), { maxLength: 6 }),
    services: fc.array(anyService, { maxLength: 4 }),
    nodes: fc.array(anyNode, { maxLength: 3 }),
    daemon: fc.boolean(),
    set: fc.nat(3),
  })
  .map(({ deployments, pods, services, nodes, daemon, set }) => [
    ...nodes.map((n, i) => node(`node-${'abc'[i]}`, i === 0 ? { ...n, spec: {} } : n)),
    ...deployments.map(([name, replicas, spec]) => deployment(name, replicas, spec)),
    ...uniqueAddresses(pods.map(([a, spec, status], i) => ({ ...pod(`bare-${i}`, { app: a }, spec), status }))),
    ...services.map((spec, i) => service(`svc-${i}`, spec)),
    ...(daemon ? [daemonSet] : []),
    ...(set > 0 ? [statefulSet(set)] : []),
  ])

const daemonSet: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent', namespace: 'shop' },
  spec: { selector: { matchLabels: { app: 'agent' } }, template: template({ app: 'agent' }) },
} as KubeObject

const statefulSet = (replicas: number): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'shop' },
    spec: {
      replicas,
      serviceName: 'svc-0',
      selector: { matchLabels: { app: 'db' } },
      template: template({ app: 'db' }),
    },
  }) as KubeObject

/** No dump holds one address twice. */
function uniqueAddresses(pods: readonly Pod[]): readonly Pod[] {
  const seen = new Set<string>()
  return pods.filter(({ status }) => {
    if (status?.podIP === undefined) return true
    return seen.has(status.podIP) ? false : Boolean(seen.add(status.podIP))
  })
}

const law = (name: string, holds: (objects: readonly KubeObject[]) => void): void => {
  test(name, () => {
    fc.assert(fc.property(anyObjects, holds), { numRuns: 150 })
  })
}

describe('whatever the input', () => {
  law('a second run changes nothing', (objects) => {
    for (const settings of [ipv4Settings, dualSettings]) {
      const { store, problems } = ran(objects, settings)
      const before = snapshot(store)
      const version = store.resourceVersion
      expect(runControllers(store, settings)).toEqual(problems)
      expect(snapshot(store)).toEqual(before)
      expect(store.resourceVersion).toBe(version)
    }
  })

  law('what comes out, read again as a dump, is kept as it is', (objects) => {
    const first = snapshot(ran(objects, dualSettings).store)
    const dump = first.map((o) => ({ ...o, metadata: { ...o.metadata, uid: `uid-of-${o.kind}-${o.metadata.name}` } }))
    expect(snapshot(ran(dump, dualSettings).store)).toEqual(dump)
    expect(snapshot(ran(first, dualSettings).store)).toEqual(first)
  })

  law('the same input gives the same objects', (objects) => {
    expect(snapshot(ran(objects).store)).toEqual(snapshot(ran(objects).store))
  })

  law('no two pods have one address, but those in the network of their node', (objects) => {
    const pods = ran(objects, dualSettings)
      .store.list('Pod')
      .filter((p) => !p.spec.hostNetwork)
    const ips = pods.flatMap(podIpsOf)
    expect(new Set(ips).size).toBe(ips.length)
  })

  law('an address that was given to a pod is from a range of its node', (objects) => {
    const { store } = ran(objects, dualSettings)
    const given = new Set(objects.filter((o) => (o as Pod).status?.podIP).map((o) => o.metadata.name))
    for (const p of store.list('Pod').filter((p) => !p.spec.hostNetwork && !given.has(p.metadata.name))) {
      const ranges = (store.get('Node', p.spec.nodeName ?? '')?.spec?.podCIDRs ?? []).map((c) => parsePrefix(c))
      for (const ip of podIpsOf(p)) expect(ranges.some((r) => r && prefixContains(r, ip))).toBe(true)
    }
  })

  law('every endpoint is a selected pod, and ready as the pod is', (objects) => {
    const { store } = ran(objects)
    for (const slice of store.list('EndpointSlice')) {
      const owner = store.get('Service', slice.metadata.labels?.['kubernetes.io/service-name'] ?? '', 'shop')
      for (const e of slice.endpoints) {
        const found = store.get('Pod', e.targetRef?.name ?? '', 'shop')
        expect(found && owner && matchesSelectorMap(owner.spec.selector ?? {}, found.metadata.labels)).toBe(true)
        if (!found) continue
        const ready = owner?.spec.publishNotReadyAddresses || (isReady(found) && !isTerminating(found))
        expect(e.conditions?.ready).toBe(ready)
        expect(podIpsOf(found)).toContain(e.addresses[0])
      }
    }
  })

  law('every ready pod that a Service selects is an endpoint of it', (objects) => {
    const { store } = ran(objects)
    for (const s of store.list('Service')) {
      const slices = store.list('EndpointSlice', { labelSelector: `kubernetes.io/service-name=${s.metadata.name}` })
      const there = slices.flatMap((x) => x.endpoints.map((e) => e.targetRef?.name)).sort()
      const selected = store.list('Pod').filter((p) => matchesSelectorMap(s.spec.selector ?? {}, p.metadata.labels))
      expect(there).toEqual(
        selected
          .filter((p) => podIpsOf(p).length > 0)
          .map((p) => p.metadata.name)
          .sort(),
      )
    }
  })

  law('no two Services have one cluster IP or node port, but those written so', (objects) => {
    const written = objects.filter((o) => (o as Service).spec?.clusterIP === '10.96.1.1').length
    const services = ran(objects, dualSettings).store.list('Service')
    const ips = services.flatMap((s) => s.spec.clusterIPs ?? []).filter((ip) => ip !== 'None')
    expect(new Set(ips).size).toBe(ips.length - Math.max(0, written - 1))
    for (const s of services)
      for (const ip of s.spec.clusterIPs ?? []) expect(ip === 'None' || parseIp(ip)).toBeTruthy()
    const perService = services.map((s) => new Set((s.spec.ports ?? []).flatMap((p) => p.nodePort ?? [])))
    const ports = [...perService.flatMap((p) => [...p]), ...services.flatMap((s) => s.spec.healthCheckNodePort ?? [])]
    expect(new Set(ports).size).toBe(ports.length)
  })
})

describe('after a change', () => {
  test('scaling down takes the last pods and their endpoints away, and the others keep their addresses', () => {
    const store = storeOf(deployment('web', 4), service('web'))
    runControllers(store, ipv4Settings)
    const before = store.list('Pod')
    store.apply(deployment('web', 2))
    runControllers(store, ipv4Settings)
    const after = store.list('Pod')
    expect(after).toEqual(before.slice(0, 2))
    expect(store.list('EndpointSlice').flatMap((s) => s.endpoints)).toHaveLength(2)
  })

  test('a new template replaces the ReplicaSet and its pods', () => {
    const store = storeOf(deployment('web', 2))
    runControllers(store, ipv4Settings)
    const [before] = store.list('ReplicaSet')
    store.apply(deployment('web', 2, { hostname: 'other' }))
    runControllers(store, ipv4Settings)
    const [after, ...more] = store.list('ReplicaSet')
    expect(more).toEqual([])
    expect(after?.metadata.name).not.toBe(before?.metadata.name)
    expect(store.list('Pod').map((p) => p.spec.hostname)).toEqual(['other', 'other'])
  })

  test('a pod that had no place is bound once a node fits', () => {
    const store = storeOf(node('n1'), deployment('web', 1, { nodeSelector: { disk: 'ssd' } }), service('web'))
    expect(runControllers(store, ipv4Settings).map((p) => p.code)).toEqual(['UNSCHEDULABLE'])
    store.create(node('n2', { metadata: { name: 'n2', labels: { disk: 'ssd' } } }))
    expect(runControllers(store, ipv4Settings)).toEqual([])
    expect(store.list('Pod')[0]).toMatchObject({ spec: { nodeName: 'n2' }, status: { phase: 'Running' } })
  })

  test('a Service that goes takes its slices with it', () => {
    const store = storeOf(deployment('web', 1), service('web'))
    runControllers(store, ipv4Settings)
    store.delete({ kind: 'Service', namespace: 'shop', name: 'web' })
    runControllers(store, ipv4Settings)
    expect(store.list('EndpointSlice')).toEqual([])
  })

  test('a deleted Deployment takes its ReplicaSet and pods with it', () => {
    const store = storeOf(deployment('web', 2))
    runControllers(store, ipv4Settings)
    store.delete({ kind: 'Deployment', namespace: 'shop', name: 'web' })
    runControllers(store, ipv4Settings)
    expect([store.list('ReplicaSet'), store.list('Pod')]).toEqual([[], []])
  })
})
