import { describe, expect, test } from 'vitest'
import { applyEdits } from '../../../src/artefact/iptables/apply.ts'
import { emptyRuleset } from '../../../src/artefact/iptables/rule.ts'
import { deviceName } from '../../../src/artefact/link.ts'
import { formatRoute } from '../../../src/artefact/route-text.ts'
import { type CalicoResult, renderCalico, renderPodNetwork } from '../../../src/cni/calico.ts'
import type { KubeObject } from '../../../src/kube/objects/meta.ts'
import { clusterSettings } from '../../../src/kube/settings.ts'
import { ObjectStore } from '../../../src/kube/store.ts'
import { ip } from '../../../src/net/ip.ts'

const group = 'crd.projectcalico.org/v1'
const calico = (kind: string, name: string, spec: object): KubeObject =>
  ({ apiVersion: group, kind, metadata: { name }, spec }) as KubeObject

const node = (name: string, annotations: Record<string, string> = {}, labels = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, annotations, labels },
})

const block = (name: string, cidr: string): KubeObject => calico('BlockAffinity', name, { cidr, node: name })

const pod = (name: string, on: string, podIP: string): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName: on, containers: [] },
    status: { podIP, podIPs: [{ ip: podIP }] },
  }) as KubeObject

/** a and b on one subnet, c on another. */
const addresses: Readonly<Record<string, readonly [string, string]>> = {
  a: ['192.0.2.1', '192.0.2.254'],
  b: ['192.0.2.2', '192.0.2.254'],
  c: ['198.51.100.3', '198.51.100.254'],
}

const three = ['a', 'b', 'c'].flatMap((name, i) => [
  node(name, {
    'projectcalico.org/IPv4IPIPTunnelAddr': `10.0.${i}.0`,
    'projectcalico.org/IPv4VXLANTunnelAddr': `10.0.${i}.0`,
  }),
  block(name, `10.0.${i}.0/26`),
])

function render(...objects: readonly KubeObject[]): CalicoResult {
  const store = new ObjectStore()
  for (const object of objects) store.create(object)
  const uplinks = new Map(
    Object.entries(addresses).map(([name, [own, gateway]]) => [
      name,
      { device: deviceName('eth0'), mtu: 1500, addresses: [{ ip: ip(own), length: 24 }], gateways: [ip(gateway)] },
    ]),
  )
  return renderCalico(store, clusterSettings(store).settings, uplinks)
}

const pool = (spec: object): KubeObject => calico('IPPool', 'pool', { cidr: '10.0.0.0/16', ...spec })

const routesOf = (result: CalicoResult, name: string): readonly string[] =>
  (result.nodes.get(name)?.additions.routes ?? []).map((r) => formatRoute(r).trim()).sort()

describe('routes of node a', () => {
  test.each([
    {
      name: 'without encapsulation, a node behind a router is reached by it',
      spec: {},
      is: [
        '10.0.1.0/26 via 192.0.2.2 dev eth0 proto bird metric 1024',
        '10.0.2.0/26 via 192.0.2.254 dev eth0 proto bird metric 1024',
        'blackhole 10.0.0.0/26 proto bird',
      ],
    },
    {
      name: 'IPIP always',
      spec: { ipipMode: 'Always' },
      is: [
        '10.0.1.0/26 via 192.0.2.2 dev tunl0 proto bird metric 1024 onlink',
        '10.0.2.0/26 via 198.51.100.3 dev tunl0 proto bird metric 1024 onlink',
        'blackhole 10.0.0.0/26 proto bird',
      ],
    },
    {
      name: 'IPIP across subnets',
      spec: { ipipMode: 'CrossSubnet' },
      is: [
        '10.0.1.0/26 via 192.0.2.2 dev eth0 proto bird metric 1024',
        '10.0.2.0/26 via 198.51.100.3 dev tunl0 proto bird metric 1024 onlink',
        'blackhole 10.0.0.0/26 proto bird',
      ],
    },
    {
      name: 'VXLAN always is Felix alone',
      spec: { vxlanMode: 'Always' },
      is: [
        '10.0.1.0/26 via 10.0.1.0 dev vxlan.calico onlink mtu 1450',
        '10.0.2.0/26 via 10.0.2.0 dev vxlan.calico onlink mtu 1450',
        'blackhole 10.0.0.0/26 proto 80',
      ],
    },
    {
      name: 'VXLAN across subnets',
      spec: { vxlanMode: 'CrossSubnet' },
      is: [
        '10.0.1.0/26 via 192.0.2.2 dev eth0 proto 80 onlink',
        '10.0.2.0/26 via 10.0.2.0 dev vxlan.calico onlink mtu 1450',
        'blackhole 10.0.0.0/26 proto 80',
      ],
    },
  ])('$name', ({ spec, is }) => {
    expect(routesOf(render(...three, pool(spec)), 'a')).toEqual(is)
  })

  test('a borrowed address is a route of its own on every other node, the lender included', () => {
    const result = render(...three, pool({}), pod('p', 'b', '10.0.0.9'))
    expect(routesOf(result, 'a')).toContain('10.0.0.9 via 192.0.2.2 dev eth0 proto bird metric 1024')
    expect(routesOf(result, 'c')).toContain('10.0.0.9 via 198.51.100.254 dev eth0 proto bird metric 1024')
    expect(routesOf(result, 'b')).toContain(
      '10.0.0.9 dev calic6df4dd6b2b scope link metric 1024'.replace(
        'calic6df4dd6b2b',
        String(result.pods[0]?.hostDevice),
      ),
    )
  })
})

