import { describe, expect, test } from 'vitest'
import { nodePorts, serviceIps } from '../../src/controllers/service-ip.ts'
import type { Pod } from '../../src/kube/objects/pod.ts'
import type { Service } from '../../src/kube/objects/service.ts'
import { prefix } from '../../src/net/prefix.ts'
import { deployment, dualSettings, ipv4Settings, node, only, pod, ran, service } from './fixture.ts'

const internal = (address: string) => ({ addresses: [{ type: 'InternalIP' as const, address }] })
const nodeIps = (objects: Parameters<typeof ran>[0], settings = ipv4Settings) =>
  ran(objects, settings)
    .store.list('Node')
    .map((n) => (n.status?.addresses ?? []).filter((a) => a.type === 'InternalIP').map((a) => a.address))

describe('nodes', () => {
  test('are three workers where the input names none', () => {
    const { store } = ran([])
    expect(
      store.list('Node').map((n) => [n.metadata.name, n.spec?.podCIDR, n.status?.addresses?.[0]?.address]),
    ).toEqual([
      ['node-a', '10.244.0.0/24', '192.168.50.11'],
      ['node-b', '10.244.1.0/24', '192.168.50.12'],
      ['node-c', '10.244.2.0/24', '192.168.50.13'],
    ])
  })

  test('without an address get a free one, of each family', () => {
    expect(nodeIps([node('n1'), node('n2', { status: internal('192.168.50.11') }), node('n3')])).toEqual([
      ['192.168.50.12'],
      ['192.168.50.11'],
      ['192.168.50.13'],
    ])
    expect(nodeIps([node('n1')], dualSettings)).toEqual([['192.168.50.11', 'fd00:192:168:50::b']])
  })

  test('more than a /24 of them get distinct addresses', () => {
    const ips = nodeIps(Array.from({ length: 300 }, (_, i) => node(`n${i}`))).flat()
    expect(new Set(ips).size).toBe(300)
  })

  test('of a dump without Node objects are those that its pods run on', () => {
    const running = (name: string, nodeName: string, podIP: string): Pod => ({
      ...pod(name, {}, { nodeName }),
      status: { phase: 'Running', podIP, hostIP: `10.0.0.${nodeName.slice(-1)}` },
    })
    const { store } = ran([running('a', 'worker-7', '10.244.5.3'), running('b', 'worker-2', '10.244.0.9')])
    expect(
      store.list('Node').map((n) => [n.metadata.name, n.spec?.podCIDR, n.status?.addresses?.[0]?.address]),
    ).toEqual([
      ['worker-7', '10.244.5.0/24', '10.0.0.7'],
      ['worker-2', '10.244.0.0/24', '10.0.0.2'],
    ])
  })
})

