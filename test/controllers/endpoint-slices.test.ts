import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { Pod } from '../../src/kube/objects/pod.ts'
import type { Endpoint, EndpointSlice, Endpoints, Service } from '../../src/kube/objects/service.ts'
import { container, deployment, dualSettings, node, pod, ran, service } from './fixture.ts'

const slices = (objects: readonly KubeObject[], settings?: typeof dualSettings): readonly EndpointSlice[] =>
  ran(objects, settings).store.list('EndpointSlice')

const endpoint = (...objects: readonly KubeObject[]): Endpoint | undefined => slices(objects)[0]?.endpoints[0]

const web = (name: string, spec: Partial<Pod['spec']> = {}): Pod => pod(name, { app: 'web' }, spec)
const unready = { conditions: [{ type: 'Ready', status: 'False' }] }
const terminating = (p: Pod): Pod => ({ ...p, metadata: { ...p.metadata, deletionTimestamp: '2024-01-01T00:00:00Z' } })

describe('one endpoint', () => {
  const quiet = { ready: false, serving: false, terminating: false }
  test.each([
    { name: 'of a ready pod', pod: web('p'), spec: {}, is: { ready: true, serving: true, terminating: false } },
    { name: 'of a pod that is not ready', pod: { ...web('p'), status: unready }, spec: {}, is: quiet },
    {
      name: 'of a pod that is not ready but published',
      pod: { ...web('p'), status: unready },
      spec: { publishNotReadyAddresses: true },
      is: { ...quiet, ready: true },
    },
    {
      name: 'of a terminating pod that still serves',
      pod: terminating(web('p')),
      spec: {},
      is: { ready: false, serving: true, terminating: true },
    },
  ])('$name', ({ pod: p, spec, is }) => {
    expect(endpoint(p, service('web', spec))?.conditions).toEqual(is)
  })

  test('tells its node, zone and pod', () => {
    const zoned = node('n1', { metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'z1' } } })
    expect(endpoint(zoned, web('p'), service('web'))).toMatchObject({
      addresses: ['10.244.0.2'],
      nodeName: 'n1',
      zone: 'z1',
      targetRef: { kind: 'Pod', namespace: 'shop', name: 'p' },
    })
  })

  test('has the host name only of a pod whose subdomain is the Service', () => {
    expect(endpoint(web('p', { hostname: 'h', subdomain: 'web' }), service('web'))?.hostname).toBe('h')
    expect(endpoint(web('p', { hostname: 'h', subdomain: 'other' }), service('web'))?.hostname).toBeUndefined()
    expect(endpoint(web('p', { hostname: 'h' }), service('web'))?.hostname).toBeUndefined()
  })

  test('of a pod in the network of its node is the address of the node', () => {
    expect(endpoint(web('p', { hostNetwork: true }), service('web'))?.addresses).toEqual(['192.168.50.11'])
  })

  test.each(['Succeeded', 'Failed', 'Pending'] as const)('is none for a pod that is %s', (phase) => {
    const p: Pod = { ...web('p'), status: { phase } }
    expect(endpoint(p, service('web'))).toBeUndefined()
  })
})

