import { byAddress, type ProxyEndpoint } from './endpoint.ts'
import type { ProxySettings } from './proxy-settings.ts'
import type { ServicePortInfo } from './service-port.ts'
import { topologyFilter } from './topology.ts'
import { isEnabled } from './version.ts'

/** Which endpoints a service port uses from this node. A list whose policy is not used is empty. */
export interface Categorized {
  /** Used with policy Cluster. */
  readonly cluster: readonly ProxyEndpoint[]
  /** Used with policy Local: on this node. */
  readonly local: readonly ProxyEndpoint[]
  /** The two lists together, in the order of addresses. */
  readonly reachable: readonly ProxyEndpoint[]
  /** A usable endpoint exists on some node. */
  readonly hasEndpoints: boolean
}

/** Has a node port, a VIP or an external IP. */
export const isExternallyAccessible = (info: ServicePortInfo): boolean =>
  info.nodePort !== undefined || info.loadBalancerVIPs.length > 0 || info.externalIPs.length > 0

/** Short-circuits of an externally accessible service need the Cluster list even under policy Local. */
export const usesClusterEndpoints = (info: ServicePortInfo): boolean =>
  !info.internalPolicyLocal || isExternallyAccessible(info)

export const usesLocalEndpoints = (info: ServicePortInfo): boolean =>
  info.internalPolicyLocal || (info.externalPolicyLocal && isExternallyAccessible(info))

const isTerminatingButServing = (endpoint: ProxyEndpoint): boolean => endpoint.serving && endpoint.terminating

/** 1.24 and newer: CategorizeEndpoints of pkg/proxy/topology.go. */
export function categorize(all: readonly ProxyEndpoint[], info: ServicePortInfo, settings: ProxySettings): Categorized {
  const fallsBack = isEnabled('ProxyTerminatingEndpoints', settings.minor, settings.featureGates)
  const cluster = usesClusterEndpoints(info) ? clusterList(all, info, settings, fallsBack) : []
  if (!usesLocalEndpoints(info)) {
    return { cluster, local: [], reachable: cluster, hasEndpoints: cluster.length > 0 }
  }
  const local = withFallback(
    all.filter((endpoint) => endpoint.local),
    fallsBack,
  )
  const isUsableAnywhere = all.some((endpoint) => endpoint.ready || (fallsBack && isTerminatingButServing(endpoint)))
  return { cluster, local, reachable: union(cluster, local), hasEndpoints: cluster.length > 0 || isUsableAnywhere }
}

function clusterList(
  all: readonly ProxyEndpoint[],
  info: ServicePortInfo,
  settings: ProxySettings,
  fallsBack: boolean,
): readonly ProxyEndpoint[] {
  const isNear = topologyFilter(all, info.hints, settings)
  const ready = all.filter((endpoint) => endpoint.ready && (isNear === undefined || isNear(endpoint)))
  return ready.length > 0 || !fallsBack ? ready : all.filter(isTerminatingButServing)
}

/** Ready endpoints; with none, those that still serve while they terminate (KEP-1669). */
function withFallback(endpoints: readonly ProxyEndpoint[], fallsBack: boolean): readonly ProxyEndpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready)
  return ready.length > 0 || !fallsBack ? ready : endpoints.filter(isTerminatingButServing)
}

function union(a: readonly ProxyEndpoint[], b: readonly ProxyEndpoint[]): readonly ProxyEndpoint[] {
  const present = new Set(a)
  const added = b.filter((endpoint) => !present.has(endpoint))
  return added.length === 0 ? a : [...a, ...added].sort(byAddress)
}

/**
 * Up to 1.23: FilterEndpoints of pkg/proxy/topology.go. External policy Local shuts topology and internal policy out;
 * internal policy Local takes the other nodes' endpoints away, so that a service without local ones has none at all.
 */
export function categorizeBefore124(
  all: readonly ProxyEndpoint[],
  info: ServicePortInfo,
  settings: ProxySettings,
): Categorized {
  const fallsBack = isEnabled('ProxyTerminatingEndpoints', settings.minor, settings.featureGates)
  const usable = usableBefore124(all, info, settings)
  const cluster = usable.filter((endpoint) => endpoint.ready)
  if (!info.externalPolicyLocal) return { cluster, local: [], reachable: cluster, hasEndpoints: cluster.length > 0 }
  const local = withFallback(
    usable.filter((endpoint) => endpoint.local),
    fallsBack,
  )
  const isUsableAnywhere = fallsBack && usable.some(isTerminatingButServing)
  return { cluster, local, reachable: union(cluster, local), hasEndpoints: cluster.length > 0 || isUsableAnywhere }
}

function usableBefore124(
  all: readonly ProxyEndpoint[],
  info: ServicePortInfo,
  settings: ProxySettings,
): readonly ProxyEndpoint[] {
  if (info.externalPolicyLocal) return all
  if (info.internalPolicyLocal) return all.filter((endpoint) => endpoint.local)
  const isNear = topologyFilter(all, info.hints, settings)
  return isNear === undefined ? all : all.filter((endpoint) => endpoint.ready && isNear(endpoint))
}
