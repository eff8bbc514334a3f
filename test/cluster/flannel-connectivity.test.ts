import { describe, expect, test } from 'vitest'
import type { Cluster } from '../../src/cluster/cluster.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import { clusterOf } from './flannel-cluster.ts'

type Families = 'ipv4' | 'ipv6' | 'dual'

function fate(cluster: Cluster, from: string, to: string, more: object = {}): string {
  const result = trace(cluster, { from, to, namespace: 'default', seed: 1, ...more })
  if (isEndProblem(result)) return result.problem
  const { verdict } = result
  return verdict.result === 'delivered' ? 'delivered' : `${verdict.result} ${verdict.reason}: ${verdict.sentence}`
}

const backends: readonly { readonly backend: string; readonly families: readonly Families[] }[] = [
  { backend: '{ "Type": "vxlan" }', families: ['ipv4', 'ipv6', 'dual'] },
  { backend: '{ "Type": "vxlan", "DirectRouting": true }', families: ['ipv4', 'ipv6', 'dual'] },
  { backend: '{ "Type": "host-gw" }', families: ['ipv4', 'ipv6', 'dual'] },
  { backend: '{ "Type": "udp" }', families: ['ipv4'] },
  { backend: '{ "Type": "ipip" }', families: ['ipv4'] },
]
const situations = backends.flatMap(({ backend, families }) =>
  families.flatMap((f) => [false, true].map((routed) => ({ backend, families: f, routed }))),
)

/** Connections that need nothing between nodes but the underlay. */
const local = [
  ['pod/a', 'pod/a2:80'],
  ['pod/a2', 'svc/a:80'],
  ['pod/a', 'svc/a:80'],
  ['pod/a', 'external:443'],
  ['node/node1', 'pod/a:80'],
  ['node/node1', 'svc/a:80'],
  ['external', 'node/node1:30080'],
] as const

/** Connections between pods of different nodes. */
const across = [
  ['pod/a', 'pod/b:80'],
  ['pod/a', 'svc/b:80'],
  ['node/node1', 'svc/b:80'],
  ['external', 'node/node1:30081'],
] as const

describe.each(situations)('$backend, $families, over a router: $routed', ({ backend, families, routed }) => {
  const { cluster, problems } = clusterOf({ backend, families, routed, nodes: 2 })
  const stranded = routed && backend.includes('host-gw')

  test('loads without a problem', () => {
    if (!stranded) expect(problems).toEqual([])
  })

  test.each(local)('%s reaches %s', (from, to) => {
    expect(fate(cluster, from, to)).toBe('delivered')
  })

  test.each(across)(stranded ? '%s does not reach %s: its nexthop is no neighbour' : '%s reaches %s', (from, to) => {
    if (stranded) expect(fate(cluster, from, to)).toContain('unreachable no-route')
    else expect(fate(cluster, from, to)).toBe('delivered')
  })

  test.runIf(families === 'dual')('both families carry pod to pod', () => {
    for (const to of ['10.244.1.2:80', '[fd00:10:244:1::2]:80'])
      expect(fate(cluster, 'pod/a', to) === 'delivered', to).toBe(!stranded)
  })

  test('a ping and a datagram go where TCP goes', () => {
    const icmp = fate(cluster, 'pod/a', 'pod/b', { protocol: families === 'ipv6' ? 'icmpv6' : 'icmp' })
    const udp = fate(cluster, 'pod/a', 'svc/b:dns', { protocol: 'udp' })
    for (const said of [icmp, udp]) expect(said === 'delivered', said).toBe(!stranded)
  })
})

describe.each(['aws-vpc', 'gce', 'ali-vpc', 'tencent-vpc'])("the cloud's routes that %s writes", (type) => {
  test.each([false, true])('join the pods by way of the router; over several segments: %s', (routed) => {
    const { cluster, problems } = clusterOf({ backend: `{ "Type": "${type}" }`, routed, nodes: 2 })
    expect(problems).toEqual([])
    for (const [from, to] of [...local, ...across])
      expect([from, to, fate(cluster, from, to)]).toEqual([from, to, 'delivered'])
  })
})

test('what alloc leaves to somebody else, nobody routes', () => {
  const { cluster } = clusterOf({ backend: '{ "Type": "alloc" }', nodes: 2 })
  expect(fate(cluster, 'pod/a', 'pod/b:80')).toContain('unreachable no-route')
})
