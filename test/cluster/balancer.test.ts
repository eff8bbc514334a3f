import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { toNumber } from '../../src/trace/fraction.ts'
import { trace } from '../../src/trace/run.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { loadText } from '../scenario.ts'

interface NodeGiven {
  readonly metadata?: string
  readonly spec?: string
  readonly status?: string
}

interface Given {
  /** One node each: what it has beside name and address. */
  readonly nodes?: readonly NodeGiven[]
  /** Numbers of the nodes with a pod; default all. */
  readonly pods?: readonly number[]
  readonly service?: string
  readonly status?: string
  readonly underlay?: string
}

const three: readonly NodeGiven[] = [{}, {}, {}]

function clusterOf({ nodes = three, pods, service = '', status, underlay }: Given) {
  const node = ({ metadata = '', spec = '', status: more = '' }: NodeGiven, n: number): string =>
    `{ apiVersion: v1, kind: Node, metadata: { name: node-${n}, ${metadata} }, spec: { podCIDR: 10.244.${n}.0/24, ${spec} }, status: { addresses: [{ type: InternalIP, address: 192.168.50.2${n} }], ${more} } }`
  const pod = (n: number): string =>
    `{ apiVersion: v1, kind: Pod, metadata: { name: web-${n}, labels: { app: web } }, spec: { nodeName: node-${n}, containers: [{ name: c, image: c, ports: [{ containerPort: 8080 }] }] } }`
  const front = `{ apiVersion: v1, kind: Service, metadata: { name: web }, spec: { type: LoadBalancer, selector: { app: web }, ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }], ${service} }${status === undefined ? '' : `, status: { loadBalancer: { ingress: [${status}] } }`} }`
  const around =
    underlay === undefined
      ? []
      : [`{ apiVersion: kubehop.dev/v1alpha1, kind: Underlay, metadata: { name: u }, spec: { ${underlay} } }`]
  const text = [...nodes.map(node), ...(pods ?? nodes.map((_, n) => n)).map(pod), front, ...around].join('\n---\n')
  const { cluster, problems } = loadText({ path: 'a.yaml', text })
  expect(problems).toEqual([])
  return cluster
}

function ask(given: Given, to = 'svc/web', from = 'external'): Trace {
  const result = trace(clusterOf(given), { from, to, namespace: 'default', seed: 1, backend: 'all' })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}

const enrolled = (given: Given): readonly string[] =>
  clusterOf(given)
    .underlay.balancers.flatMap((b) => b.vips)
    .flatMap((v) => v.spread().targets.map((t) => t.node))

const local = 'externalTrafficPolicy: Local, healthCheckNodePort: 31000'
const notReady = 'conditions: [{ type: Ready, status: "False" }]'

describe('the nodes that a load balancer spreads over', () => {
  test.each<{ name: string; given: Given; nodes: readonly string[] }>([
    { name: 'all of them', given: {}, nodes: ['node-0', 'node-1', 'node-2'] },
    { name: 'not one that is not ready', given: { nodes: [{}, { status: notReady }] }, nodes: ['node-0'] },
    {
      name: 'not one with the label, whatever its value',
      given: {
        nodes: [{}, { metadata: 'labels: { node.kubernetes.io/exclude-from-external-load-balancers: "false" }' }],
      },
      nodes: ['node-0'],
    },
    {
      name: 'not one that the autoscaler is about to delete',
      given: { nodes: [{}, { spec: 'taints: [{ key: ToBeDeletedByClusterAutoscaler, effect: NoSchedule }]' }] },
      nodes: ['node-0'],
    },
    {
      name: 'a cordoned one too',
      given: { nodes: [{}, { spec: 'unschedulable: true' }] },
      nodes: ['node-0', 'node-1'],
    },
    { name: 'with Local, those with a ready endpoint', given: { service: local, pods: [1] }, nodes: ['node-1'] },
    {
      name: 'with Local and no endpoint anywhere, all',
      given: { service: local, pods: [] },
      nodes: ['node-0', 'node-1', 'node-2'],
    },
  ])('$name', ({ given, nodes }) => {
    expect(enrolled(given)).toEqual(nodes)
  })

  test('each is as likely as another', () => {
    const { branches } = ask({})
    const shares = new Map<string, number>()
    for (const b of branches) {
      const node = b.legs[0]?.hops.find((h) => h.node !== undefined)?.node ?? ''
      shares.set(node, (shares.get(node) ?? 0) + toNumber(b.probability))
    }
    expect([...shares.keys()].sort()).toEqual(['node-0', 'node-1', 'node-2'])
    for (const share of shares.values()) expect(share).toBeCloseTo(1 / 3, 8)
  })

  test('what is left out, and why, is told', () => {
    const { notes } = ask({ service: local, pods: [1] })
    expect(notes.map((n) => n.message)).toEqual([
      'load balancer cloud spreads over node-1 for 198.51.100.1:80; left out: node-0 no ready endpoint there: health check node port 31000 answers 503; node-2 no ready endpoint there: health check node port 31000 answers 503',
    ])
  })
})

