import type { ServicePortPlan } from '../plan.ts'
import {
  addressRule,
  healthCheckRules,
  masqueradeOutsiders,
  nodePortRule,
  refuseAddress,
  refuseNodePort,
} from './address-rules.ts'
import { chain, type ServiceChainNames, serviceChainNames } from './chain-names.ts'
import { balancingRules, chainsOf, type EndpointChains, endpointChains, endpointRules } from './endpoint-rules.ts'
import { allowedSources, externalChain } from './external-chain.ts'
import { nodePortsExist } from './node-ports.ts'
import type { Rendering, ServiceRules } from './rendering.ts'
import { type ChainRule, comment, jump, origin, rule } from './rule-parts.ts'

/** The rules of one service port, 1.24: the chains of 1.25, but with drops marked in nat for kubelet's KUBE-FIREWALL. */
export function markDropServiceRules(plan: ServicePortPlan, r: Rendering): ServiceRules {
  const names = serviceChainNames(plan)
  const endpoints = endpointChains(plan)
  return {
    chains: plan.hasEndpoints ? ownChains(plan, names, endpoints) : [],
    filter: [...refusals(plan, r), ...healthCheckRules(plan)],
    nat: plan.hasEndpoints ? natRules(plan, names, endpoints, r) : [],
  }
}

const ownChains = (plan: ServicePortPlan, names: ServiceChainNames, endpoints: EndpointChains): readonly string[] => [
  ...Array.from(endpoints.values(), ({ name }) => name),
  ...(plan.usesCluster ? [names.svc] : []),
  ...(plan.usesLocal ? [names.svl] : []),
  ...(plan.externallyAccessible ? [names.ext] : []),
  ...(plan.hasFirewall ? [names.fw] : []),
]

/** Only services without any endpoint are rejected here. Shared with the layout before it. */
export function refusals(plan: ServicePortPlan, r: Rendering): ChainRule[] {
  if (plan.hasEndpoints) return []
  const refusal = { action: 'reject', reason: 'has no endpoints' } as const
  const external = [...plan.externalIPs, ...plan.loadBalancerVIPs]
  return [
    refuseAddress(chain.services, plan, plan.clusterIP, refusal, r),
    ...external.map((address) => refuseAddress(chain.externalServices, plan, address, refusal, r)),
    ...(plan.nodePort !== undefined && nodePortsExist(r) ? [refuseNodePort(plan, plan.nodePort, refusal, r)] : []),
  ]
}

function natRules(
  plan: ServicePortPlan,
  names: ServiceChainNames,
  endpoints: EndpointChains,
  r: Rendering,
): ChainRule[] {
  const { svc, svl, ext } = names
  const internal = plan.internalPolicyLocal ? svl : svc
  return [
    ...Array.from(endpoints.values(), (endpoint) => endpointRules(plan, endpoint, r)).flat(),
    ...(plan.externallyAccessible ? externalChain(plan, names, plan.externalPolicyLocal ? svl : svc, r) : []),
    ...masqueradeOutsiders(internal, plan, plan.clusterIP, 'cluster IP', r.settings.masqueradeAll, r),
    addressRule(chain.services, plan, plan.clusterIP, 'cluster IP', internal),
    ...plan.externalIPs.map((ip) => addressRule(chain.services, plan, ip, 'external IP', ext)),
    ...plan.loadBalancerVIPs.flatMap((vip) => vipRules(plan, vip, names)),
    ...(plan.nodePort !== undefined && nodePortsExist(r)
      ? [nodePortRule(chain.nodePorts, plan, plan.nodePort, ext)]
      : []),
    ...(plan.usesCluster ? balancingRules(svc, plan, chainsOf(plan.cluster, endpoints), r) : []),
    ...(plan.usesLocal ? localRules(plan, svl, endpoints, r) : []),
  ]
}

function vipRules(plan: ServicePortPlan, vip: ServicePortPlan['clusterIP'], names: ServiceChainNames): ChainRule[] {
  const entry = addressRule(chain.services, plan, vip, 'loadbalancer IP', plan.hasFirewall ? names.fw : names.ext)
  if (!plan.hasFirewall) return [entry]
  return [entry, ...allowedSources(plan, names, names.ext, [vip]), dropTheRest(plan, names.fw)]
}

/** The end of a KUBE-FW chain: who comes here was let in by nobody. Shared with the layout before it. */
export const dropTheRest = (plan: ServicePortPlan, fw: string): ChainRule =>
  rule(fw, {
    matches: [comment(`${plan.name} loadbalancer IP`)],
    target: jump(chain.markDrop),
    origin: origin('loadBalancerSourceRanges', plan.origin),
  })

const localRules = (plan: ServicePortPlan, svl: string, endpoints: EndpointChains, r: Rendering): ChainRule[] =>
  plan.local.length > 0 ? balancingRules(svl, plan, chainsOf(plan.local, endpoints), r) : [dropAll(plan, svl)]

/** Policy Local without a local endpoint. Shared with the layout before it. */
export const dropAll = (plan: ServicePortPlan, from: string): ChainRule =>
  rule(from, {
    matches: [comment(`${plan.name} has no local endpoints`)],
    target: jump(chain.markDrop),
    origin: origin('has no local endpoints', plan.origin),
  })
