import type { Service } from '../../../kube/objects/service.ts'
import type { Family, Ip } from '../../../net/ip.ts'
import { parseIp } from '../../../net/ip.ts'
import {
  formatPrefix,
  hostPrefix,
  isHostPrefix,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixFamily,
} from '../../../net/prefix.ts'
import { bgpConfiguration, type CalicoNode, type CalicoPlan } from '../plan.ts'

const excluded = 'node.kubernetes.io/exclude-from-external-load-balancers'

/**
 * Service addresses that one node announces (confd's routes.go): the ranges from everywhere; an address of its own from where
 * a Service with a local policy has an endpoint, or where the range is one address, or is not aggregated.
 */
export function serviceRanges(plan: CalicoPlan, self: CalicoNode, family: Family): readonly Prefix[] {
  if (self.node.metadata.labels?.[excluded] === 'true') return []
  const config = bgpConfiguration(plan.objects)
  const parse = (list: readonly { readonly cidr?: string }[] | undefined): readonly Prefix[] =>
    (list ?? []).flatMap(({ cidr = '' }) => parsePrefix(cidr) ?? []).filter((p) => prefixFamily(p) === family)
  const ranges: Ranges = {
    cluster: parse(config.serviceClusterIPs),
    external: parse(config.serviceExternalIPs),
    balancer: parse(config.serviceLoadBalancerIPs),
    aggregated: config.serviceLoadBalancerAggregation !== 'Disabled',
  }
  const all = [...ranges.cluster, ...ranges.external, ...ranges.balancer]
  if (all.length === 0) return []
  // A single address is announced by whoever serves it.
  const wide = all.filter((p) => !isHostPrefix(p) || ranges.cluster.includes(p))
  const own = plan.objects.list('Service').flatMap((s) => addressesOf(s, ranges, plan, self, family))
  const texts = new Map([...wide, ...own].map((p) => [formatPrefix(p), p]))
  return [...texts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, p]) => p)
}

interface Ranges {
  readonly cluster: readonly Prefix[]
  readonly external: readonly Prefix[]
  readonly balancer: readonly Prefix[]
  readonly aggregated: boolean
}

function addressesOf(
  service: Service,
  ranges: Ranges,
  plan: CalicoPlan,
  self: CalicoNode,
  family: Family,
): readonly Prefix[] {
  const { type = 'ClusterIP', clusterIP, externalTrafficPolicy } = service.spec
  if (type === 'ExternalName' || clusterIP === 'None') return []
  const addresses = (texts: readonly (string | undefined)[], within: readonly Prefix[]): readonly Ip[] =>
    texts.flatMap((t) => parseIp(t ?? '') ?? []).filter((ip) => within.some((p) => prefixContains(p, ip)))
  const external = addresses(service.spec.externalIPs ?? [], ranges.external)
  const balancer = addresses(
    (service.status?.loadBalancer?.ingress ?? []).map((i) => i.ip),
    ranges.balancer,
  )
  const has = endpointNodes(plan, service)
  if (externalTrafficPolicy === 'Local') {
    if (!has.has(self.name)) return []
    const cluster = addresses(service.spec.clusterIPs ?? [clusterIP], ranges.cluster)
    return [...cluster, ...external, ...balancer].map(hostPrefix)
  }
  const single = [...external, ...balancer].filter((ip) =>
    [...ranges.external, ...ranges.balancer].some((p) => isHostPrefix(p) && p.address === ip),
  )
  const apart = ranges.aggregated || has.size === 0 ? [] : balancer
  return [...single, ...apart].map(hostPrefix).filter((p) => prefixFamily(p) === family)
}

function endpointNodes(plan: CalicoPlan, { metadata }: Service): ReadonlySet<string> {
  const slices = plan.objects
    .list('EndpointSlice', { namespace: metadata.namespace ?? 'default' })
    .filter((s) => s.metadata.labels?.['kubernetes.io/service-name'] === metadata.name)
  return new Set(slices.flatMap((s) => s.endpoints.flatMap((e) => e.nodeName ?? [])))
}
