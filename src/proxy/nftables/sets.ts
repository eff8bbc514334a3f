import type { DataType } from '../../artefact/nft/datatype.ts'
import type { NftSet } from '../../artefact/nft/ruleset.ts'
import { formatValue, literal, type NftElement, type NftVerdict } from '../../artefact/nft/value.ts'
import type { Ip } from '../../net/ip.ts'
import { isLoopback, nodePortIPs } from '../node-port-addresses.ts'
import type { Refusal, ServicePortPlan } from '../plan.ts'
import { serviceNames } from './names.ts'
import { chain, key, type NftRendering, origin, port, set } from './rendering.ts'
import { affinitySets, hasFirewall, internalChain } from './service-chains.ts'

/** Sets and maps with their elements: sets first, maps after them. */
export function nftSets(plans: readonly ServicePortPlan[], r: NftRendering): readonly NftSet[] {
  const address: DataType = r.ip === 'ip' ? 'ipv4_addr' : 'ipv6_addr'
  const service: readonly DataType[] = [address, 'inet_proto', 'inet_service']
  const nodePort: readonly DataType[] = ['inet_proto', 'inet_service']
  const elements = (of: (plan: ServicePortPlan) => readonly NftElement[]): readonly NftElement[] =>
    distinct(plans.flatMap(of))
  const map = (name: string, types: readonly DataType[], comment: string, of: readonly NftElement[]): NftSet => ({
    kind: 'map',
    name,
    key: types,
    data: 'verdict',
    comment,
    elements: of,
  })
  return [
    { kind: 'set', name: set.clusterIPs, key: [address], comment: 'Active ClusterIPs', elements: elements(clusterIP) },
    ...nodePortIPSet(address, r),
    ...(r.layout === '1.36' ? [hairpinSet(address, elements(hairpins))] : []),
    ...plans.flatMap((plan) => affinitySets(plan, r)),
    map(
      set.noEndpointServices,
      service,
      'vmap to drop or reject packets to services with no endpoints',
      elements(refusedAddresses),
    ),
    map(
      set.noEndpointNodePorts,
      nodePort,
      'vmap to drop or reject packets to service nodeports with no endpoints',
      elements(refusedNodePorts),
    ),
    map(
      set.firewallIPs,
      service,
      'destinations that are subject to LoadBalancerSourceRanges',
      elements(firewallElements),
    ),
    map(set.serviceIPs, service, 'ClusterIP, ExternalIP and LoadBalancer IP traffic', elements(serviceElements)),
    map(set.serviceNodePorts, nodePort, 'NodePort traffic', elements(nodePortElements)),
  ]
}

/** Of two services that claim one address and port, the first has it. */
function distinct(elements: readonly NftElement[]): readonly NftElement[] {
  const byKey = new Map<string, NftElement>()
  for (const element of elements) {
    const text = formatValue(element.key)
    if (!byKey.has(text)) byKey.set(text, element)
  }
  return [...byKey.values()]
}

const clusterIP = (plan: ServicePortPlan): readonly NftElement[] => [{ key: literal(plan.clusterIP) }]

function nodePortIPSet(address: DataType, { settings }: NftRendering): readonly NftSet[] {
  const ips = nodePortIPs(settings)?.filter((ip) => !isLoopback(ip))
  if (ips === undefined) return []
  const comment = 'IPs that accept NodePort traffic'
  return [
    { kind: 'set', name: set.nodePortIPs, key: [address], comment, elements: ips.map((ip) => ({ key: literal(ip) })) },
  ]
}

const hairpinSet = (address: DataType, elements: readonly NftElement[]): NftSet => ({
  kind: 'set',
  name: set.hairpin,
  key: [address, address, 'inet_proto', 'inet_service'],
  comment: 'service hairpin connections',
  elements,
})

const hairpins = ({ reachable, protocol }: ServicePortPlan): readonly NftElement[] =>
  reachable.filter((e) => e.local).map((e) => ({ key: key(e.ip, e.ip, protocol, port(e.port)) }))

const goTo = (to: string): NftVerdict => ({ kind: 'goto', chain: to })

/** `10.0.0.1 . tcp . 80`. */
const addressKey = (plan: ServicePortPlan, ip: Ip) => key(ip, plan.protocol, port(plan.port))

function serviceElements(plan: ServicePortPlan): readonly NftElement[] {
  const names = serviceNames(plan)
  const to = (ip: Ip, target: string, note: string): NftElement => ({
    key: addressKey(plan, ip),
    verdict: goTo(target),
    origin: origin(note, plan.origin),
  })
  const external = plan.hasEndpoints ? [...plan.externalIPs, ...plan.loadBalancerVIPs] : []
  return [
    ...(plan.hasInternalEndpoints ? [to(plan.clusterIP, internalChain(plan, names), 'cluster IP')] : []),
    ...external.map((ip) => to(ip, names.external, plan.externalIPs.includes(ip) ? 'external IP' : 'load balancer IP')),
  ]
}

function nodePortElements(plan: ServicePortPlan): readonly NftElement[] {
  if (plan.nodePort === undefined || !plan.hasEndpoints) return []
  const element = { key: key(plan.protocol, port(plan.nodePort)), verdict: goTo(serviceNames(plan).external) }
  return [{ ...element, origin: origin('node port', plan.origin) }]
}

function firewallElements(plan: ServicePortPlan): readonly NftElement[] {
  if (!hasFirewall(plan)) return []
  const verdict = goTo(serviceNames(plan).firewall)
  return plan.loadBalancerVIPs.map((ip) => ({
    key: addressKey(plan, ip),
    verdict,
    origin: origin('loadBalancerSourceRanges', plan.origin),
  }))
}

const refusal = (plan: ServicePortPlan, { action, reason }: Refusal): Omit<NftElement, 'key'> => ({
  comment: plan.name,
  verdict: action === 'drop' ? { kind: 'drop' } : goTo(chain.reject),
  origin: origin(reason, plan.origin),
})

function refusedAddresses(plan: ServicePortPlan): readonly NftElement[] {
  const { internalRefusal: inside, externalRefusal: outside } = plan
  const external = outside ? [...plan.externalIPs, ...plan.loadBalancerVIPs] : []
  return [
    ...(inside ? [{ key: addressKey(plan, plan.clusterIP), ...refusal(plan, inside) }] : []),
    ...(outside ? external.map((ip) => ({ key: addressKey(plan, ip), ...refusal(plan, outside) })) : []),
  ]
}

function refusedNodePorts(plan: ServicePortPlan): readonly NftElement[] {
  const { nodePort, externalRefusal } = plan
  if (nodePort === undefined || !externalRefusal) return []
  return [{ key: key(plan.protocol, port(nodePort)), ...refusal(plan, externalRefusal) }]
}
