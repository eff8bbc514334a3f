import { describe, expect, test } from 'vitest'
import { converge } from '../../src/bgp/converge.ts'
import type { KernelRoute } from '../../src/bgp/outcome.ts'
import type { PeerSettings, Speaker } from '../../src/bgp/speaker.ts'
import { formatPrefix, isHostPrefix, prefix } from '../../src/net/prefix.ts'
import { birdMissing, runBird } from './bird-lab.ts'
import { calicoExport, kernelMetric, metricToLocalPref } from './calico-filters.ts'
import { blackhole, blockOf, mesh, neighborOf, nodeAddress, oneLink, reflected, speakerAt } from './topology.ts'

const missing = birdMissing()
const pool = prefix('10.128.0.0/16')
const podPrefix = (i: number) => prefix(`${blockOf(i).address}/32`)

/** The speaker as it is on a node: its subnet and a pod besides its block, and Calico's filters. */
function asNode(speaker: Speaker, i: number): Speaker {
  const exportFilter = calicoExport([blockOf(i)], [pool])
  const withFilter = (settings: PeerSettings): PeerSettings => ({ exportFilter, ...settings })
  return {
    ...speaker,
    peers: speaker.peers.map(({ settings, neighbors }) => ({ settings: withFilter(settings), neighbors })),
    routes: [
      ...speaker.routes,
      { prefix: prefix('10.0.0.0/24'), source: 'direct', target: { kind: 'device', device: 'eth0' } },
      { prefix: podPrefix(i), source: 'kernel', target: { kind: 'device', device: 'cali1' } },
    ],
  }
}

const pod = (i: number): readonly string[] => [
  'link add cali1 type bridge',
  'link set cali1 up',
  `route add ${podPrefix(i).address} dev cali1`,
]

/** As `ip route show proto bird` prints it. */
function listed({ prefix, kind, nexthops, metric }: KernelRoute): string {
  const via = nexthops.map(({ gateway, device }) => `via ${gateway} dev ${device}`)
  const [first, second] = via
  return [
    ...(kind === 'unicast' ? [] : [kind]),
    isHostPrefix(prefix) ? prefix.address : formatPrefix(prefix),
    ...(first !== undefined && second === undefined ? [first] : []),
    ...(metric === undefined ? [] : [`metric ${metric}`]),
    ...(second === undefined ? [] : via.map((v) => `nexthop ${v} weight 1`)),
  ].join(' ')
}

/** A node that hears of the same network from two routers of other ASes, and passes its block on to both. */
const twoUpstreams: readonly Speaker[] = [
  speakerAt(0, [{ settings: {}, neighbors: [neighborOf(nodeAddress(1), 65001), neighborOf(nodeAddress(2), 65002)] }]),
  ...[1, 2].map((i): Speaker => {
    const router = speakerAt(i, [{ settings: {}, neighbors: [neighborOf(nodeAddress(0))] }])
    return { ...router, as: 65000 + i, routes: [...router.routes, blackhole('10.128.200.0/24')] }
  }),
]

/** Kernel metrics as LOCAL_PREF between the nodes, as Calico does since 3.32. */
const withMetrics = (speakers: readonly Speaker[]): readonly Speaker[] =>
  speakers.map((speaker, i) => ({
    ...speaker,
    kernel: { mergePaths: true, exportFilter: kernelMetric },
    peers: speaker.peers.map(({ settings, neighbors }) => ({
      settings: { ...settings, exportFilter: [...metricToLocalPref, ...calicoExport([blockOf(i)], [pool])] },
      neighbors,
    })),
  }))

describe.skipIf(missing !== undefined)(`real BIRD${missing ? `: skipped, ${missing}` : ''}`, () => {
  test.each([
    { name: 'a full mesh of three', speakers: mesh(3) },
    { name: 'a route reflector with three clients', speakers: reflected(4, 1) },
    { name: 'two route reflectors with two clients', speakers: reflected(4, 2) },
    { name: 'a borrowed address of another block', speakers: withBorrowed(mesh(3)) },
    { name: 'two upstreams in other ASes with one network', speakers: twoUpstreams },
    { name: 'metrics carried in LOCAL_PREF', speakers: withMetrics(mesh(2)) },
  ])('has the kernel routes predicted for $name', ({ speakers }) => {
    const nodes = speakers.map(asNode)
    const predicted = converge(nodes, oneLink)
    const expected = nodes.map(({ id }) => predicted.kernelRoutes(id).map(listed).sort())
    const found = runBird(
      nodes,
      expected.map((routes) => routes.length),
      pod,
    )
    expect(found.map((routes) => [...routes].sort())).toEqual(expected)
  })
})

function withBorrowed([first, ...others]: readonly Speaker[]): readonly Speaker[] {
  return first ? [{ ...first, routes: [...first.routes, blackhole('10.128.0.77/32')] }, ...others] : []
}
