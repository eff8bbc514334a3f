import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { World } from '../../src/cluster/loop.ts'
import { podNetns } from '../../src/cluster/machine.ts'
import { ip } from '../../src/net/ip.ts'
import { tcpFlag } from '../../src/packet/packet.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { fraction, one, plus, times, toNumber, zero } from '../../src/trace/fraction.ts'
import { seededChance, seededRandom } from '../../src/trace/lots.ts'
import { trace } from '../../src/trace/run.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { loadText } from '../scenario.ts'

interface Placement {
  /** Number of the node, from 0. */
  readonly node: number
  readonly ready: boolean
}

const nodes = [0, 1, 2]
const placements = (max: number) =>
  fc.array(fc.record({ node: fc.nat(2), ready: fc.boolean() }), { minLength: 1, maxLength: max })

function manifests(pods: readonly Placement[], spec: string): string {
  const node = (n: number): string =>
    `{ apiVersion: v1, kind: Node, metadata: { name: node-${n} }, spec: { podCIDR: 10.244.${n}.0/24 }, status: { addresses: [{ type: InternalIP, address: 192.168.50.2${n} }] } }`
  const pod = ({ node: n, ready }: Placement, i: number): string =>
    `{ apiVersion: v1, kind: Pod, metadata: { name: web-${i}, labels: { app: web } }, spec: { nodeName: node-${n}, containers: [{ name: c, image: c, ports: [{ containerPort: 80 }] }] }, status: { phase: Running, podIPs: [{ ip: 10.244.${n}.${10 + i} }], conditions: [{ type: Ready, status: "${ready ? 'True' : 'False'}" }] } }`
  const client =
    '{ apiVersion: v1, kind: Pod, metadata: { name: client }, spec: { nodeName: node-0, containers: [{ name: c, image: c }] } }'
  const service = `{ apiVersion: v1, kind: Service, metadata: { name: web }, spec: { clusterIP: 10.96.0.100, selector: { app: web }, ports: [{ port: 80, nodePort: 30080 }], ${spec} } }`
  return [...nodes.map(node), ...pods.map(pod), client, service].join('\n---\n')
}

const modes = ['iptables', 'nftables'] as const
type Mode = (typeof modes)[number]

const config = (mode: Mode): string =>
  `{ apiVersion: v1, kind: ConfigMap, metadata: { name: kube-proxy, namespace: kube-system }, data: { config.conf: "{ kind: KubeProxyConfiguration, mode: ${mode}, clusterCIDR: 10.244.0.0/16 }" } }`

const clusterOf = (pods: readonly Placement[], spec: string, mode: Mode = 'iptables') =>
  loadText({ path: 'a.yaml', text: `${manifests(pods, spec)}\n---\n${config(mode)}` }).cluster

function ask(cluster: ReturnType<typeof clusterOf>, from: string, to: string): Trace {
  const result = trace(cluster, { from, to, namespace: 'default', seed: 1, backend: 'all' })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}

const reached = (result: Trace): readonly string[] =>
  [...new Set(result.branches.flatMap((b) => b.reached?.name ?? []))].sort()

const readyNames = (pods: readonly Placement[], node?: number): readonly string[] =>
  pods.flatMap((p, i) => (p.ready && (node === undefined || p.node === node) ? [`default/web-${i}`] : [])).sort()

describe.each(modes)('traffic policies by %s', (mode) => {
  test('externalTrafficPolicy Local never changes the source of outside traffic and never leaves the node', () => {
    fc.assert(
      fc.property(placements(5), fc.constantFrom('NodePort', 'LoadBalancer'), (pods, type) => {
        const cluster = clusterOf(pods, `type: ${type}, externalTrafficPolicy: Local`, mode)
        for (const n of nodes) {
          const result = ask(cluster, 'external', `node/node-${n}:30080`)
          const here = readyNames(pods, n)
          expect(reached(result)).toEqual(here)
          for (const { reached: at } of result.branches) {
            if (at) expect([at.node, at.source.ip]).toEqual([`node-${n}`, '203.0.113.10'])
          }
          const reason = readyNames(pods).length === 0 ? 'no-endpoints' : 'no-local-endpoints'
          expect(result.verdict.reason).toBe(here.length > 0 ? undefined : reason)
        }
      }),
      { numRuns: 20 },
    )
  })

  test('externalTrafficPolicy Cluster reaches every ready endpoint from every node', () => {
    fc.assert(
      fc.property(placements(4), (pods) => {
        const cluster = clusterOf(pods, 'type: NodePort', mode)
        for (const n of nodes) {
          expect(reached(ask(cluster, 'external', `node/node-${n}:30080`))).toEqual(readyNames(pods))
        }
      }),
      { numRuns: 12 },
    )
  })

  test('a load balancer before Local sends only to nodes with an endpoint, and shows the client', () => {
    fc.assert(
      fc.property(placements(4), (pods) => {
        fc.pre(readyNames(pods).length > 0)
        const cluster = clusterOf(pods, 'type: LoadBalancer, externalTrafficPolicy: Local', mode)
        const result = ask(cluster, 'external', 'svc/web')
        expect(result.verdict.result).toBe('delivered')
        expect(reached(result)).toEqual(readyNames(pods))
        for (const b of result.branches) expect(b.reached?.source.ip).toBe('203.0.113.10')
      }),
      { numRuns: 12 },
    )
  })
})