const sources = (result: Trace): readonly string[] => [
  ...new Set(result.branches.flatMap((b) => b.reached?.source.ip ?? [])),
]
const peers = (result: Trace): readonly string[] => [...new Set(result.branches.flatMap((b) => b.peerSeen?.ip ?? []))]

describe('how a packet gets through', () => {
  test('preserved: the node sees the VIP as destination and the client as source, and answers past the balancer', () => {
    const result = ask({ service: local, pods: [1] })
    const [branch] = result.branches
    expect(result.verdict.result).toBe('delivered')
    expect(sources(result)).toEqual(['203.0.113.10'])
    expect(peers(result)).toEqual(['198.51.100.1'])
    const passed = (leg: number): boolean =>
      branch?.legs[leg]?.hops.some((h) => h.place.kind === 'machine' && h.place.machine === 'load-balancer') ?? false
    expect([passed(0), passed(1)]).toEqual([true, false])
    expect(branch?.legs[0]?.hops.find((h) => h.node === 'node-1')?.packetIn?.dst).toBe('198.51.100.1')
  })

  test('proxied: the node port is asked, from the address of the balancer', () => {
    const result = ask({ service: local, pods: [1], underlay: 'loadBalancers: [{ name: lb, mode: proxy }]' })
    expect(result.verdict.result).toBe('delivered')
    expect(sources(result)).toEqual(['192.168.50.253'])
    expect(peers(result)).toEqual(['198.51.100.1'])
  })

  test('ipMode Proxy is proxied whatever the Underlay says', () => {
    const result = ask({ service: local, pods: [1], status: '{ ip: 198.51.100.7, ipMode: Proxy }' })
    expect([...sources(result), ...peers(result)]).toEqual(['192.168.50.253', '198.51.100.7'])
  })

  test('a host name only: an address is made up, and reached by the name as well', () => {
    const given: Given = { status: '{ hostname: a1.elb.example.com }' }
    for (const [to, from] of [
      ['svc/web', 'external'],
      ['a1.elb.example.com:80', 'external'],
      ['a1.elb.example.com:80', 'pod/web-0'],
    ] as const) {
      const result = ask(given, to, from)
      expect(result.verdict.result).toBe('delivered')
      expect(result.notes.map((n) => n.message).join()).toContain('a1.elb.example.com has no known address')
    }
  })

  test('addresses of nodes are no balancer in front', () => {
    const given: Given = { status: '{ ip: 192.168.50.20 }' }
    expect(clusterOf(given).underlay.balancers).toEqual([])
    expect(ask(given).verdict.result).toBe('delivered')
  })

  test('a host on the segment of the nodes gets an answer to ARP for a VIP of their subnet', () => {
    const underlay =
      'hosts: [{ name: laptop, address: 192.168.50.9 }], loadBalancers: [{ name: metal, addresses: [192.168.50.240/29] }]'
    const result = ask({ underlay, service: local, pods: [1] })
    expect(result.verdict).toMatchObject({ result: 'delivered' })
    expect([...sources(result), ...peers(result)]).toEqual(['192.168.50.9', '192.168.50.241'])
  })

  test('each address goes to the balancer that it is given to', () => {
    const underlay = 'loadBalancers: [{ name: one, addresses: [198.51.100.0/25] }, { name: two, mode: proxy }]'
    const { balancers } = clusterOf({ underlay, status: '{ ip: 198.51.100.9 }, { ip: 198.51.100.200 }' }).underlay
    expect(balancers.map((b) => [b.name, ...b.vips.map((v) => `${v.ip} ${v.mode}`)])).toEqual([
      ['one', '198.51.100.9 preserve'],
      ['two', '198.51.100.200 proxy'],
    ])
  })

  test.each<{ name: string; given: Given; result: string; note: string }>([
    {
      name: 'no node at all: the balancer drops',
      given: { nodes: [{ status: notReady }] },
      result: 'dropped',
      note: 'has no node to send to',
    },
    {
      name: 'no endpoint at all: a node rejects',
      given: { service: local, pods: [] },
      result: 'rejected',
      note: 'finds no node healthy and tries all',
    },
  ])('$name', ({ given, result, note }) => {
    const found = ask(given)
    expect(found.verdict.result).toBe(result)
    expect(found.notes.map((n) => n.message).join('\n')).toContain(note)
  })

  test('nodes on two segments are both reached', () => {
    const nodes = `segments: [{ name: rack-1, cidr: 192.168.50.16/29 }, { name: rack-2, cidr: 192.168.51.0/24 }]`
    const text = loadText({
      path: 'a.yaml',
      text: [
        ...[50, 51].map(
          (net, n) =>
            `{ apiVersion: v1, kind: Node, metadata: { name: node-${n} }, spec: { podCIDR: 10.244.${n}.0/24 }, status: { addresses: [{ type: InternalIP, address: 192.168.${net}.20 }] } }`,
        ),
        ...[0, 1].map(
          (n) =>
            `{ apiVersion: v1, kind: Pod, metadata: { name: web-${n}, labels: { app: web } }, spec: { nodeName: node-${n}, containers: [{ name: c, image: c, ports: [{ containerPort: 8080 }] }] } }`,
        ),
        '{ apiVersion: v1, kind: Service, metadata: { name: web }, spec: { type: LoadBalancer, externalTrafficPolicy: Local, selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] } }',
        `{ apiVersion: kubehop.dev/v1alpha1, kind: Underlay, metadata: { name: u }, spec: { ${nodes} } }`,
      ].join('\n---\n'),
    })
    const result = trace(text.cluster, {
      from: 'external',
      to: 'svc/web',
      namespace: 'default',
      seed: 1,
      backend: 'all',
    })
    if (isEndProblem(result)) throw new Error(result.problem)
    expect(result.branches.map((b) => [b.verdict.result, b.reached?.node])).toEqual([
      ['delivered', 'node-0'],
      ['delivered', 'node-1'],
    ])
  })
})