describe('pod ranges', () => {
  const ranges = (objects: Parameters<typeof ran>[0], settings = ipv4Settings) =>
    ran(objects, settings)
      .store.list('Node')
      .map((n) => n.spec?.podCIDRs)

  test('pass over those taken, of any length', () => {
    const taken = [
      node('n1'),
      node('n2', { spec: { podCIDR: '10.244.0.0/24' } }),
      node('n3', { spec: { podCIDR: '10.244.2.0/23' } }),
      node('n4'),
      node('n5'),
    ]
    expect(ranges(taken)).toEqual([
      ['10.244.1.0/24'],
      ['10.244.0.0/24'],
      ['10.244.2.0/23'],
      ['10.244.4.0/24'],
      ['10.244.5.0/24'],
    ])
  })

  test('are of both families in a dual-stack cluster', () => {
    expect(ranges([node('n1'), node('n2')], dualSettings)).toEqual([
      ['10.244.0.0/24', 'fd00:10:244::/64'],
      ['10.244.1.0/24', 'fd00:10:244:1::/64'],
    ])
  })

  const at = (name: string, nodeName: string, podIP: string, spec: Partial<Pod['spec']> = {}): Pod => ({
    ...pod(name, {}, { nodeName, ...spec }),
    status: { phase: 'Running', podIP },
  })

  test('are those that the pods of a node show, where the Node does not say', () => {
    const pods = [at('a', 'n1', '10.244.7.3'), at('b', 'n1', '10.244.7.9'), at('c', 'n2', '10.244.0.2')]
    expect(ranges([node('n1'), node('n2'), node('n3'), ...pods])).toEqual([
      ['10.244.7.0/24'],
      ['10.244.0.0/24'],
      ['10.244.1.0/24'],
    ])
  })

  test('of a node whose pods show one family are completed in the other', () => {
    expect(ranges([node('n1'), at('a', 'n1', '10.244.7.3')], dualSettings)).toEqual([
      ['10.244.7.0/24', 'fd00:10:244::/64'],
    ])
  })

  test.each([
    ['on which pods of two nodes agree', [at('a', 'n1', '10.244.0.3'), at('b', 'n2', '10.244.0.4')]],
    ['that a Node says are its own', [at('a', 'n1', '10.244.9.3')]],
    ['in which only host-network pods are', [at('a', 'n1', '10.244.0.3', { hostNetwork: true })]],
    ['of which one node shows several', [at('a', 'n1', '10.244.5.3'), at('b', 'n1', '10.244.6.4')]],
  ])('%s are not inferred, and never overlap', (_, pods) => {
    const found = ranges([node('n1'), node('n2'), node('n3', { spec: { podCIDR: '10.244.9.0/24' } }), ...pods])
    const blocks = found.flatMap((r) => r ?? [])
    expect(new Set(blocks).size).toBe(3)
    const used = pods.filter((p) => !p.spec.hostNetwork).map((p) => p.status?.podIP?.replace(/\d+$/, '0/24'))
    expect(used).not.toContain(blocks[0])
    expect(used).not.toContain(blocks[1])
  })

  test('never lie in the service network', () => {
    const settings = {
      ...ipv4Settings,
      podNetworks: [prefix('10.96.0.0/11')],
      serviceNetworks: [prefix('10.96.0.0/12')],
    }
    expect(ranges([node('n1')], settings)).toEqual([['10.112.0.0/24']])
  })

  test('that run out are told, and the pods there stay without address', () => {
    const settings = { ...ipv4Settings, podNetworks: [prefix('10.244.0.0/24')] }
    const { store, problems } = ran([node('n1'), node('n2'), pod('p', {}, { nodeName: 'n2' })], settings)
    expect(problems.map((p) => [p.code, p.object?.name])).toEqual([
      ['POD_CIDRS_EXHAUSTED', 'n2'],
      ['POD_ADDRESSES_EXHAUSTED', 'p'],
    ])
    expect(store.list('Pod')[0]?.status).toMatchObject({ phase: 'Pending' })
  })
})

describe('pods', () => {
  const given = (name: string, status: Pod['status'], spec: Partial<Pod['spec']> = {}): Pod => ({
    ...pod(name, {}, { nodeName: 'node-a', ...spec }),
    ...(status ? { status } : {}),
  })
  const ips = (...pods: readonly Pod[]) =>
    ran([node('node-a'), ...pods])
      .store.list('Pod')
      .map((p) => p.status?.podIP)

  test('get addresses upwards from .2, around those that others have', () => {
    expect(ips(given('a', undefined), given('b', { podIP: '10.244.0.3' }), given('c', undefined))).toEqual([
      '10.244.0.2',
      '10.244.0.3',
      '10.244.0.4',
    ])
  })

  test('that have finished give theirs back', () => {
    expect(ips(given('a', { phase: 'Succeeded', podIP: '10.244.0.2' }), given('b', undefined))).toEqual([
      undefined,
      '10.244.0.2',
    ])
  })

  test('in the network of the node have its addresses', () => {
    expect(ips(given('a', undefined, { hostNetwork: true }))).toEqual(['192.168.50.11'])
  })

  test('said not to be ready stay so', () => {
    const { store } = ran([node('node-a'), given('a', { conditions: [{ type: 'Ready', status: 'False' }] })])
    expect(only(store, 'Pod', 'a').status).toMatchObject({ phase: 'Running', podIP: '10.244.0.2' })
    expect(only(store, 'Pod', 'a').status?.conditions?.find((c) => c.type === 'Ready')?.status).toBe('False')
  })

  test('fill a range but for network, gateway and broadcast address', () => {
    const settings = { ...ipv4Settings, nodeMaskLength: { ipv4: 29, ipv6: 64 } }
    const { store, problems } = ran([node('n1'), deployment('web', 6)], settings)
    expect(store.list('Pod').map((p) => p.status?.podIP)).toEqual([
      '10.244.0.2',
      '10.244.0.3',
      '10.244.0.4',
      '10.244.0.5',
      '10.244.0.6',
      undefined,
    ])
    expect(problems.map((p) => p.code)).toEqual(['POD_ADDRESSES_EXHAUSTED'])
  })
})

