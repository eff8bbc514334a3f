import { describe, expect, test } from 'vitest'
import { blocksOf, CalicoIpam } from '../../../src/cni/calico/ipam.ts'
import { startCalico } from '../../../src/cni/calico/startup.ts'
import type { KubeObject } from '../../../src/kube/objects/meta.ts'
import type { Node } from '../../../src/kube/objects/node.ts'
import type { Pod } from '../../../src/kube/objects/pod.ts'
import { clusterSettings } from '../../../src/kube/settings.ts'
import { ObjectStore } from '../../../src/kube/store.ts'
import { ip } from '../../../src/net/ip.ts'
import { formatPrefix, prefix, prefixContains } from '../../../src/net/prefix.ts'

const group = 'crd.projectcalico.org/v1'
const node = (name: string, labels = {}): Node => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, labels } })
const calico = (kind: string, name: string, spec: object): KubeObject =>
  ({ apiVersion: group, kind, metadata: { name }, spec }) as KubeObject
const pool = (spec: object, name = 'pool'): KubeObject => calico('IPPool', name, { cidr: '10.0.0.0/24', ...spec })
const pod = (name: string, annotations = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', annotations },
  spec: { containers: [] },
})

function storeOf(...objects: readonly KubeObject[]): ObjectStore {
  const store = new ObjectStore()
  for (const object of objects) store.create(object)
  return store
}

describe('calico-ipam', () => {
  test('a node takes the lowest free address of its own block, the network address included', () => {
    const store = storeOf(node('a'), pool({}))
    const ipam = new CalicoIpam(store)
    const given = ['p', 'q', 'r'].flatMap((name) => ipam.forPod(pod(name), node('a')) ?? [])
    const [block] = blocksOf(store)
    expect(block && given.map((g) => prefixContains(block.cidr, g))).toEqual([true, true, true])
    expect(given[0]).toBe(block?.cidr.address)
    expect(block?.cidr.length).toBe(26)
  })

  test('two nodes have different blocks', () => {
    const store = storeOf(node('a'), node('b'), pool({}))
    const ipam = new CalicoIpam(store)
    for (const name of ['a', 'b']) ipam.forPod(pod('p'), node(name))
    expect(new Set(blocksOf(store).map((b) => formatPrefix(b.cidr))).size).toBe(2)
    expect(blocksOf(store).map((b) => b.node)).toEqual(['a', 'b'])
  })

  test('a full pool makes a node borrow from another block, unless affinity is strict', () => {
    const objects = [node('a'), node('b'), pool({ cidr: '10.0.0.0/30', blockSize: 30 })]
    const lend = new CalicoIpam(storeOf(...objects))
    expect(lend.forPod(pod('p'), node('a'))).toEqual(['10.0.0.0'])
    expect(lend.forPod(pod('q'), node('b'))).toEqual(['10.0.0.1'])
    const strict = new CalicoIpam(storeOf(...objects, calico('IPAMConfig', 'default', { strictAffinity: true })))
    expect(strict.forPod(pod('p'), node('a'))).toEqual(['10.0.0.0'])
    expect(strict.forPod(pod('q'), node('b'))).toBeUndefined()
  })

  test('a block has as many addresses as its size says, then the next one is claimed', () => {
    const store = storeOf(node('a'), pool({ blockSize: 30 }))
    const ipam = new CalicoIpam(store)
    for (let i = 0; i < 5; i++) ipam.forPod(pod(`p${i}`), node('a'))
    expect(blocksOf(store).length).toBe(2)
  })

  test('addresses that are reserved, held by pods or in allocations are passed over', () => {
    const store = storeOf(
      node('a'),
      pool({ cidr: '10.0.0.0/29', blockSize: 29 }),
      calico('IPReservation', 'r', { reservedCIDRs: ['10.0.0.0/31'] }),
      calico('IPAMBlock', 'b', { cidr: '10.0.0.0/29', affinity: 'host:a', allocations: [null, null, 0] }),
      { ...pod('held'), spec: { containers: [], nodeName: 'a' }, status: { podIP: '10.0.0.3' } } as Pod,
    )
    expect(new CalicoIpam(store).forPod(pod('p'), node('a'))).toEqual(['10.0.0.4'])
  })

  test.each([
    { name: 'a disabled pool gives none', spec: { disabled: true } },
    { name: 'a pool for other nodes gives none', spec: { nodeSelector: "zone == 'b'" } },
    { name: 'a pool for other namespaces gives none', spec: { namespaceSelector: "team == 'x'" } },
    { name: 'a pool for tunnels gives pods none', spec: { allowedUses: ['Tunnel'] } },
    { name: 'a manual pool gives none that is not asked for', spec: { assignmentMode: 'Manual' } },
  ])('$name', ({ spec }) => {
    expect(new CalicoIpam(storeOf(node('a'), pool(spec))).forPod(pod('p'), node('a'))).toBeUndefined()
  })

  test('annotations name pools, or addresses', () => {
    const ipam = new CalicoIpam(storeOf(node('a'), pool({}), pool({ cidr: '10.9.0.0/24' }, 'other')))
    const asked = pod('p', { 'cni.projectcalico.org/ipv4pools': '["other"]' })
    const [given] = ipam.forPod(asked, node('a')) ?? []
    expect(given && prefixContains(prefix('10.9.0.0/24'), given)).toBe(true)
    const exact = pod('q', { 'cni.projectcalico.org/ipAddrs': '["10.0.0.77"]' })
    expect(ipam.forPod(exact, node('a'))).toEqual([ip('10.0.0.77')])
  })
})

describe('what calico-node does when it starts', () => {
  test('every node gets the first address of a block for its tunnel, before any pod', () => {
    const store = storeOf(node('a'), pool({ ipipMode: 'Always' }))
    const give = startCalico(store, clusterSettings(store).settings)
    const [block] = blocksOf(store)
    const { annotations } = store.get('Node', 'a')?.metadata ?? {}
    expect(annotations?.['projectcalico.org/IPv4IPIPTunnelAddr']).toBe(block?.cidr.address)
    expect(give(pod('p'), node('a'))).toEqual([
      block && ip(block.cidr.address.replace(/\d+$/, (n) => `${Number(n) + 1}`)),
    ])
  })

  test('started again, it changes nothing', () => {
    const store = storeOf(node('a'), node('b'), pool({ vxlanMode: 'CrossSubnet' }))
    startCalico(store, clusterSettings(store).settings)
    const { resourceVersion } = store
    startCalico(store, clusterSettings(store).settings)
    expect(store.resourceVersion).toBe(resourceVersion)
  })

  test('the environment of calico-node makes the first pool', () => {
    const env = Object.entries({
      CALICO_IPV4POOL_CIDR: '10.1.0.0/16',
      CALICO_IPV4POOL_IPIP: 'Never',
      CALICO_IPV4POOL_VXLAN: 'CrossSubnet',
      CALICO_IPV4POOL_BLOCK_SIZE: '28',
    }).map(([name, value]) => ({ name, value }))
    const containers = [{ name: 'calico-node', image: 'calico/node:v3.31.0', env }]
    const set = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'calico-node', namespace: 'kube-system' },
      spec: { template: { spec: { containers } } },
    }
    const store = storeOf(node('a'), set as KubeObject)
    startCalico(store, clusterSettings(store).settings)
    expect(store.listAll('IPPool.crd.projectcalico.org')[0]).toMatchObject({
      spec: { cidr: '10.1.0.0/16', blockSize: 28, ipipMode: 'Never', vxlanMode: 'CrossSubnet', natOutgoing: true },
    })
  })
})