describe('a balancer that has no room', () => {
  const full = (name: string): string =>
    [
      `{ apiVersion: v1, kind: Node, metadata: { name: ${name} }, spec: { podCIDR: 10.244.0.0/24 }, status: { addresses: [{ type: InternalIP, address: 192.168.50.2 }] } }`,
      '{ apiVersion: v1, kind: Service, metadata: { name: web }, spec: { type: LoadBalancer, selector: { app: web }, ports: [{ port: 80, nodePort: 30080 }] } }',
      '{ apiVersion: kubehop.dev/v1alpha1, kind: Underlay, metadata: { name: u }, spec: { segments: [{ name: narrow, cidr: 192.168.50.0/30 }] } }',
    ].join('\n---\n')

  test('is told, and its packets end on the way', () => {
    const { cluster, problems } = loadText({ path: 'a.yaml', text: full('node-0') })
    expect(problems).toEqual(['no segment of the nodes has a free IPv4 address for it: nothing reaches its VIPs'])
    const result = trace(cluster, { from: 'external', to: 'svc/web', namespace: 'default', seed: 1 })
    expect(isEndProblem(result) || result.verdict.result).toBe('unreachable')
  })
})

test('a node that is called like the balancer keeps its place on the wire', () => {
  const nodes = ['cloud', 'router'].map(
    (name, n) =>
      `{ apiVersion: v1, kind: Node, metadata: { name: ${name} }, spec: { podCIDR: 10.244.${n}.0/24 }, status: { addresses: [{ type: InternalIP, address: 192.168.50.2${n} }] } }`,
  )
  const pod =
    '{ apiVersion: v1, kind: Pod, metadata: { name: web, labels: { app: web } }, spec: { nodeName: router, containers: [{ name: c, image: c, ports: [{ containerPort: 80 }] }] } }'
  const service =
    '{ apiVersion: v1, kind: Service, metadata: { name: web }, spec: { type: LoadBalancer, selector: { app: web }, ports: [{ port: 80 }] } }'
  const { cluster } = loadText({ path: 'a.yaml', text: [...nodes, pod, service].join('\n---\n') })
  const result = trace(cluster, { from: 'external', to: 'svc/web', namespace: 'default', seed: 1, backend: 'all' })
  if (isEndProblem(result)) throw new Error(result.problem)
  expect(result.verdict.result).toBe('delivered')
})