describe('slices of a Service', () => {
  test('carry its labels and name it', () => {
    const labelled = { ...service('web'), metadata: { ...service('web').metadata, labels: { team: 'a' } } }
    const [slice] = slices([web('p'), labelled])
    expect(slice?.metadata.name).toMatch(/^web-.{5}$/)
    expect(slice?.metadata.labels).toEqual({
      team: 'a',
      'kubernetes.io/service-name': 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    })
    expect(slice?.metadata.ownerReferences).toMatchObject([{ kind: 'Service', name: 'web' }])
  })

  test('say that it is headless', () => {
    expect(slices([web('p'), service('web', { clusterIP: 'None' })])[0]?.metadata.labels).toHaveProperty(
      'service.kubernetes.io/headless',
      '',
    )
  })

  test('are one per set of ports', () => {
    const other = web('q', { containers: [container({ name: 'http', containerPort: 9090 })] })
    expect(
      slices([web('p'), other, web('r'), service('web')]).map((s) => [s.ports?.[0]?.port, s.endpoints.length]),
    ).toEqual([
      [8080, 2],
      [9090, 1],
    ])
  })

  test('find a name by protocol, and in sidecars', () => {
    const sidecar = {
      ...container({ name: 'dns', containerPort: 1053, protocol: 'UDP' as const }),
      restartPolicy: 'Always',
    }
    const p = web('p', { initContainers: [sidecar] })
    const port = (protocol: 'TCP' | 'UDP') => service('web', { ports: [{ port: 53, targetPort: 'dns', protocol }] })
    expect(slices([p, port('UDP')])[0]?.ports).toEqual([{ name: '', protocol: 'UDP', port: 1053 }])
    expect(slices([p, port('TCP')])[0]?.ports).toEqual([])
  })

  test('take a number as it is, and the port where there is no target', () => {
    const ports = [
      { name: 'a', port: 80, targetPort: 5000, appProtocol: 'kubernetes.io/h2c' },
      { name: 'b', port: 81 },
    ]
    expect(slices([web('p'), service('web', { ports })])[0]?.ports).toEqual([
      { name: 'a', protocol: 'TCP', port: 5000, appProtocol: 'kubernetes.io/h2c' },
      { name: 'b', protocol: 'TCP', port: 81 },
    ])
  })

  test('are one per family', () => {
    const found = slices([web('p'), service('web', { ipFamilyPolicy: 'PreferDualStack' })], dualSettings)
    expect(found.map((s) => [s.addressType, s.endpoints[0]?.addresses[0]])).toEqual([
      ['IPv4', '10.244.0.2'],
      ['IPv6', 'fd00:10:244::2'],
    ])
  })

  test('hold a hundred endpoints at most', () => {
    const found = slices([deployment('web', 230), service('web')])
    expect(found.map((s) => s.endpoints.length)).toEqual([100, 100, 30])
    expect(new Set(found.map((s) => s.metadata.name)).size).toBe(3)
  })

  test('are one empty slice where nothing is selected', () => {
    expect(slices([service('web')]).map((s) => [s.endpoints, s.ports])).toEqual([[[], []]])
  })

  test.each([
    { name: 'has no selector', spec: { selector: {} } },
    { name: 'is an ExternalName', spec: { type: 'ExternalName', externalName: 'example.org' } },
  ] satisfies readonly { name: string; spec: Partial<Service['spec']> }[])('are none where it $name', ({ spec }) => {
    expect(slices([web('p'), service('web', spec)])).toEqual([])
  })

  test('that the input holds are the only ones', () => {
    const given: EndpointSlice = {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [],
      ports: [],
    }
    expect(slices([web('p'), service('web'), given]).map((s) => s.metadata.name)).toEqual(['web-1'])
  })
})

describe('hints', () => {
  const zoned = (name: string, zone: string) =>
    node(name, { metadata: { name, labels: { 'topology.kubernetes.io/zone': zone } } })
  const nodes = [zoned('n1', 'a'), zoned('n2', 'b')]
  const hints = (found: readonly EndpointSlice[]) =>
    found[0]?.endpoints.map((e) => [e.hints?.forZones?.[0]?.name, e.hints?.forNodes?.[0]?.name])
  const pods = (...on: readonly string[]) => on.map((n, i) => web(`p${i}`, { nodeName: n }))

  test.each([
    {
      distribution: 'PreferClose',
      is: [
        ['a', undefined],
        ['b', undefined],
      ],
    },
    {
      distribution: 'PreferSameZone',
      is: [
        ['a', undefined],
        ['b', undefined],
      ],
    },
    {
      distribution: 'PreferSameNode',
      is: [
        ['a', 'n1'],
        ['b', 'n2'],
      ],
    },
    {
      distribution: 'Other',
      is: [
        [undefined, undefined],
        [undefined, undefined],
      ],
    },
  ])('of $distribution', ({ distribution, is }) => {
    expect(
      hints(slices([...nodes, ...pods('n1', 'n2'), service('web', { trafficDistribution: distribution })])),
    ).toEqual(is)
  })

  const auto: Service = {
    ...service('web'),
    metadata: { ...service('web').metadata, annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } },
  }
  test.each([
    { name: 'follow the zones where they are even', on: ['n1', 'n2'], is: ['a', 'b'] },
    { name: 'are dealt out where one zone has too many', on: ['n1', 'n1', 'n1', 'n2'], is: ['b', 'a', 'a', 'b'] },
    { name: 'are none where there are fewer endpoints than zones', on: ['n1'], is: [undefined] },
    {
      name: 'are none where a zone would be overloaded',
      on: ['n1', 'n1', 'n2'],
      is: [undefined, undefined, undefined],
    },
  ])('of topology mode Auto $name', ({ on, is }) => {
    expect(hints(slices([...nodes, ...pods(...on), auto]))?.map(([zone]) => zone)).toEqual(is)
  })

  test('of topology mode Auto are none where a node tells no zone', () => {
    expect(hints(slices([...nodes, node('n3'), ...pods('n1', 'n2'), auto]))).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ])
  })
})

