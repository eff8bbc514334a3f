import type {
  Underlay,
  UnderlayHost,
  UnderlayRouter,
  UnderlayRouterBgp,
  UnderlaySegment,
} from '../kube/objects/kubehop.ts'
import type { Node } from '../kube/objects/node.ts'
import { familyOf, type Ip, ip, parseIp } from '../net/ip.ts'
import {
  networkOf,
  nthAddress,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixFamily,
} from '../net/prefix.ts'
import type { Balancer } from './balancer-plan.ts'

/** What carries the nodes: L2 segments, the routers that join them, and hosts outside. Addresses settled. */
export interface UnderlayPlan {
  readonly segments: readonly Segment[]
  readonly routers: readonly Router[]
  readonly hosts: readonly Host[]
  readonly balancers: readonly Balancer[]
}

export interface Segment {
  readonly name: string
  readonly prefixes: readonly Prefix[]
  readonly mtu: number
  /** What its switch drops: `udp/8472`, `tcp/179`, `proto/4`. */
  readonly blocks: readonly string[]
  readonly nodes: readonly Station[]
}

/** A node, router or host on a segment, with its addresses there. */
export interface Station {
  readonly name: string
  readonly addresses: readonly Ip[]
}

export interface Router {
  readonly name: string
  readonly ports: readonly { readonly segment: string; readonly addresses: readonly Ip[] }[]
  readonly routes: readonly { readonly to: Prefix; readonly via: Ip }[]
  readonly bgp?: RouterBgp
}

export interface RouterBgp {
  readonly as: number
  readonly routerId: Ip
  readonly neighbors: readonly RouterNeighbor[]
}

export interface RouterNeighbor {
  readonly address: Ip
  readonly as: number
  readonly reflectorClient: boolean
  /** Of a block: the router waits to be called. */
  readonly passive: boolean
}

export interface Host {
  readonly name: string
  readonly segment: string
  readonly addresses: readonly Ip[]
  readonly listens: readonly string[]
}

/** The segment that the default outside host sits on (RFC 5737, RFC 3849). */
const outside = { name: 'outside', prefixes: ['203.0.113.0/24', '2001:db8:ffff::/64'] }
const outsideElsewhere = ['198.51.100.0/24', '2001:db8:fffe::/64']

/** Load balancers, which Services call for, are planned on top. */
export function planUnderlay(nodes: readonly Node[], given: Underlay | undefined): UnderlayPlan {
  const stations = nodes.map((node) => ({ name: node.metadata.name, addresses: internalIps(node) }))
  const inner = given?.spec.segments?.length ? givenSegments(given.spec.segments, stations) : segmentsOf(stations)
  const hostsGiven = given?.spec.hosts ?? []
  const needOutside = hostsGiven.length === 0 || hostsGiven.some((h) => !segmentHolding(inner, h))
  const segments = needOutside ? [...inner, outsideSegment(inner)] : inner
  return {
    segments,
    routers: given?.spec.routers?.length
      ? given.spec.routers.map((r) => givenRouter(r, segments))
      : [defaultRouter(segments)],
    hosts: hostsGiven.length > 0 ? hostsGiven.map((h) => givenHost(h, segments)) : [defaultHost(segments)],
    balancers: [],
  }
}

export function internalIps(node: Node): readonly Ip[] {
  const addresses = node.status?.addresses ?? []
  return addresses.filter((a) => a.type === 'InternalIP').flatMap((a) => parseIp(a.address) ?? [])
}

/** The subnet that an address suggests where nothing says it: /24, or /64. */
const subnetOf = (address: Ip): Prefix => networkOf(address, familyOf(address) === 'ipv4' ? 24 : 64)

/** Nodes that share a subnet of either family share a segment. */
function segmentsOf(stations: readonly Station[]): readonly Segment[] {
  const groups: { prefixes: Prefix[]; nodes: Station[] }[] = []
  for (const station of stations) {
    const prefixes = station.addresses.map(subnetOf)
    const joined = groups.filter((g) => g.prefixes.some((p) => prefixes.some((q) => prefixesOverlap(p, q))))
    const merged = {
      prefixes: unique([...joined.flatMap((g) => g.prefixes), ...prefixes]),
      nodes: [...joined.flatMap((g) => g.nodes), station],
    }
    const [first] = joined
    const rest = groups.filter((g) => !joined.includes(g))
    groups.splice(0, groups.length, ...(first ? insertAt(rest, groups.indexOf(first), merged) : [...rest, merged]))
  }
  return groups.map((g, i) => ({ ...g, name: groups.length === 1 ? 'lan' : `lan${i + 1}`, mtu: 1500, blocks: [] }))
}

const insertAt = <T>(list: readonly T[], at: number, value: T): T[] => [...list.slice(0, at), value, ...list.slice(at)]

const unique = (prefixes: readonly Prefix[]): Prefix[] =>
  prefixes.filter((p, i) => prefixes.findIndex((q) => q.address === p.address && q.length === p.length) === i)

