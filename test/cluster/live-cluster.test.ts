import { describe, expect, test } from 'vitest'
import { formatFdb } from '../../src/artefact/fdb-text.ts'
import { formatNeighbour } from '../../src/artefact/neighbour-text.ts'
import type { NetnsState } from '../../src/artefact/netns.ts'
import { formatRoute } from '../../src/artefact/route-text.ts'
import { buildCluster } from '../../src/cluster/build.ts'
import type { Cluster } from '../../src/cluster/cluster.ts'
import { type ClusterChange, LiveCluster } from '../../src/cluster/live-cluster.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { ObjectStore } from '../../src/kube/store.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import { clusterOf } from './flannel-cluster.ts'

const node = (n: number, lan = 0): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: `node${n}` },
  ...{
    spec: { podCIDR: `10.244.${n - 1}.0/24`, podCIDRs: [`10.244.${n - 1}.0/24`] },
    status: { addresses: [{ type: 'InternalIP', address: `192.168.${lan}.${10 + n}` }] },
  },
})

function live(backend: string, nodes = 2) {
  const { cluster } = clusterOf({ backend, nodes })
  const store = cluster.objects as ObjectStore
  const followed = new LiveCluster(store, cluster.settings)
  const changes: ClusterChange[] = []
  followed.watch((c) => changes.push(c))
  return { store, followed, changes, settings: cluster.settings }
}

const listing = (s: NetnsState | undefined): readonly string[] =>
  s ? [...s.routes.map(formatRoute), ...s.neighbours.map(formatNeighbour), ...s.fdb.map(formatFdb)].sort() : []
const stateOf = (cluster: Cluster, name: string): NetnsState | undefined =>
  [...cluster.network().machines.values()].find((m) => m.kind === 'node' && m.name === name)?.state()

const backends = [
  '{ "Type": "vxlan" }',
  '{ "Type": "vxlan", "DirectRouting": true }',
  '{ "Type": "host-gw" }',
  '{ "Type": "udp" }',
  '{ "Type": "ipip" }',
]

describe.each(backends)('nodes of a cluster that is followed, %s', (backend) => {
  test.each([
    { name: 'a node that joins', change: (s: ObjectStore) => s.create(node(3)) },
    { name: 'a node of another subnet that joins', change: (s: ObjectStore) => s.create(node(3, 7)) },
    { name: 'a node that leaves', change: (s: ObjectStore) => s.delete({ kind: 'Node', name: 'node2' }) },
    {
      name: 'a node that comes back with another subnet',
      change: (s: ObjectStore) => {
        s.delete({ kind: 'Node', name: 'node2' })
        s.create({ ...node(5), metadata: { name: 'node2' } })
      },
    },
  ])('$name leaves the others as if they were worked out anew', ({ change }) => {
    const { store, followed, settings } = live(backend)
    stateOf(followed.current(), 'node1')
    change(store)
    const anew = buildCluster(store, settings).cluster
    expect(listing(stateOf(followed.current(), 'node1'))).toEqual(listing(stateOf(anew, 'node1')))
  })
})

describe('what a change tells', () => {
  test('the commands that flanneld runs for a node that joins, on every other node and in its order', () => {
    const { store, changes } = live('{ "Type": "vxlan" }')
    store.create(node(3))
    const [change] = changes
    expect(change?.cause.type).toBe('ADDED')
    expect([...(change?.commands.keys() ?? [])]).toEqual(['node1', 'node2'])
    expect(change?.commands.get('node1')?.map((c) => c.split(' ').slice(0, 3).join(' '))).toEqual([
      'ip neigh replace',
      'bridge fdb replace',
      'ip route replace',
    ])
    expect(change?.commands.get('node1')?.at(-1)).toContain('10.244.2.0/24 via 10.244.2.0 dev flannel.1')
    expect(change?.outdated).toEqual(['node3'])
  })

  test('a change of labels tells nothing', () => {
    const { store, changes } = live('{ "Type": "host-gw" }')
    store.apply({ ...node(2), metadata: { name: 'node2', labels: { zone: 'x' } } })
    expect([...(changes[0]?.commands ?? [])]).toEqual([])
  })

  test('nodes that a change does not concern are not worked out again', () => {
    const { store, followed, changes } = live('{ "Type": "vxlan" }')
    const before = stateOf(followed.current(), 'node1')
    store.apply({
      apiVersion: 'kubehop.dev/v1alpha1',
      kind: 'NodeState',
      metadata: { name: 'node2' },
      ...{ spec: { sysctl: 'net.ipv4.ip_forward = 0' } },
    })
    expect(changes[0]?.outdated).toEqual(['node2'])
    expect(stateOf(followed.current(), 'node1')).toBe(before)
  })

  test('after close nothing is told', () => {
    const { store, followed, changes } = live('{ "Type": "vxlan" }')
    followed.close()
    store.create(node(3))
    expect(changes).toEqual([])
  })

  test('packets go by what is there now', () => {
    const { store, followed } = live('{ "Type": "vxlan" }')
    const ask = () => {
      const result = trace(followed.current(), { from: 'pod/a', to: 'pod/b:80', namespace: 'default', seed: 1 })
      return isEndProblem(result) ? result.problem : result.verdict.result
    }
    expect(ask()).toBe('delivered')
    store.apply({
      apiVersion: 'kubehop.dev/v1alpha1',
      kind: 'NodeState',
      metadata: { name: 'node2' },
      ...{ spec: { sysctl: 'net.ipv4.ip_forward = 0' } },
    })
    expect(ask()).toBe('dropped')
  })
})
