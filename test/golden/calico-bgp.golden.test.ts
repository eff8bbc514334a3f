import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Change } from '../../src/bgp/change.ts'
import { type Convergence, converge } from '../../src/bgp/converge.ts'
import { formatProtocols, formatRoutes, formatRoutesAll } from '../../src/bgp/format.ts'
import type { Network } from '../../src/bgp/network.ts'
import type { KernelRoute } from '../../src/bgp/outcome.ts'
import type { LocalRoute, PeerGroup, Speaker } from '../../src/bgp/speaker.ts'
import { type Ip, ip } from '../../src/net/ip.ts'
import { formatPrefix, networkOf, type Prefix, parseInterfaceAddress, prefix } from '../../src/net/prefix.ts'
import { calicoExport, crossSubnet, kernelMetric, metricToLocalPref } from '../bgp/calico-filters.ts'
import { neighborOf } from '../bgp/topology.ts'
import { goldenRoot } from './golden-root.ts'

const root = goldenRoot('calico')

interface LabNode {
  readonly name: string
  readonly address: string
  readonly gateway: string
  readonly block: string
  readonly tunnelAddress: string
  readonly pods: readonly { readonly ip: string; readonly interface: string }[]
}
type Listings = Readonly<Record<string, readonly string[]>>
interface Case {
  readonly name: string
  readonly version?: string
  readonly pool?: { readonly ipipMode: string }
  readonly expected: Readonly<Record<string, Listings>>
}

const load = (file: string) => ('path' in root ? parse(readFileSync(join(root.path, file), 'utf8')) : undefined)
const nodes: readonly LabNode[] = load('routes-three-nodes.yaml')?.given.nodes ?? []
const steady: readonly Case[] = load('bird-output-three-nodes.yaml')?.cases ?? []
const failures: readonly Case[] = load('bird-output-failures.yaml')?.cases ?? []

const own = (node: LabNode): { readonly address: Ip; readonly subnet: Prefix } => {
  const parsed = parseInterfaceAddress(node.address)
  if (!parsed) throw new Error(node.address)
  return { address: parsed.ip, subnet: networkOf(parsed.ip, parsed.length) }
}
const nodeOf = (speaker: Speaker): LabNode => {
  const found = nodes.find((n) => n.name === speaker.id)
  if (!found) throw new Error(speaker.id)
  return found
}

interface Settings {
  readonly metrics: boolean
  readonly ipip: string
  readonly as?: number
}

/** A node of the lab with the configuration that Calico gives it. */
function labSpeaker(node: LabNode, { metrics, ipip, as = 64512 }: Settings): Speaker {
  const { address, subnet } = own(node)
  const pool = prefix('10.244.0.0/16')
  const exported = calicoExport([prefix(node.block)], [pool])
  const group: PeerGroup = {
    settings: {
      passive: 'by address',
      gracefulRestart: true,
      exportFilter: metrics ? [...metricToLocalPref, ...exported] : exported,
    },
    neighbors: nodes.map((n) => neighborOf(own(n).address)),
  }
  const crossing = ipip === 'CrossSubnet' ? subnet : prefix('255.255.255.255/32')
  const tunnel = ipip === 'Never' ? [] : crossSubnet(crossing, pool)
  const kernelFilter = [
    ...(metrics ? kernelMetric.slice(0, -1) : []),
    ...(tunnel.length > 0 ? tunnel : kernelMetric.slice(-1)),
  ]
  return {
    id: node.name,
    routerId: address,
    as,
    addresses: [address],
    peers: [group],
    routes: localRoutes(node, ipip !== 'Never', metrics),
    kernel: { mergePaths: true, exportFilter: kernelFilter },
  }
}

function localRoutes(node: LabNode, tunnel: boolean, metrics: boolean): readonly LocalRoute[] {
  const metric = metrics ? { metric: 1024 } : { metric: 0 }
  return [
    { prefix: prefix(node.block), source: 'static', target: { kind: 'blackhole' } },
    { prefix: own(node).subnet, source: 'direct', target: { kind: 'device', device: 'eth0' } },
    {
      prefix: prefix('0.0.0.0/0'),
      source: 'kernel',
      target: { kind: 'gateway', gateway: ip(node.gateway), device: 'eth0' },
      metric: 0,
    },
    ...(tunnel
      ? [{ prefix: prefix(node.tunnelAddress), source: 'direct', target: { kind: 'device', device: 'tunl0' } } as const]
      : []),
    ...node.pods.map(
      (p): LocalRoute => ({
        prefix: prefix(p.ip),
        source: 'kernel',
        target: { kind: 'device', device: p.interface },
        ...metric,
      }),
    ),
  ]
}

/** Two subnets with a router between them. `down` is a node whose link is down, `cut` two that do not reach each other. */
function labNetwork({ down, cut = [] }: { readonly down?: string; readonly cut?: readonly string[] } = {}): Network {
  const sameSubnet = (speaker: Speaker, address: Ip) =>
    networkOf(address, own(nodeOf(speaker)).subnet.length).address === own(nodeOf(speaker)).subnet.address
  return {
    canConnect: (from, to) =>
      cut.includes(from.speaker.id) && cut.includes(to.speaker?.id ?? '') ? { kind: 'timeout' } : undefined,
    linkTo: (speaker, address) => (sameSubnet(speaker, address) ? 'eth0' : undefined),
    resolve: (speaker, nextHop) => {
      if (speaker.id === down) return undefined
      return sameSubnet(speaker, nextHop)
        ? { device: 'eth0', metric: 0 }
        : { device: 'eth0', gateway: ip(nodeOf(speaker).gateway) }
    },
  }
}