describe('sessions', () => {
  const names = (result: CalicoResult, name: string): readonly string[] =>
    result
      .bgp('ipv4')
      .sessions(name)
      .map((s) => `${s.name} ${s.state}`)

  test('a full mesh', () => {
    expect(names(render(...three, pool({})), 'a')).toEqual([
      'Mesh_192_0_2_2 Established',
      'Mesh_198_51_100_3 Established',
    ])
  })

  test('a node with a cluster id leaves the mesh on both sides', () => {
    const [first, ...rest] = three
    const reflector = {
      ...first,
      metadata: { name: 'a', annotations: { 'projectcalico.org/RouteReflectorClusterID': '1.0.0.1' } },
    } as KubeObject
    const result = render(reflector, ...rest, pool({}))
    expect(names(result, 'a')).toEqual([])
    expect(names(result, 'b')).toEqual(['Mesh_198_51_100_3 Established'])
  })

  const noMesh = calico('BGPConfiguration', 'default', { nodeToNodeMeshEnabled: false })
  const toReflectors = calico('BGPPeer', 'rr', { nodeSelector: 'all()', peerSelector: "role == 'rr'" })
  const reflecting = (annotations: Record<string, string>): readonly KubeObject[] => [
    node('a', annotations, { role: 'rr' }),
    node('b'),
    node('c'),
    ...three.filter((o) => o.kind === 'BlockAffinity'),
    pool({}),
    noMesh,
    toReflectors,
  ]

  test('clients of a reflector have all blocks, and one session', () => {
    const result = render(...reflecting({ 'projectcalico.org/RouteReflectorClusterID': '1.0.0.1' }))
    expect(names(result, 'b')).toEqual(['Node_192_0_2_1 Established'])
    expect(names(result, 'a')).toEqual(['Node_192_0_2_2 Established', 'Node_198_51_100_3 Established'])
    expect(routesOf(result, 'b').map((r) => r.split(' ')[0])).toEqual(['10.0.0.0/26', '10.0.2.0/26', 'blackhole'])
  })

  test('without a cluster id it passes nothing on', () => {
    const result = render(...reflecting({}))
    expect(routesOf(result, 'b').map((r) => r.split(' ')[0])).toEqual(['10.0.0.0/26', 'blackhole'])
  })

  test('a filter of a peer keeps routes back', () => {
    const filter = calico('BGPFilter', 'no-a', {
      exportV4: [{ cidr: '10.0.0.0/26', matchOperator: 'In', action: 'Reject' }],
    })
    const peer = calico('BGPPeer', 'rr', { nodeSelector: 'all()', peerSelector: "role == 'rr'", filters: ['no-a'] })
    const objects = reflecting({ 'projectcalico.org/RouteReflectorClusterID': '1.0.0.1' }).filter(
      (o) => o.kind !== 'BGPPeer',
    )
    const result = render(...objects, peer, filter)
    expect(routesOf(result, 'b').map((r) => r.split(' ')[0])).toEqual(['10.0.2.0/26', 'blackhole'])
  })

  test('a pool that is not exported stays on its node; Service ranges are announced and not programmed', () => {
    const ranges = calico('BGPConfiguration', 'default', { serviceClusterIPs: [{ cidr: '10.96.0.0/12' }] })
    const result = render(...three, pool({ disableBGPExport: true }), ranges)
    expect(routesOf(result, 'b')).toEqual(['blackhole 10.0.1.0/26 proto bird'])
    expect(
      result
        .bgp('ipv4')
        .advertised('a', 'Mesh_192_0_2_2')
        .map((a) => a.prefix.address),
    ).toEqual(['10.96.0.0'])
    const filter = applyEdits(emptyRuleset('ipv4'), result.nodes.get('a')?.edits.ipv4 ?? []).tables.find(
      (t) => t.name === 'filter',
    )
    expect(filter?.chains.find((c) => c.name === 'cali-cidr-block')?.rules.length).toBe(1)
  })
})

describe('which pod network', () => {
  const settings = (store: ObjectStore) => clusterSettings(store).settings
  const nameOf = (...objects: readonly KubeObject[]): string | undefined => {
    const store = new ObjectStore()
    for (const object of objects) store.create(object)
    return renderPodNetwork(store, settings(store), new Map()).name
  }
  const flannelConfig: KubeObject = {
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'canal-config', namespace: 'kube-system' } },
    data: { 'net-conf.json': '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}' },
  } as KubeObject
  const calicoNode = (env: readonly object[]): KubeObject =>
    ({
      ...{ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'canal', namespace: 'kube-system' } },
      spec: { template: { spec: { containers: [{ name: 'calico-node', env }] } } },
    }) as KubeObject

  test.each([
    { name: 'nothing said: flannel', objects: [], is: /flannel/ },
    { name: 'an IPPool: calico', objects: [pool({ ipipMode: 'Always' })], is: /^calico IPIP Always BGP$/ },
    {
      name: 'calico-node for policy alone, with flannel: canal',
      objects: [flannelConfig, calicoNode([{ name: 'CALICO_NETWORKING_BACKEND', value: 'none' }])],
      is: /^canal/,
    },
    { name: "flannel's configuration alone: flannel", objects: [flannelConfig], is: /flannel/ },
  ])('$name', ({ objects, is }) => {
    expect(nameOf(...objects) ?? 'flannel').toMatch(is)
  })
})
