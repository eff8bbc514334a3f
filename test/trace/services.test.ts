import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { loadText } from '../scenario.ts'
import { kubeProxyConfig, serviceCluster } from './service-cluster.ts'

const modes = ['iptables', 'nftables'] as const
type Mode = (typeof modes)[number]

const loaded = (mode: Mode) =>
  loadText({ path: 'cluster.yaml', text: serviceCluster }, { path: 'kube-proxy.yaml', text: kubeProxyConfig(mode) })
const clusters = { iptables: loaded('iptables'), nftables: loaded('nftables') }

interface Case {
  readonly name: string
  readonly from: string
  readonly to: string
  readonly protocol?: 'tcp' | 'udp' | 'sctp'
  /** Names of the backends that some branch reaches; or the reason why none does. */
  readonly reaches: readonly string[] | string
  /** The same in nftables mode, where that is another. */
  readonly inNftables?: string
  /** What the servers see as their peer: `client` for the client's own address, else a list of addresses. */
  readonly sees?: 'client' | readonly string[]
  readonly notes?: string
}

function ask(mode: Mode, { from, to, protocol }: Case, seed = 1): Trace {
  const result = trace(clusters[mode].cluster, {
    from,
    to,
    namespace: 'shop',
    seed,
    backend: 'all',
    ...(protocol ? { protocol } : {}),
  })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}