describe('probabilities', () => {
  /**
   * kube-proxy writes 1/(n-i) with ten decimals, and xt_statistic keeps 31 bits: an endpoint's share is then 1/n but for
   * what those roundings add up to. As rationals, without rounding, it is 1/n.
   */
  test('every endpoint is as likely as another, and all together are certain', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), (n) => {
        const pods = Array.from({ length: n }, (_, i) => ({ node: i % 3, ready: true }))
        const { branches } = ask(clusterOf(pods, 'type: ClusterIP'), 'pod/client', 'svc/web')
        expect(branches.reduce((sum, b) => plus(sum, b.probability), zero)).toEqual(one)
        expect(branches).toHaveLength(n)
        for (const b of branches) expect(Math.abs(toNumber(b.probability) - 1 / n)).toBeLessThan(n * 2 ** -31)
      }),
      { numRuns: 9 },
    )
  })

  test('the rule of 1/(n-i) is fair exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (n) => {
        let left = one
        for (let i = 0; i < n; i++) {
          expect(times(left, fraction(1, n - i))).toEqual(fraction(1, n))
          left = times(left, fraction(n - i - 1, n - i))
        }
      }),
      { numRuns: 20 },
    )
  })
})

/** Connections one after another from the client pod; `gaps` are the seconds before each. Names of the endpoints reached. */
function connections(mode: Mode, timeout: number, gaps: readonly number[], seed: number): readonly string[] {
  const pods = Array.from({ length: 4 }, (_, i) => ({ node: i % 3, ready: true }))
  const affinity = `type: ClusterIP, sessionAffinity: ClientIP, sessionAffinityConfig: { clientIP: { timeoutSeconds: ${timeout} } }`
  const cluster = clusterOf(pods, affinity, mode)
  const network = cluster.network()
  const world = new World(network, { chance: seededChance(seededRandom(seed)) })
  let due = 0
  return gaps.map((gap, i) => {
    due += gap * 1000
    // Neighbour timers of the connection before may have taken a second.
    world.advance(Math.max(0, due - world.now()))
    const syn = {
      kind: 'tcp',
      srcPort: 40_000 + i,
      dstPort: 80,
      flags: tcpFlag.syn,
      seq: 0,
      ack: 0,
      options: 20,
      data: 0,
    } as const
    const visits = world.send(podNetns('default', 'client'), {
      src: undefined,
      dst: ip('10.96.0.100'),
      ttl: 64,
      tos: 0,
      df: true,
      owner: 'client',
      payload: syn,
    })
    const at = visits.find((v) => v.events.some((e) => e.kind === 'socket-receive' && e.owner !== 'client'))
    return at === undefined ? 'nobody' : at.netns
  })
}

describe.each(modes)('session affinity by %s', (mode) => {
  test('keeps a client on its endpoint while its connections come within the timeout', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 59 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(gaps, fc.nat(1000), (later, seed) => {
        const found = connections(mode, 60, [0, ...later], seed)
        expect(new Set(found).size).toBe(1)
        expect(found[0]).not.toBe('nobody')
      }),
      { numRuns: 20 },
    )
  })

  test('draws anew after the timeout', () => {
    const found = Array.from({ length: 12 }, (_, seed) => connections(mode, 60, [0, 61], seed))
    expect(found.filter(([first, second]) => first !== second).length).toBeGreaterThan(4)
    const within = Array.from({ length: 12 }, (_, seed) => connections(mode, 62, [0, 61], seed))
    expect(within.filter(([first, second]) => first !== second)).toEqual([])
  })
})