describe('Endpoints written by hand', () => {
  const endpoints = (rest: Partial<Endpoints['metadata']> = {}): Endpoints => ({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name: 'db', namespace: 'shop', ...rest },
    subsets: [
      {
        addresses: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }],
        notReadyAddresses: [{ ip: '192.0.2.2' }],
        ports: [{ port: 5432 }],
      },
    ],
  })
  const manual = service('db', { selector: {}, ports: [{ port: 5432 }] })

  test('become slices, one per subset and family', () => {
    const found = slices([manual, endpoints()])
    expect(found.map((s) => [s.addressType, s.endpoints.map((e) => [e.addresses[0], e.conditions?.ready])])).toEqual([
      [
        'IPv4',
        [
          ['192.0.2.1', true],
          ['192.0.2.2', false],
        ],
      ],
      ['IPv6', [['2001:db8::1', true]]],
    ])
    expect(found[0]?.ports).toEqual([{ name: '', protocol: 'TCP', port: 5432 }])
    expect(found[0]?.metadata.labels).toMatchObject({
      'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
    })
  })

  test.each([
    { name: 'without a Service', objects: [endpoints()] },
    {
      name: 'that ask not to be',
      objects: [manual, endpoints({ labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } })],
    },
    {
      name: 'of leader election',
      objects: [manual, endpoints({ annotations: { 'control-plane.alpha.kubernetes.io/leader': '{}' } })],
    },
  ])('are not mirrored $name', ({ objects }) => {
    expect(slices(objects)).toEqual([])
  })

  test('of a Service with a selector count only in a dump that lacks the pods', () => {
    const selecting = service('db')
    const addresses = (...objects: readonly KubeObject[]) =>
      slices(objects).flatMap((s) => s.endpoints.flatMap((e) => e.addresses))
    expect(addresses(selecting, endpoints())).toEqual([])
    expect(addresses(selecting, endpoints({ uid: 'u' }))).toEqual(['192.0.2.1', '192.0.2.2', '2001:db8::1'])
    expect(addresses(selecting, endpoints({ uid: 'u' }), pod('p', { app: 'db' }))).toEqual(['10.244.0.2'])
  })
})

describe('the Service of the API server', () => {
  const master = node('m', { metadata: { name: 'm', labels: { 'node-role.kubernetes.io/control-plane': '' } } })
  const apiServer: Pod = {
    ...pod('kube-apiserver-m', { component: 'kube-apiserver' }, { nodeName: 'm', hostNetwork: true }),
    metadata: { name: 'kube-apiserver-m', namespace: 'kube-system', labels: { component: 'kube-apiserver' } },
  }
  test.each([
    { name: 'stands where a node is of the control plane', objects: [master] },
    { name: 'stands where a pod is the API server', objects: [node('m'), apiServer] },
  ])('$name', ({ objects }) => {
    const { store } = ran(objects)
    expect(store.get('Service', 'kubernetes', 'default')?.spec.clusterIP).toBe('10.96.0.1')
    expect(store.get('EndpointSlice', 'kubernetes', 'default')).toMatchObject({
      endpoints: [{ addresses: ['192.168.50.11'] }],
      ports: [{ name: 'https', port: 6443 }],
    })
  })
  test('is left out where no control plane is seen, and its address stays free', () => {
    const { store } = ran([service('web')])
    expect(store.list('Service').map((s) => s.metadata.name)).toEqual(['web'])
  })
})
