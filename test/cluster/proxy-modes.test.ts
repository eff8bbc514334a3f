import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answerOf } from '../../src/trace/compare.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import { loadText } from '../scenario.ts'

type Mode = 'iptables' | 'ipvs' | 'nftables'
type Policy = 'Cluster' | 'Local'

interface Given {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer'
  readonly protocol: 'TCP' | 'UDP'
  readonly internal: Policy
  readonly external: Policy
  readonly affinity: boolean
  readonly externalIP: boolean
  readonly ranges: boolean
  /** How many pods serve on each of the three nodes. */
  readonly pods: readonly [number, number, number]
}

const nodes = ['node-a', 'node-b', 'node-c'] as const
const clusterIP = '10.96.45.67'
const vip = '198.51.100.7'
const externalIP = '198.51.100.8'
const nodePort = 30080

const node = (name: string, i: number) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: { podCIDR: `10.244.${i}.0/24` },
  status: {
    addresses: [{ type: 'InternalIP', address: `192.168.50.1${i + 1}` }],
    conditions: [{ type: 'Ready', status: 'True' }],
  },
})

const pod = (name: string, nodeName: string, protocol: string, labels: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels },
  spec: { nodeName, containers: [{ name: 'web', image: 'web', ports: [{ containerPort: 8080, protocol }] }] },
})

function service(g: Given) {
  const isOutside = g.type !== 'ClusterIP'
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec: {
      type: g.type,
      clusterIP,
      selector: { app: 'web' },
      internalTrafficPolicy: g.internal,
      ...(isOutside && { externalTrafficPolicy: g.external }),
      ...(g.externalIP && { externalIPs: [externalIP] }),
      ...(g.affinity && { sessionAffinity: 'ClientIP' }),
      ...(g.ranges && g.type === 'LoadBalancer' && { loadBalancerSourceRanges: ['203.0.113.0/24'] }),
      ports: [{ port: 80, targetPort: 8080, protocol: g.protocol, ...(isOutside && { nodePort }) }],
    },
    ...(g.type === 'LoadBalancer' && { status: { loadBalancer: { ingress: [{ ip: vip }] } } }),
  }
}

const proxy = (mode: Mode) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'kube-proxy', namespace: 'kube-system' },
  data: { 'config.conf': `kind: KubeProxyConfiguration\nmode: ${mode}\nclusterCIDR: 10.244.0.0/16\n` },
})

function clusterOf(g: Given, mode: Mode) {
  const pods = nodes.flatMap((name, i) =>
    Array.from({ length: g.pods[i] ?? 0 }, (_, n) => pod(`web-${i}-${n}`, name, g.protocol, { app: 'web' })),
  )
  const objects = [
    ...nodes.map(node),
    pod('client', 'node-a', 'TCP', { app: 'client' }),
    ...pods,
    service(g),
    proxy(mode),
  ]
  const text = objects.map((o) => JSON.stringify(o)).join('\n---\n')
  return loadText({ path: 'cluster.yaml', text }).cluster
}

interface Probe {
  readonly from: string
  readonly to: string
  /** Which policy it is under. */
  readonly by: 'internal' | 'external'
}

function probesOf(g: Given): readonly Probe[] {
  const inside: readonly Probe[] = ['pod/client.shop', 'node/node-a', 'pod/web-0-0.shop']
    .filter((from) => !from.startsWith('pod/web') || (g.pods[0] ?? 0) > 0)
    .map((from) => ({ from, to: `${clusterIP}:80`, by: 'internal' }))
  const outside: readonly Probe[] = [
    ...(g.type === 'ClusterIP' ? [] : [{ from: 'external', to: `192.168.50.11:${nodePort}` }]),
    ...(g.type === 'ClusterIP' ? [] : [{ from: 'pod/client.shop', to: `192.168.50.12:${nodePort}` }]),
    ...(g.type === 'LoadBalancer' ? [{ from: 'external', to: `${vip}:80` }] : []),
    ...(g.type === 'LoadBalancer' ? [{ from: 'pod/client.shop', to: `${vip}:80` }] : []),
    ...(g.externalIP ? [{ from: 'pod/client.shop', to: `${externalIP}:80` }] : []),
  ].map((p) => ({ ...p, by: 'external' }))
  return [...inside, ...outside]
}

