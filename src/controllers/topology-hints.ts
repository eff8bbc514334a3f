import type { Node } from '../kube/objects/node.ts'
import type { Endpoint, Service } from '../kube/objects/service.ts'
import { isControlPlane } from './api-server.ts'

/** Each zone's share of the cluster's CPU, which is counted in nodes here; undefined where hints can't be given. */
export type Zones = ReadonlyMap<string, number> | undefined

/** Endpoints may be so much busier in one zone than in another (`endpointslice/topologycache`, OverloadThreshold). */
const overload = 0.2

/** Two zones at least, and a zone on every ready worker. */
export function zonesOf(nodes: readonly Node[]): Zones {
  const workers = nodes.filter((n) => !isControlPlane(n) && isReadyNode(n))
  const zones = workers.map((n) => n.metadata.labels?.['topology.kubernetes.io/zone'])
  const named = zones.filter((z) => z !== undefined && z !== '') as string[]
  const distinct = [...new Set(named)].sort()
  if (named.length < zones.length || distinct.length < 2) return undefined
  return new Map(distinct.map((zone) => [zone, named.filter((z) => z === zone).length / named.length]))
}

const isReadyNode = ({ status }: Node): boolean =>
  (status?.conditions ?? []).every((c) => c.type !== 'Ready' || c.status === 'True')

/**
 * Hints as the EndpointSlice controller writes them: by trafficDistribution each ready endpoint is for its own zone (and
 * node), by topology mode Auto they are dealt out by the size of the zones. Endpoints that are not ready have none.
 */
export function addHints(service: Service, endpoints: readonly Endpoint[], zones: Zones): readonly Endpoint[] {
  const { 'service.kubernetes.io/topology-mode': mode, 'service.kubernetes.io/topology-aware-hints': older } =
    service.metadata.annotations ?? {}
  if (/^auto$/i.test(mode ?? older ?? '')) return byZoneSize(endpoints, zones)
  switch (service.spec.trafficDistribution) {
    case 'PreferClose':
    case 'PreferSameZone':
      return endpoints.map((e) => (isReadyEndpoint(e) && e.zone ? { ...e, hints: forZone(e.zone) } : e))
    case 'PreferSameNode':
      return endpoints.map(withNodeHint)
    default:
      return endpoints
  }
}

const isReadyEndpoint = (e: Endpoint): boolean => e.conditions?.ready !== false
const forZone = (zone: string) => ({ forZones: [{ name: zone }] })

function withNodeHint(e: Endpoint): Endpoint {
  if (!isReadyEndpoint(e) || e.nodeName === undefined) return e
  return { ...e, hints: { ...(e.zone ? forZone(e.zone) : {}), forNodes: [{ name: e.nodeName }] } }
}

function byZoneSize(endpoints: readonly Endpoint[], zones: Zones): readonly Endpoint[] {
  const ready = endpoints.filter(isReadyEndpoint)
  const wanted = zones && allocations(zones, ready.length)
  if (wanted === undefined || ready.some((e) => !e.zone)) return endpoints
  const moves = movesBetween(ready, wanted)
  return endpoints.map((e) => (isReadyEndpoint(e) ? { ...e, hints: forZone(moves(e.zone ?? '')) } : e))
}

/** How many endpoints each zone should have; undefined where there are too few to keep every zone below the threshold. */
function allocations(zones: ReadonlyMap<string, number>, count: number): ReadonlyMap<string, number> | undefined {
  if (count < zones.size) return undefined
  const minimum = [...zones.values()].map((ratio) => Math.ceil((ratio * count) / (1 + overload)))
  if (minimum.reduce((sum, n) => sum + n, 0) > count) return undefined
  return new Map([...zones].map(([zone, ratio], i) => [zone, Math.max(ratio * count, minimum[i] ?? 0)]))
}

/** Says, per endpoint of a zone, which zone it is for: one by one from the zone with most to give to the one in most need. */
function movesBetween(ready: readonly Endpoint[], wanted: ReadonlyMap<string, number>): (zone: string) => string {
  const surplus = new Map<string, number>([...wanted].map(([zone, n]) => [zone, -n]))
  for (const { zone = '' } of ready) surplus.set(zone, (surplus.get(zone) ?? 0) + 1)
  const queues = new Map<string, string[]>()
  for (;;) {
    const order = [...surplus].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    const [giver, most] = order[0] ?? ['', 0]
    const [taker, least] = order.at(-1) ?? ['', 0]
    if (most <= 0 || (most < 1 && least > -1)) break
    surplus.set(giver, most - 1)
    surplus.set(taker, least + 1)
    queues.set(giver, [...(queues.get(giver) ?? []), taker])
  }
  return (zone) => queues.get(zone)?.shift() ?? zone
}
