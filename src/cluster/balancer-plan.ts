import { lazy } from '../cni/lazy.ts'
import { endpointNodes } from '../controllers/endpoint-nodes.ts'
import { loadBalancerNetworks } from '../controllers/load-balancers.ts'
import type { Underlay, UnderlayLoadBalancer } from '../kube/objects/kubehop.ts'
import type { Node } from '../kube/objects/node.ts'
import type { LoadBalancerIngress, Service, ServicePort } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import { familyOf, type Ip, ipAt, ipToBigInt, parseIp } from '../net/ip.ts'
import { isTransportProtocol, type TransportProtocol } from '../net/port.ts'
import { hostPrefix, lastAddress, nthAddress, type Prefix, parsePrefix, prefixContains } from '../net/prefix.ts'
import type { AgentProblem } from './build.ts'
import { internalIps, type UnderlayPlan } from './underlay.ts'

/** A cloud's load balancer: stands on the nodes' segments and spreads what comes for its addresses over nodes. */
export interface Balancer {
  readonly name: string
  readonly ports: readonly { readonly segment: string; readonly addresses: readonly Ip[] }[]
  readonly vips: readonly Vip[]
}

/** One ingress address of one Service. */
export interface Vip {
  readonly ip: Ip
  /** The status names the balancer by this name only; the address was made up. */
  readonly hostname?: string
  /**
   * `preserve`: the packet reaches the node as it was, the VIP its destination. `proxy`: it goes to the node port, from
   * the balancer's own address.
   */
  readonly mode: BalancerMode
  readonly service: Service
  readonly listeners: readonly Listener[]
  /** Which nodes it spreads over. Looked up when first asked for. */
  readonly spread: () => Spread
}

export type BalancerMode = 'preserve' | 'proxy'

export interface Listener {
  readonly field: string
  readonly protocol: TransportProtocol
  readonly port: number
  readonly nodePort: number | undefined
}

export interface Spread {
  readonly targets: readonly Target[]
  readonly left: readonly { readonly node: string; readonly why: string }[]
  /** No health check passes, and all nodes are tried, as the network load balancers of AWS and Google do. */
  readonly failOpen: boolean
}

export interface Target {
  readonly node: string
  readonly ip: Ip
}

/** The balancers that the ingress addresses of Services call for, each with those that the Underlay gives it. */
export function planBalancers(
  objects: ObjectReader,
  underlay: UnderlayPlan,
  given: Underlay | undefined,
): readonly Balancer[] {
  const nodeAddresses = new Set(objects.list('Node').flatMap((n) => (n.status?.addresses ?? []).map((a) => a.address)))
  const claims = objects.list('Service').flatMap((service) => claimsOf(service, nodeAddresses))
  if (claims.length === 0) return []
  const wanted = given?.spec.loadBalancers?.length ? given.spec.loadBalancers : [{ name: 'cloud' }]
  const invent = inventor(claims)
  const addressed = claims.map((c): AddressedClaim => ({ ...c, ip: c.ip ?? invent() }))
  const taken = new Set<Ip>(stationAddresses(underlay))
  return wanted.flatMap((balancer) => {
    const mine = addressed.filter((c) => wanted.find((b) => serves(b, c.ip)) === balancer)
    if (mine.length === 0) return []
    const vips = mine.map((c) => vipOf(c, balancer.mode ?? 'preserve', objects))
    return [{ name: balancer.name, ports: legs(underlay, taken), vips }]
  })
}

/** An ingress entry that no node answers for by itself. */
interface Claim {
  readonly service: Service
  readonly ingress: LoadBalancerIngress
  readonly ip: Ip | undefined
}

type AddressedClaim = Claim & { readonly ip: Ip }

/** Balancers that run on the nodes themselves (k3s) put node addresses there: nothing stands in front of those. */
function claimsOf(service: Service, nodeAddresses: ReadonlySet<string>): readonly Claim[] {
  const entries = service.spec.type === 'LoadBalancer' ? (service.status?.loadBalancer?.ingress ?? []) : []
  return entries.flatMap((ingress): Claim[] => {
    const ip = parseIp(ingress.ip ?? '')
    if (ip === undefined && ingress.hostname === undefined) return []
    return ip && nodeAddresses.has(ip) ? [] : [{ service, ingress, ip }]
  })
}

/** Addresses for balancers that are known by a host name only, from the end of the block that Services get theirs from. */
function inventor(claims: readonly Claim[]): () => Ip {
  const taken = new Set(claims.map((c) => c.ip))
  const { ipv4 } = loadBalancerNetworks
  let at = ipToBigInt(lastAddress(ipv4))
  return () => {
    do at--
    while (taken.has(ipAt(at, 'ipv4')))
    return ipAt(at, 'ipv4')
  }
}

/** Without addresses of its own a balancer takes what no other was given. */
const serves = ({ addresses }: UnderlayLoadBalancer, ip: Ip): boolean =>
  addresses === undefined || addresses.some((text) => blockOf(text)?.some((p) => prefixContains(p, ip)))

function blockOf(text: string): readonly Prefix[] | undefined {
  const address = parseIp(text)
  const block = address ? hostPrefix(address) : parsePrefix(text)
  return block && [block]
}

