import type { ProxyEndpoint } from '../endpoint.ts'
import type { ServicePortPlan } from '../plan.ts'
import { servicePortKey } from '../service-port.ts'

/** A Service, whatever its port: changes are tracked by object (pkg/proxy/servicechangetracker.go). */
export const serviceKey = ({ namespace, service }: ServicePortPlan): string => `${namespace}/${service}`

/** The Services of which a port, or an endpoint of one, is not what it was. Removed ones have nothing to rewrite. */
export function changedServices(
  before: ReadonlyMap<string, ServicePortPlan>,
  plans: readonly ServicePortPlan[],
): ReadonlySet<string> {
  const changed = new Set<string>()
  const seen = new Set<string>()
  for (const plan of plans) {
    const key = servicePortKey(plan.name, plan.protocol)
    seen.add(key)
    const previous = before.get(key)
    if (previous === undefined || !isSamePlan(previous, plan)) changed.add(serviceKey(plan))
  }
  for (const [key, plan] of before) if (!seen.has(key)) changed.add(serviceKey(plan))
  return changed
}

function isSamePlan(a: ServicePortPlan, b: ServicePortPlan): boolean {
  return a === b || (isSameService(a, b) && isSameList(a.endpoints, b.endpoints, isSameEndpoint))
}

function isSameService(a: ServicePortPlan, b: ServicePortPlan): boolean {
  return (
    a.clusterIP === b.clusterIP &&
    a.port === b.port &&
    a.nodePort === b.nodePort &&
    a.affinitySeconds === b.affinitySeconds &&
    a.internalPolicyLocal === b.internalPolicyLocal &&
    a.externalPolicyLocal === b.externalPolicyLocal &&
    a.healthCheckNodePort === b.healthCheckNodePort &&
    a.hints === b.hints &&
    isSameList(a.externalIPs, b.externalIPs, Object.is) &&
    isSameList(a.loadBalancerVIPs, b.loadBalancerVIPs, Object.is) &&
    isSameList(a.sourceRanges, b.sourceRanges, (x, y) => x.address === y.address && x.length === y.length)
  )
}

const isSameEndpoint = (a: ProxyEndpoint, b: ProxyEndpoint): boolean =>
  a === b ||
  (a.address === b.address &&
    a.local === b.local &&
    a.ready === b.ready &&
    a.serving === b.serving &&
    a.terminating === b.terminating &&
    isSameList(a.zoneHints, b.zoneHints, Object.is) &&
    isSameList(a.nodeHints, b.nodeHints, Object.is))

const isSameList = <T>(a: readonly T[], b: readonly T[], isSame: (a: T, b: T) => boolean): boolean =>
  a === b || (a.length === b.length && a.every((x, i) => i in b && isSame(x, b[i] as T)))