/** The endpoints that may be reached and the sources that they see. */
function answer(g: Given, mode: Mode, probe: Probe) {
  const cluster = clusterOf(g, mode)
  const protocol = g.protocol === 'TCP' ? 'tcp' : 'udp'
  const result = trace(cluster, {
    from: probe.from,
    to: probe.to,
    namespace: 'shop',
    seed: 1,
    protocol,
    backend: 'all',
    everyRule: false,
  })
  if (isEndProblem(result)) throw new Error(result.problem)
  return { reaches: answerOf('reaches', result), source: answerOf('source seen', result) }
}

const given: fc.Arbitrary<Given> = fc.record({
  type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer'),
  protocol: fc.constantFrom('TCP', 'UDP'),
  internal: fc.constantFrom('Cluster', 'Cluster', 'Local'),
  external: fc.constantFrom('Cluster', 'Local'),
  affinity: fc.boolean(),
  externalIP: fc.boolean(),
  ranges: fc.boolean(),
  pods: fc.tuple(fc.nat(2), fc.nat(2), fc.nat(1)),
})

/** Differences that real modes have: docs/proxy-modes.md. */
function ipvsDiffers(g: Given, { by, from }: Probe): boolean {
  const policy = by === 'internal' ? g.internal : g.external
  if (policy === 'Cluster') return false
  const hasLocal = from === 'external' || by === 'internal' ? (g.pods[0] ?? 0) > 0 : false
  // Without a local endpoint it falls back to all; and it has no short cut for pods under an external policy Local.
  return !hasLocal
}

describe('the three modes', () => {
  test('reach the same endpoints with the same source seen', () => {
    fc.assert(
      fc.property(given, fc.nat(), (g, pick) => {
        const probes = probesOf(g)
        const probe = probes[pick % probes.length]
        if (!probe) return
        const iptables = answer(g, 'iptables', probe)
        expect(answer(g, 'nftables', probe), `nftables, ${JSON.stringify(probe)}`).toEqual(iptables)
        if (!ipvsDiffers(g, probe)) expect(answer(g, 'ipvs', probe), `ipvs, ${JSON.stringify(probe)}`).toEqual(iptables)
      }),
      { numRuns: 40 },
    )
  })

  const base: Given = {
    type: 'LoadBalancer',
    protocol: 'TCP',
    internal: 'Cluster',
    external: 'Cluster',
    affinity: false,
    externalIP: false,
    ranges: false,
    pods: [0, 1, 1],
  }
  const verdictIn = (g: Given, mode: Mode, from: string, to: string): string => {
    const request = { from, to, namespace: 'shop', seed: 1, backend: 'all', everyRule: false } as const
    const result = trace(clusterOf(g, mode), request)
    if (isEndProblem(result)) throw new Error(result.problem)
    return result.verdict.result
  }
  const client = 'pod/client.shop'
  const none: Given = { ...base, pods: [0, 0, 0] }
  const local: Given = { ...base, external: 'Local' }

  test.each([
    ['a Service with endpoints', base, client, `${clusterIP}:80`, 'delivered', 'delivered', 'delivered'],
    ['a Service without endpoints', none, client, `${clusterIP}:80`, 'rejected', 'rejected', 'rejected'],
    ['a port that the Service lacks', base, client, `${clusterIP}:81`, 'unreachable', 'rejected', 'rejected'],
    ['an address of no Service', base, client, '10.96.9.9:80', 'unreachable', 'unreachable', 'dropped'],
    ['Local, none here', local, 'external', `192.168.50.11:${nodePort}`, 'dropped', 'delivered', 'dropped'],
    ['a node port on another address', base, client, `10.244.0.1:${nodePort}`, 'delivered', 'delivered', 'refused'],
  ] as const)('%s', (_, g, from, to, iptables, ipvs, nftables) => {
    expect({
      iptables: verdictIn(g, 'iptables', from, to),
      ipvs: verdictIn(g, 'ipvs', from, to),
      nftables: verdictIn(g, 'nftables', from, to),
    }).toEqual({ iptables, ipvs, nftables })
  })

  test('an external policy Local has a short cut for pods, except in IPVS mode, which stays on the node', () => {
    const g: Given = { ...local, pods: [1, 1, 0] }
    const probe: Probe = { from: client, to: `${vip}:80`, by: 'external' }
    const both = 'pod shop/web-0-0 10.244.0.3:8080; pod shop/web-1-0 10.244.1.2:8080'
    expect(answer(g, 'iptables', probe).reaches).toBe(both)
    expect(answer(g, 'nftables', probe).reaches).toBe(both)
    expect(answer(g, 'ipvs', probe).reaches).toBe('pod shop/web-0-0 10.244.0.3:8080')
  })
})