function outcome(result: Trace): string | readonly string[] {
  const { verdict, branches } = result
  if (verdict.result !== 'delivered') return verdict.reason ?? verdict.result
  return [...new Set(branches.map((b) => (b.reached?.name ?? '').replace(/^shop\//, '')))].sort()
}

const expected = (mode: Mode, { reaches, inNftables }: Case): string | readonly string[] =>
  mode === 'nftables' ? (inNftables ?? reaches) : reaches

const seen = (result: Trace): readonly string[] =>
  [...new Set(result.branches.flatMap((b) => b.reached?.source.ip ?? []))].sort()

const families = {
  IPv4: {
    cluster: (n: number) => `10.96.1.${n}`,
    node: (n: number) => `192.168.50.1${n}`,
    vip: (n: number) => `198.51.100.${n}`,
    external: '192.0.2.10',
    clientIp: '10.244.0.100',
    outsideIp: '203.0.113.10',
    bridge: (n: number) => `10.244.${n}.1`,
    tunnel: (n: number) => `10.244.${n}.0`,
  },
  IPv6: {
    cluster: (n: number) => `[fd00:10:96::1:${n}]`,
    node: (n: number) => `[fd00:192:168:50::1${n}]`,
    vip: (n: number) => `[2001:db8:198:51::${n}]`,
    external: '[2001:db8:2::10]',
    clientIp: 'fd00:10:244::100',
    outsideIp: '2001:db8:ffff::a',
    bridge: (n: number) => `fd00:10:244${n === 0 ? '' : `:${n}`}::1`,
    tunnel: (n: number) => `fd00:10:244${n === 0 ? '' : `:${n}`}::`,
  },
} as const

test.each(modes)('the cluster loads without a problem, %s', (mode) => {
  expect(clusters[mode].problems).toEqual([])
})

const everyMode = modes.flatMap((mode) => (['IPv4', 'IPv6'] as const).map((family) => ({ mode, family })))

describe.each(everyMode)('Services by $mode over $family', ({ mode, family }) => {
  const at = families[family]
  const both = ['web-a', 'web-b']
  /** Its own address at the other pod, its gateway's at itself. */
  const own = [at.clientIp.replace('100', '10'), at.bridge(0)].sort()
  const cases: readonly Case[] = [
    {
      name: 'ClusterIP, a named target port that differs per pod',
      from: 'pod/client',
      to: `${at.cluster(1)}:80`,
      reaches: both,
      sees: 'client',
    },
    { name: 'ClusterIP, a second port', from: 'pod/client', to: `${at.cluster(1)}:9100`, reaches: both },
    {
      name: 'ClusterIP, a port that it does not have',
      from: 'pod/client',
      to: `${at.cluster(1)}:81`,
      reaches: 'no-route',
      inNftables: 'rule-reject',
    },
    {
      name: 'ClusterIP from its own pod: the bridge turns it back, the source is hidden',
      from: 'pod/web-a',
      to: `${at.cluster(1)}:80`,
      reaches: both,
      sees: own,
    },
    { name: 'ClusterIP from a node', from: 'node/node-c', to: `${at.cluster(1)}:80`, reaches: both },
    {
      name: 'NodePort from outside, at a node without an endpoint',
      from: 'external',
      to: `${at.node(2)}:30080`,
      reaches: both,
      sees: [at.tunnel(2)],
    },
    { name: 'NodePort from a pod of the node', from: 'pod/client', to: `${at.node(0)}:30080`, reaches: both },
    { name: 'NodePort from another node', from: 'node/node-c', to: `${at.node(0)}:30080`, reaches: both },
    { name: 'NodePort from the node itself', from: 'node/node-a', to: `${at.node(0)}:30080`, reaches: both },
    {
      name: 'NodePort Local from outside, at its node: the client is seen',
      from: 'external',
      to: `${at.node(1)}:30081`,
      reaches: ['only-b'],
      sees: 'client',
    },
    {
      name: 'NodePort Local from outside, at another node',
      from: 'external',
      to: `${at.node(0)}:30081`,
      reaches: 'no-local-endpoints',
      notes:
        'Service shop/np-local has externalTrafficPolicy Local and no endpoint on node-a; ready endpoints are on node-b',
    },
    {
      name: 'NodePort Local from a pod of another node: short cut',
      from: 'pod/client',
      to: `${at.node(0)}:30081`,
      reaches: ['only-b'],
    },
    {
      name: 'LoadBalancer from outside: over the enrolled nodes',
      from: 'external',
      to: `${at.vip(10)}:80`,
      reaches: both,
      notes: 'node-c has the label node.kubernetes.io/exclude-from-external-load-balancers',
    },
    {
      name: 'LoadBalancer from a pod never leaves for the balancer',
      from: 'pod/client',
      to: `${at.vip(10)}:80`,
      reaches: both,
    },
    {
      name: 'LoadBalancer, a port that it does not serve',
      from: 'external',
      to: `${at.vip(10)}:81`,
      reaches: 'rule-drop',
    },
    {
      name: 'LoadBalancer Local: only the node with an endpoint is healthy; the client is seen',
      from: 'external',
      to: `${at.vip(11)}:80`,
      reaches: ['only-b'],
      sees: 'client',
      notes: 'spreads over node-b',
    },
    { name: 'source ranges without the client', from: 'external', to: `${at.vip(12)}:80`, reaches: 'rule-drop' },
    { name: 'source ranges with the client', from: 'external', to: `${at.vip(13)}:80`, reaches: both },
    { name: 'source ranges do not hold node ports back', from: 'external', to: `${at.node(0)}:30084`, reaches: both },
    { name: 'ipMode Proxy from outside: by node port', from: 'external', to: `${at.vip(14)}:80`, reaches: both },
    {
      name: 'ipMode Proxy from a pod goes out to the balancer',
      from: 'pod/client',
      to: `${at.vip(14)}:80`,
      reaches: both,
      notes: 'load balancer cloud spreads over',
    },
    { name: 'external IP from a pod', from: 'pod/client', to: `${at.external}:80`, reaches: both },
    { name: 'external IP from outside, routed to a node', from: 'external', to: `${at.external}:80`, reaches: both },
    {
      name: 'internalTrafficPolicy Local, an endpoint on the node',
      from: 'pod/client-b',
      to: `${at.cluster(10)}:80`,
      reaches: ['only-b'],
      sees: [at.clientIp.replace('244.0', '244.1').replace('244::', '244:1::')],
    },
    {
      name: 'internalTrafficPolicy Local, none on the node',
      from: 'pod/client',
      to: `${at.cluster(10)}:80`,
      reaches: 'no-local-endpoints',
      notes: 'has internalTrafficPolicy Local and no endpoint on node-a; ready endpoints are on node-b',
    },
    {
      name: 'UDP',
      from: 'pod/client',
      to: `${at.cluster(11)}:53`,
      protocol: 'udp',
      reaches: ['dns-b'],
      sees: 'client',
    },
    {
      name: 'SCTP',
      from: 'pod/client',
      to: `${at.cluster(11)}:53`,
      protocol: 'sctp',
      reaches: ['dns-b'],
      sees: 'client',
    },
    {
      name: 'a UDP node port beside a TCP one of the same number',
      from: 'external',
      to: `${at.node(0)}:30053`,
      protocol: 'udp',
      reaches: ['dns-b'],
    },
    { name: 'an SCTP node port', from: 'external', to: `${at.node(0)}:30053`, protocol: 'sctp', reaches: ['dns-b'] },
    {
      name: 'pods that are not ready',
      from: 'pod/client',
      to: `${at.cluster(12)}:80`,
      reaches: 'no-endpoints',
      notes: 'sick-b is selected but is not ready',
    },
    { name: 'publishNotReadyAddresses', from: 'pod/client', to: `${at.cluster(13)}:80`, reaches: ['sick-b'] },
    { name: 'EndpointSlices by hand', from: 'pod/client-b', to: `${at.cluster(14)}:80`, reaches: ['web-a'] },
    {
      name: 'terminating endpoints serve on when there is no other',
      from: 'pod/client',
      to: `${at.cluster(15)}:80`,
      reaches: ['web-a'],
    },
    {
      name: 'zone hints keep traffic in the zone',
      from: 'pod/client-b',
      to: `${at.cluster(16)}:80`,
      reaches: ['web-a'],
    },
    { name: 'zone hints of the other zone', from: 'node/node-c', to: `${at.cluster(16)}:80`, reaches: ['zone-c'] },
    {
      name: 'trafficDistribution PreferClose, in the zone of two',
      from: 'pod/client',
      to: `${at.cluster(21)}:80`,
      reaches: both,
    },
    {
      name: 'trafficDistribution PreferClose, in the other zone',
      from: 'node/node-c',
      to: `${at.cluster(21)}:80`,
      reaches: ['zone-c'],
    },
    { name: 'a LoadBalancer without node ports', from: 'external', to: `${at.vip(15)}:80`, reaches: ['only-b'] },
    { name: 'a pod in the network of its node', from: 'pod/client', to: `${at.cluster(17)}:80`, reaches: ['node-c'] },
    {
      name: 'the node port of a pod in the network of its node, at that node',
      from: 'external',
      to: `${at.node(2)}:30087`,
      reaches: ['node-c'],
    },
    {
      name: 'a named target port that no pod has',
      from: 'pod/client',
      to: `${at.cluster(19)}:80`,
      reaches: 'no-endpoints',
      notes: '"nonsense"',
    },
    {
      name: 'the health check node port answers whether there is an endpoint or not',
      from: 'external',
      to: `${at.node(0)}:31083`,
      reaches: ['node-a'],
      sees: 'client',
    },
    { name: 'a hostPort', from: 'external', to: `${at.node(1)}:8999`, reaches: ['ported'], sees: 'client' },
    {
      name: 'a hostPort with the number of a node port: the node port wins',
      from: 'external',
      to: `${at.node(1)}:30080`,
      reaches: both,
    },
  ]

  test.each(cases)('$name', (c) => {
    const result = ask(mode, c)
    expect(outcome(result), result.verdict.sentence).toEqual(expected(mode, c))
    if (c.sees === 'client') expect(seen(result)).toEqual([c.from === 'external' ? at.outsideIp : at.clientIp])
    else if (c.sees) expect(seen(result)).toEqual(c.sees)
    if (c.notes !== undefined) expect(result.notes.map((n) => n.message).join('\n')).toContain(c.notes)
  })
})

describe.each(modes)('Services in IPv4 alone, and by name, by %s', (mode) => {
  test.each<Case>([
    { name: 'Endpoints of the older kind', from: 'pod/client', to: 'svc/old', reaches: ['only-b'] },
    { name: 'headless', from: 'pod/client', to: 'svc/headless', reaches: ['only-b'], sees: 'client' },
    { name: 'ExternalName', from: 'pod/client', to: 'svc/alias:80', reaches: ['web-a', 'web-b'] },
    {
      name: 'a node port on loopback',
      from: 'node/node-a',
      to: '127.0.0.1:30080',
      reaches: ['web-a', 'web-b'],
      inNftables: 'not-listening',
    },
    {
      name: 'localhost by name',
      from: 'node/node-a',
      to: 'localhost:30080',
      reaches: ['web-a', 'web-b'],
      inNftables: 'not-listening',
    },
    { name: 'no node port on the loopback of IPv6', from: 'node/node-a', to: '[::1]:30080', reaches: 'not-listening' },
    { name: 'loopback of a pod is its own', from: 'pod/web-a', to: '127.0.0.1:8080', reaches: ['web-a'] },
    {
      name: 'from outside a LoadBalancer is reached by its VIP',
      from: 'external',
      to: 'svc/lb-local',
      reaches: ['only-b'],
    },
  ])('$name', (c) => {
    const result = ask(mode, c)
    expect(outcome(result), result.verdict.sentence).toEqual(expected(mode, c))
  })
})
