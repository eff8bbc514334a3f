import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { clusterOf } from '../cluster/flannel-cluster.ts'

const state = (node: string, spec: string): string => `apiVersion: kubehop.dev/v1alpha1
kind: NodeState
metadata: { name: ${node} }
spec:
${spec}`

function ask(more: string, from = 'pod/a', to = 'pod/b'): Trace {
  const { cluster, problems } = clusterOf({ backend: '{ "Type": "vxlan" }', nodes: 3, more })
  expect(problems).toEqual([])
  const result = trace(cluster, { from, to, namespace: 'default', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}
const vteps = (() => {
  const { cluster } = clusterOf({ backend: '{ "Type": "vxlan" }', nodes: 3 })
  const { machines } = cluster.network()
  return ['node1', 'node2', 'node3'].map((name) => {
    const node = [...machines.values()].find((m) => m.name === name)
    return node?.state().links.find((l) => l.kind.kind === 'vxlan')?.mac ?? ''
  })
})()
const [, mac2 = ''] = vteps

describe('a tunnel whose entries are not as its peer is', () => {
  test.each([
    {
      name: 'no FDB entry',
      spec: `  remove: { fdb: "${mac2} dev flannel.1 dst 192.168.0.12 self permanent" }`,
      reason: 'fdb-missing',
      note: `node1 has no FDB entry for ${mac2}`,
    },
    {
      name: 'no neighbour entry',
      spec: '  remove: { neighbours: "10.244.1.0 dev flannel.1 lladdr 02:00:00:00:00:01 PERMANENT" }',
      reason: 'neigh-missing',
      note: 'node1 has no neighbour entry for 10.244.1.0',
    },
    {
      name: 'an FDB entry to an address that nobody has any more',
      spec: `  fdb: "${mac2} dev flannel.1 dst 192.168.0.99 self permanent"`,
      reason: 'neigh-missing',
      note: `node1 has an FDB entry to 192.168.0.99 for ${mac2}`,
    },
    {
      name: 'an FDB entry to another node, which does not take the frame',
      spec: `  fdb: "${mac2} dev flannel.1 dst 192.168.0.13 self permanent"`,
      reason: 'other-host',
      note: `node1 has an FDB entry to 192.168.0.13 for ${mac2}`,
    },
    {
      name: 'both entries as of the node that was there before',
      spec: `  neighbours: "10.244.1.0 dev flannel.1 lladdr 02:00:00:00:00:99 PERMANENT"
  fdb: "02:00:00:00:00:99 dev flannel.1 dst 192.168.0.12 self permanent"`,
      reason: 'other-host',
      note: 'node1 has 02:00:00:00:00:99 for 10.244.1.0',
    },
  ])('$name', ({ spec, reason, note }) => {
    const { verdict, notes } = ask(state('node1', spec))
    expect(verdict.result).not.toBe('delivered')
    expect(`${verdict.reason}`).toBe(reason)
    expect(notes.map((n) => n.message).join('\n')).toContain(note)
    expect(notes.map((n) => n.message).join('\n')).toContain(`expected is the VTEP of node2: ${mac2} at 192.168.0.12`)
  })
})

describe('what would have let a packet pass', () => {
  test.each([
    {
      name: 'a FORWARD policy: the accept rule that is missing',
      spec: '  mode: replace\n  iptables: |\n    *filter\n    :FORWARD DROP [0:0]\n    COMMIT',
      node: 'node2',
      to: 'pod/b',
      reason: 'forward-policy-drop',
      note: '-A FORWARD -s 10.244.0.0/16 -j ACCEPT',
    },
    {
      name: "a host's own firewall: the tunnel's packet",
      spec: '  iptables: |\n    *filter\n    -A INPUT -p udp --dport 8472 -j DROP\n    COMMIT',
      node: 'node2',
      to: 'pod/b',
      reason: 'tunnel-port-blocked',
      note: "the tunnel's packet between the nodes",
    },
    {
      name: 'a lost route: whose pods they are',
      spec: '  remove: { routes: "10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink" }',
      node: 'node1',
      to: 'pod/b',
      reason: 'no-route',
      note: '10.244.1.2 is in 10.244.1.0/24, the pods of node2, but node1 has no route to them',
    },
    {
      name: 'an answer past conntrack: the sysctl',
      spec: '  sysctl: net.bridge.bridge-nf-call-iptables = 0',
      node: 'node1',
      from: 'pod/a2',
      to: 'svc/a:80',
      reason: 'unexpected-peer',
      note: 'net.bridge.bridge-nf-call-iptables = 0',
    },
  ])('$name', ({ spec, node, from, to, reason, note }) => {
    const { verdict, notes } = ask(state(node, spec), from, to)
    expect(verdict.reason).toBe(reason)
    expect(notes.map((n) => n.message).join('\n')).toContain(note)
  })
})

describe('a node port that kube-proxy does not serve', () => {
  const config = (line: string): string => `apiVersion: v1
kind: ConfigMap
metadata: { name: kube-proxy, namespace: kube-system }
data:
  config.conf: |
    kind: KubeProxyConfiguration
    mode: iptables
    ${line}`

  test.each([
    ['nodePortAddresses: [10.0.0.0/8]', 'external', 'node/node1:30080'],
    ['iptables: { localhostNodePorts: false }', 'node/node1', '127.0.0.1:30080'],
  ])('%s: from %s to %s', (line, from, to) => {
    const { verdict, notes } = ask(config(line), from, to)
    expect(verdict.reason).toBe('not-listening')
    expect(notes.map((n) => n.message).join()).toContain('30080 is a node port of Service default/a, but kube-proxy')
  })

  test('is nothing to a pod that refuses the same port', () => {
    const { verdict, notes } = ask('', 'pod/a', 'pod/b:30080')
    expect([verdict.reason, notes]).toEqual(['not-listening', []])
  })
})