function givenSegments(segments: readonly UnderlaySegment[], stations: readonly Station[]): readonly Segment[] {
  const plans = segments.map((s) => ({
    name: s.name,
    prefixes: [...(s.cidr ? [s.cidr] : []), ...(s.cidrs ?? [])].flatMap((text) => parsePrefix(text) ?? []),
    mtu: s.mtu ?? 1500,
    blocks: s.blocks ?? [],
    named: s.nodes,
  }))
  const holds = (plan: (typeof plans)[number], station: Station): boolean =>
    plan.named?.includes(station.name) ?? station.addresses.some((a) => plan.prefixes.some((p) => prefixContains(p, a)))
  return plans.map(({ named: _, ...plan }, i) => {
    const nodes = stations.filter((s) => holds(plans[i] ?? { ...plan, named: undefined }, s))
    const prefixes = plan.prefixes.length > 0 ? plan.prefixes : unique(nodes.flatMap((n) => n.addresses.map(subnetOf)))
    const here = nodes.map((n) => ({
      ...n,
      addresses: n.addresses.filter((a) => prefixes.some((p) => prefixContains(p, a))),
    }))
    return { ...plan, prefixes, nodes: here }
  })
}

function outsideSegment(segments: readonly Segment[]): Segment {
  const taken = segments.flatMap((s) => s.prefixes)
  const families = new Set(taken.map(prefixFamily))
  const free = (texts: readonly string[]): Prefix[] =>
    texts.flatMap((t) => parsePrefix(t) ?? []).filter((p) => !taken.some((q) => prefixesOverlap(p, q)))
  const candidates = [...free(outside.prefixes), ...free(outsideElsewhere)]
  const prefixes = [...families].flatMap((f) => candidates.find((p) => prefixFamily(p) === f) ?? [])
  return { name: outside.name, prefixes, mtu: 1500, blocks: [], nodes: [] }
}

const segmentHolding = (segments: readonly Segment[], host: UnderlayHost): Segment | undefined =>
  segments.find((s) =>
    host.segment ? s.name === host.segment : s.prefixes.some((p) => prefixContains(p, ip(host.address))),
  )

/** First address of each prefix, or the last usable one where a node has the first. */
function gatewayAddresses(segment: Segment): readonly Ip[] {
  const taken = new Set<Ip>(segment.nodes.flatMap((n) => n.addresses))
  return segment.prefixes.flatMap(
    (p) => [1, 254, 2, 253].flatMap((n) => nthAddress(p, n) ?? []).find((a) => !taken.has(a)) ?? [],
  )
}

const defaultRouter = (segments: readonly Segment[]): Router => ({
  name: 'router',
  ports: segments.map((s) => ({ segment: s.name, addresses: gatewayAddresses(s) })),
  routes: [],
})

function givenRouter(router: UnderlayRouter, segments: readonly Segment[]): Router {
  const names = router.segments ?? (router.addresses ? Object.keys(router.addresses) : segments.map((s) => s.name))
  const ports = segments
    .filter((s) => names.includes(s.name))
    .map((s) => {
      const address = parseIp(router.addresses?.[s.name] ?? '')
      return { segment: s.name, addresses: address ? [address] : gatewayAddresses(s) }
    })
  const routes = (router.routes ?? []).flatMap(({ to, via }) => {
    const [prefix, nexthop] = [parsePrefix(to), parseIp(via)]
    return prefix && nexthop ? [{ to: prefix, via: nexthop }] : []
  })
  const bgp = router.bgp && routerBgp(router.bgp, ports, segments)
  return { name: router.name, ports, routes, ...(bgp ? { bgp } : {}) }
}

function routerBgp(given: UnderlayRouterBgp, ports: Router['ports'], segments: readonly Segment[]): RouterBgp {
  const own = ports.flatMap((p) => p.addresses)
  const nodes = segments.flatMap((s) => s.nodes.flatMap((n) => n.addresses))
  const first = own.find((a) => familyOf(a) === 'ipv4') ?? ip('0.0.0.1')
  const found = (given.neighbors ?? []).flatMap(({ address, as = given.as, reflectorClient = false }) => {
    const single = parseIp(address)
    const block = parsePrefix(address)
    const all = single ? [single] : nodes.filter((a) => block && prefixContains(block, a))
    return all.map((a): RouterNeighbor => ({ address: a, as, reflectorClient, passive: !single }))
  })
  const neighbors = found.filter((n, i) => found.findIndex((m) => m.address === n.address) === i)
  return { as: given.as, routerId: parseIp(given.routerId ?? '') ?? first, neighbors }
}

const defaultHost = (segments: readonly Segment[]): Host => {
  const segment = segments.find((s) => s.name === outside.name) ?? segments[0]
  return {
    name: 'external',
    segment: segment?.name ?? '',
    addresses: (segment?.prefixes ?? []).flatMap((p) => nthAddress(p, 10) ?? []),
    listens: [],
  }
}

const givenHost = (host: UnderlayHost, segments: readonly Segment[]): Host => ({
  name: host.name,
  segment: (segmentHolding(segments, host) ?? segments[segments.length - 1])?.name ?? '',
  addresses: [ip(host.address)],
  listens: host.listens ?? [],
})