describe('cluster IPs', () => {
  const made = (spec: Partial<Service['spec']>, settings = dualSettings) =>
    only(ran([service('web', spec)], settings).store, 'Service', 'web').spec

  test.each([
    { name: 'one, of the first family', spec: {}, ips: ['10.96.1.1'], families: ['IPv4'], policy: 'SingleStack' },
    {
      name: 'one, of the family asked for',
      spec: { ipFamilies: ['IPv6'] },
      ips: ['fd00:10:96::101'],
      families: ['IPv6'],
      policy: 'SingleStack',
    },
    {
      name: 'two where it prefers two',
      spec: { ipFamilyPolicy: 'PreferDualStack' },
      ips: ['10.96.1.1', 'fd00:10:96::101'],
      families: ['IPv4', 'IPv6'],
      policy: 'PreferDualStack',
    },
    {
      name: 'in the order asked for',
      spec: { ipFamilies: ['IPv6', 'IPv4'], ipFamilyPolicy: 'RequireDualStack' },
      ips: ['fd00:10:96::101', '10.96.1.1'],
      families: ['IPv6', 'IPv4'],
      policy: 'RequireDualStack',
    },
    {
      name: 'the one given, and the other',
      spec: { clusterIP: '10.96.0.77', ipFamilyPolicy: 'RequireDualStack' },
      ips: ['10.96.0.77', 'fd00:10:96::101'],
      families: ['IPv4', 'IPv6'],
      policy: 'RequireDualStack',
    },
    {
      name: 'none for a headless Service',
      spec: { clusterIP: 'None' },
      ips: ['None'],
      families: ['IPv4'],
      policy: 'SingleStack',
    },
    {
      name: 'both families for headless manual endpoints',
      spec: { clusterIP: 'None', selector: {} },
      ips: ['None'],
      families: ['IPv4', 'IPv6'],
      policy: 'RequireDualStack',
    },
  ] satisfies readonly {
    name: string
    spec: Partial<Service['spec']>
    ips: string[]
    families: string[]
    policy: string
  }[])('$name', ({ spec, ips, families, policy }) => {
    expect(made(spec)).toMatchObject({
      clusterIP: ips[0],
      clusterIPs: ips,
      ipFamilies: families,
      ipFamilyPolicy: policy,
    })
  })

  test('prefer one family where the cluster has one', () => {
    expect(made({ ipFamilyPolicy: 'PreferDualStack' }, ipv4Settings)).toMatchObject({
      clusterIPs: ['10.96.1.1'],
      ipFamilies: ['IPv4'],
    })
  })

  test('of a family that the cluster lacks are refused', () => {
    const { problems } = ran([service('web', { ipFamilyPolicy: 'RequireDualStack' })])
    expect(problems.map((p) => [p.code, p.path, p.severity])).toEqual([
      ['API_REFUSES', ['spec', 'ipFamilyPolicy'], 'error'],
    ])
  })

  test('are none for an ExternalName', () => {
    expect(made({ type: 'ExternalName', externalName: 'example.org' })).not.toHaveProperty('clusterIP')
  })

  test.each([
    { network: '10.96.0.0/12', first: '10.96.1.1' },
    { network: '10.96.0.0/20', first: '10.96.1.1' },
    { network: '10.96.0.0/22', first: '10.96.0.65' },
    { network: '10.96.0.0/24', first: '10.96.0.17' },
    { network: '10.96.0.0/28', first: '10.96.0.1' },
    { network: 'fd00::/108', first: 'fd00::101' },
  ])('of $network start above the static band, at $first', ({ network, first }) => {
    expect(serviceIps(prefix(network), new Set())()).toBe(first)
  })

  test('use the static band once the rest is full, and then end', () => {
    const next = serviceIps(prefix('10.0.0.0/27'), new Set(['10.0.0.20']))
    const all = Array.from({ length: 29 }, next)
    expect([all[0], all.at(-1), next()]).toEqual(['10.0.0.17', '10.0.0.16', undefined])
    expect(new Set(all).size).toBe(29)
  })
})