const lines = (text: string): readonly string[] =>
  text
    .replaceAll('08:44:14', '<time>')
    .split('\n')
    .map((l) => l.trimEnd())
    .filter((l) => l !== '')
const wanted = (listing: readonly string[] = []): readonly string[] =>
  listing.map((l) => l.trimEnd()).filter((l) => !l.startsWith('BIRD ') && l !== '')
/** `show route all` as blocks, one for each path, because the daemon's order is free. */
const blocks = (listing: readonly string[]): readonly string[] =>
  listing
    .join('\n')
    .split(/\n(?!\t)/)
    .sort()

const listed = ({ prefix: p, kind, nexthops: [first], metric }: KernelRoute): string =>
  [
    ...(kind === 'unicast' ? [] : [kind]),
    formatPrefix(p),
    ...(first ? [`via ${first.gateway} dev ${first.device}`] : []),
    'proto bird',
    ...(metric === undefined ? [] : [`metric ${metric}`]),
    ...(first?.onlink ? ['onlink'] : []),
  ].join(' ')

function expectListings(c: Convergence, { expected }: Case): void {
  const clock = { since: '08:44:14' }
  for (const [id, listings] of Object.entries(expected)) {
    const known = ['show protocols', 'show route', 'show route all', 'ip route'].filter((k) => listings[k])
    expect(known.length, id).toBeGreaterThan(0)
    if (listings['show protocols'])
      expect(lines(formatProtocols(c.sessions(id), clock)), id).toEqual(
        wanted(listings['show protocols']).map((l) => l.trimEnd()),
      )
    if (listings['show route'])
      expect([...lines(formatRoutes(c.routes(id), clock))].sort(), id).toEqual(
        [...wanted(listings['show route'])].sort(),
      )
    if (listings['show route all'])
      expect(blocks(lines(formatRoutesAll(c.routes(id), clock))), id).toEqual(
        blocks(wanted(listings['show route all'])),
      )
    if (listings['ip route']) expect(c.kernelRoutes(id).map(listed).sort(), id).toEqual(byBird(listings['ip route']))
  }
}

const byBird = (routes: readonly string[]) =>
  routes
    .filter((l) => l.includes('proto bird'))
    .map((l) => l.trim())
    .sort()

const skipped = 'missing' in root ? `: skipped, ${root.missing}` : ''

describe.skipIf('missing' in root)(`BIRD on Calico's nodes${skipped}`, () => {
  test.each(steady)('$name', (example) => {
    const settings = { metrics: example.version === '3.32.1', ipip: example.pool?.ipipMode ?? 'Never' }
    const speakers = nodes.map((n) => labSpeaker(n, settings))
    expectListings(converge(speakers, labNetwork()), example)
  })

  const plain = { metrics: false, ipip: 'Never' }
  const b = nodes.find((n) => n.name === 'node-b')
  const join = (as?: number): Change => {
    if (!b) throw new Error('no node-b')
    return { kind: 'join', speaker: labSpeaker(b, { ...plain, ...(as !== undefined && { as }) }) }
  }
  const leave = (how: 'stop' | 'kill'): Change => ({ kind: 'leave', speaker: 'node-b', how })
  const network = (state: Parameters<typeof labNetwork>[0]): Change => ({ kind: 'network', network: labNetwork(state) })
  const throughUplink = ({ target }: LocalRoute) => 'device' in target && target.device === 'eth0'
  const routesOfB = (kept: (r: LocalRoute) => boolean): Change => {
    if (!b) throw new Error('no node-b')
    const speaker = labSpeaker(b, plain)
    return { kind: 'configure', speaker: { ...speaker, routes: speaker.routes.filter(kept) } }
  }
  /** What happens before each case. One follows the other. */
  const events: Readonly<Record<string, () => readonly Change[]>> = {
    steady: () => [],
    'kill9-b': () => [leave('kill')],
    'restarted-b': () => [join()],
    'term-b': () => [leave('stop')],
    'wrongas-b': () => [join(64513)],
    'linkdown-b': () => [leave('stop'), join(), network({ down: 'node-b' }), routesOfB((r) => !throughUplink(r))],
    'linkup-b': () => [network({}), routesOfB(() => true)],
    'blocked179-a-c': () => [network({ cut: ['node-a', 'node-c'] })],
  }

  test('every failure is known', () => {
    expect(failures.map((f) => f.name).filter((name) => !(name in events))).toEqual([])
  })

  test.each(failures)('failure $name', ({ name }) => {
    const c = converge(
      nodes.map((n) => labSpeaker(n, plain)),
      labNetwork(),
    )
    for (const failure of failures) {
      for (const change of events[failure.name]?.() ?? []) c.apply([change])
      if (failure.name !== name) continue
      expectListings(c, failure)
      return
    }
  })
})
