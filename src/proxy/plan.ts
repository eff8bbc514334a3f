import type { ObjectReader } from '../kube/store.ts'
import {
  type Categorized,
  categorize,
  categorizeBefore124,
  isExternallyAccessible,
  usesClusterEndpoints,
  usesLocalEndpoints,
} from './categorize.ts'
import { endpointsMap, type ProxyEndpoint } from './endpoint.ts'
import type { ProxySettings } from './proxy-settings.ts'
import { type ServicePortInfo, serviceMap } from './service-port.ts'
import { behaviourOf } from './version.ts'

/** What becomes of packets that no endpoint takes. `reason` is the end of the rule's comment. */
export type Refusal =
  | { readonly action: 'reject'; readonly reason: 'has no endpoints' }
  | { readonly action: 'drop'; readonly reason: 'has no local endpoints' }

/**
 * Everything that kube-proxy decides about one service port on one node, worked out once. The three modes are renderings
 * of it (the named booleans that open the loop of syncProxyRules, pkg/proxy/iptables/proxier.go).
 */
export interface ServicePortPlan extends ServicePortInfo, Categorized {
  /** Every endpoint, usable or not. */
  readonly endpoints: readonly ProxyEndpoint[]
  readonly externallyAccessible: boolean
  readonly usesCluster: boolean
  readonly usesLocal: boolean
  /** Packets to the cluster IP reach an endpoint. */
  readonly hasInternalEndpoints: boolean
  /** Packets from outside to an external IP, VIP or node port reach an endpoint. */
  readonly hasExternalEndpoints: boolean
  readonly internalRefusal: Refusal | undefined
  readonly externalRefusal: Refusal | undefined
  /** Source ranges are enforced: the service has endpoints, a VIP and a range. */
  readonly hasFirewall: boolean
}

/**
 * The plan of every service port, ordered by `namespace/name`, then port name. kube-proxy itself goes over them in the
 * random order of a Go map; only where two services claim one address and port does it matter.
 */
export function planServices(objects: ObjectReader, settings: ProxySettings): readonly ServicePortPlan[] {
  const endpoints = endpointsMap(objects, settings.family, settings.nodeName)
  const plans = [...serviceMap(objects, settings)].map(([key, info]) =>
    planService(info, endpoints.get(key) ?? [], settings),
  )
  return plans.sort(byName)
}

export function planService(
  info: ServicePortInfo,
  endpoints: readonly ProxyEndpoint[],
  settings: ProxySettings,
): ServicePortPlan {
  const isOld = behaviourOf(settings.minor).layout === 'xlb'
  const categorized = (isOld ? categorizeBefore124 : categorize)(endpoints, info, settings)
  const hasLocal = categorized.local.length > 0
  const internalIsLocal = info.internalPolicyLocal && !isOld
  const hasInternalEndpoints = categorized.hasEndpoints && (!internalIsLocal || hasLocal)
  const hasExternalEndpoints = categorized.hasEndpoints && (!info.externalPolicyLocal || hasLocal)
  return {
    ...info,
    ...categorized,
    endpoints,
    externallyAccessible: isExternallyAccessible(info),
    usesCluster: usesClusterEndpoints(info),
    usesLocal: usesLocalEndpoints(info),
    hasInternalEndpoints,
    hasExternalEndpoints,
    internalRefusal: refusal(categorized.hasEndpoints, hasInternalEndpoints),
    externalRefusal: refusal(categorized.hasEndpoints, hasExternalEndpoints),
    hasFirewall: categorized.hasEndpoints && info.loadBalancerVIPs.length > 0 && info.sourceRanges.length > 0,
  }
}

function refusal(hasEndpoints: boolean, hasUsable: boolean): Refusal | undefined {
  if (hasUsable) return undefined
  return hasEndpoints
    ? { action: 'drop', reason: 'has no local endpoints' }
    : { action: 'reject', reason: 'has no endpoints' }
}

function byName(a: ServicePortPlan, b: ServicePortPlan): number {
  const [left, right] = [`${a.namespace}/${a.service}`, `${b.namespace}/${b.service}`]
  if (left !== right) return left < right ? -1 : 1
  return a.portName < b.portName ? -1 : a.portName > b.portName ? 1 : 0
}