describe('node ports', () => {
  test('start above the static band and go round it', () => {
    const next = nodePorts({ from: 30000, to: 32767 }, new Set([30086]))
    expect(next()).toBe(30087)
    const small = nodePorts({ from: 30000, to: 30019 }, new Set())
    expect(Array.from({ length: 21 }, small)).toEqual([
      30016,
      30017,
      30018,
      30019,
      ...Array.from({ length: 16 }, (_, i) => 30000 + i),
      undefined,
    ])
  })

  test('are shared by the protocols of one port', () => {
    const ports = [
      { name: 'dns', port: 53, protocol: 'UDP' as const },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' as const },
      { name: 'metrics', port: 9153 },
    ]
    const { store } = ran([service('dns', { type: 'NodePort', ports })])
    expect(only(store, 'Service', 'dns').spec.ports?.map((p) => p.nodePort)).toEqual([30086, 30086, 30087])
  })

  test.each([
    { name: 'a LoadBalancer has them', spec: { type: 'LoadBalancer' }, port: 30086, health: undefined },
    {
      name: 'a LoadBalancer can do without',
      spec: { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false },
      port: undefined,
      health: undefined,
    },
    {
      name: 'policy Local adds one for health checks',
      spec: { type: 'LoadBalancer', externalTrafficPolicy: 'Local' },
      port: 30086,
      health: 30087,
    },
    {
      name: 'a NodePort with policy Local has no health check',
      spec: { type: 'NodePort', externalTrafficPolicy: 'Local' },
      port: 30086,
      health: undefined,
    },
    { name: 'a ClusterIP has none', spec: {}, port: undefined, health: undefined },
  ] satisfies readonly {
    name: string
    spec: Partial<Service['spec']>
    port: number | undefined
    health: number | undefined
  }[])('$name', ({ spec, port, health }) => {
    const made = only(ran([service('web', spec)]).store, 'Service', 'web')
    expect([made.spec.ports?.[0]?.nodePort, made.spec.healthCheckNodePort]).toEqual([port, health])
  })
})

describe('load balancers', () => {
  const ingress = (s: Service, settings = ipv4Settings) =>
    only(ran([s], settings).store, 'Service', 'web').status?.loadBalancer?.ingress
  test('give each family an address of a documentation network', () => {
    expect(ingress(service('web', { type: 'LoadBalancer', ipFamilyPolicy: 'PreferDualStack' }), dualSettings)).toEqual([
      { ip: '198.51.100.1', ipMode: 'VIP' },
      { ip: '2001:db8:198:51::1', ipMode: 'VIP' },
    ])
  })
  test('give what is asked for', () => {
    expect(ingress(service('web', { type: 'LoadBalancer', loadBalancerIP: '192.0.2.9' }))).toEqual([
      { ip: '192.0.2.9', ipMode: 'VIP' },
    ])
  })
  test('keep what a dump has', () => {
    const given = [{ hostname: 'lb.example.org' }]
    expect(
      ingress({ ...service('web', { type: 'LoadBalancer' }), status: { loadBalancer: { ingress: given } } }),
    ).toEqual(given)
  })
})
