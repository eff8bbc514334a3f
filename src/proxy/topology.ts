import type { ProxyEndpoint } from './endpoint.ts'
import type { ProxySettings } from './proxy-settings.ts'
import { behaviourOf, isEnabled } from './version.ts'

/** Whether an endpoint is to be used from this node; undefined where hints decide nothing. */
export type TopologyFilter = ((endpoint: ProxyEndpoint) => boolean) | undefined

/**
 * What the hints of EndpointSlices say for this node (pkg/proxy/topology.go): hints for the node first, where the
 * version knows them, then hints for its zone. Each needs a hint on every ready endpoint and one that is for this node.
 *
 * @param hints value of the Service's topology annotation; read up to 1.30
 */
export function topologyFilter(
  endpoints: readonly ProxyEndpoint[],
  hints: string,
  settings: ProxySettings,
): TopologyFilter {
  if (!mayUseHints(hints, settings)) return undefined
  const { nodeName, minor, featureGates } = settings
  const byNode = (endpoint: ProxyEndpoint): readonly string[] => endpoint.nodeHints
  const byZone = (endpoint: ProxyEndpoint): readonly string[] => endpoint.zoneHints
  if (isEnabled('PreferSameTrafficDistribution', minor, featureGates) && hintsDecide(endpoints, byNode, nodeName)) {
    return (endpoint) => byNode(endpoint).includes(nodeName)
  }
  const zone = settings.nodeLabels['topology.kubernetes.io/zone'] ?? ''
  if (zone === '' || !hintsDecide(endpoints, byZone, zone)) return undefined
  return (endpoint) => byZone(endpoint).includes(zone)
}

function mayUseHints(hints: string, { minor, featureGates }: ProxySettings): boolean {
  const needed = behaviourOf(minor, featureGates).hintsAnnotation
  if (needed === 'none needed') return true
  if (!isEnabled('TopologyAwareHints', minor, featureGates)) return false
  return needed === 'auto only' ? hints === 'Auto' || hints === 'auto' : !['', 'disabled', 'Disabled'].includes(hints)
}

function hintsDecide(
  endpoints: readonly ProxyEndpoint[],
  hintsOf: (endpoint: ProxyEndpoint) => readonly string[],
  here: string,
): boolean {
  let isHinted = false
  for (const endpoint of endpoints) {
    if (!endpoint.ready) continue
    const hints = hintsOf(endpoint)
    if (hints.length === 0) return false
    isHinted ||= hints.includes(here)
  }
  return isHinted
}