function vipOf({ service, ingress, ip }: AddressedClaim, mode: BalancerMode, objects: ObjectReader): Vip {
  const nameOnly = ingress.ip === undefined ? ingress.hostname : undefined
  return {
    ip,
    ...(nameOnly === undefined ? {} : { hostname: nameOnly.toLowerCase() }),
    // Nodes know nothing of such an address, so what comes to them has to be for a node port.
    mode: ingress.ipMode === 'Proxy' || nameOnly !== undefined ? 'proxy' : mode,
    service,
    listeners: (service.spec.ports ?? []).flatMap(listenerOf),
    spread: lazy(() => spreadOf(service, ip, objects)),
  }
}

function listenerOf({ protocol = 'TCP', port, nodePort }: ServicePort, index: number): readonly Listener[] {
  const name = protocol.toLowerCase()
  return isTransportProtocol(name) ? [{ field: `ports[${index}]`, protocol: name, port, nodePort }] : []
}

/**
 * The nodes that the cloud's service controller enrols (`nodeIncludedPredicates` of cloud-provider's service
 * controller), less those that fail the health check: with externalTrafficPolicy Local, those whose kube-proxy answers
 * 503 at the health check node port for want of a ready endpoint. A node being cordoned does not matter.
 */
function spreadOf(service: Service, vip: Ip, objects: ObjectReader): Spread {
  const local = service.spec.externalTrafficPolicy === 'Local'
  const holding = local ? endpointNodes(objects, service, familyOf(vip)) : []
  const judged = objects.list('Node').map((node) => {
    const name = node.metadata.name
    const ip = internalIps(node).find((a) => familyOf(a) === familyOf(vip))
    const unhealthy = local && !holding.includes(name) ? healthCheckFails(service) : undefined
    return { node: name, ip, excluded: excluded(node, ip), unhealthy }
  })
  const enrolled = judged.flatMap(({ node, ip, excluded, unhealthy }) =>
    ip && excluded === undefined ? [{ node, ip, unhealthy }] : [],
  )
  const healthy = enrolled.filter((t) => t.unhealthy === undefined)
  return {
    targets: healthy.length > 0 ? healthy : enrolled,
    left: judged.flatMap(({ node, excluded, unhealthy }) => {
      const why = excluded ?? unhealthy
      return why === undefined ? [] : [{ node, why }]
    }),
    failOpen: healthy.length === 0 && enrolled.length > 0,
  }
}

const healthCheckFails = ({ spec }: Service): string =>
  `no ready endpoint there: health check node port ${spec.healthCheckNodePort ?? 'of the Service'} answers 503`

const excludeLabel = 'node.kubernetes.io/exclude-from-external-load-balancers'
const toBeDeleted = 'ToBeDeletedByClusterAutoscaler'

/** Why the node is not enrolled at all. */
function excluded(node: Node, ip: Ip | undefined): string | undefined {
  const { labels = {}, deletionTimestamp } = node.metadata
  if (labels[excludeLabel] !== undefined) return `has the label ${excludeLabel}`
  if (deletionTimestamp !== undefined) return 'is being deleted'
  if (node.spec?.taints?.some((t) => t.key === toBeDeleted)) return `has the taint ${toBeDeleted}`
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready')
  if (ready !== undefined && ready.status !== 'True') return 'is not ready'
  return ip === undefined ? "has no address of the load balancer's family" : undefined
}

const stationAddresses = (plan: UnderlayPlan): readonly Ip[] => [
  ...plan.segments.flatMap((s) => s.nodes.flatMap((n) => n.addresses)),
  ...plan.routers.flatMap((r) => r.ports.flatMap((p) => p.addresses)),
  ...plan.hosts.flatMap((h) => h.addresses),
]

/** One leg on each segment that has nodes, with the last free address of each of its prefixes. */
function legs(plan: UnderlayPlan, taken: Set<Ip>): Balancer['ports'] {
  return plan.segments
    .filter((s) => s.nodes.length > 0)
    .map((s) => ({ segment: s.name, addresses: s.prefixes.flatMap((p) => freeAddress(p, taken) ?? []) }))
}

function freeAddress(block: Prefix, taken: Set<Ip>): Ip | undefined {
  const last = ipToBigInt(lastAddress(block)) - ipToBigInt(block.address)
  for (let n = last < 254n ? last - 1n : 253n; n > 0n; n--) {
    const ip = nthAddress(block, n)
    if (ip === undefined || taken.has(ip)) continue
    taken.add(ip)
    return ip
  }
  return undefined
}

/** A balancer without an address near the nodes gets no packet. */
export function balancerProblems({ balancers }: UnderlayPlan): readonly AgentProblem[] {
  return balancers.flatMap(({ name, ports, vips }) => {
    const families = new Set(vips.map((v) => familyOf(v.ip)))
    const missing = [...families].filter((f) => !ports.some((p) => p.addresses.some((a) => familyOf(a) === f)))
    return missing.map((family) => ({
      by: `load balancer ${name}`,
      message: `no segment of the nodes has a free ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address for it: nothing reaches its VIPs`,
    }))
  })
}
