import { prefix } from '../../net/prefix.ts'
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
import { type ChainRule, comment, host, origin, rule, transport } from './rule-parts.ts'

/** The rules of one service port, 1.25 and newer (syncProxyRules of pkg/proxy/iptables/proxier.go). */
export function serviceRules(plan: ServicePortPlan, r: Rendering): ServiceRules {
  const names = serviceChainNames(plan)
  const endpoints = endpointChains(plan)
  return {
    chains: ownChains(plan, names, endpoints),
    filter: filterRules(plan, names, r),
    nat: [...entryRules(plan, names, r), ...contents(plan, names, endpoints, r)],
  }
}

const usesExternalChain = (plan: ServicePortPlan): boolean => plan.hasEndpoints && plan.externallyAccessible
const hasClusterChain = (plan: ServicePortPlan): boolean => plan.usesCluster && plan.cluster.length > 0
const hasLocalChain = (plan: ServicePortPlan): boolean => plan.usesLocal && plan.local.length > 0

function ownChains(plan: ServicePortPlan, names: ServiceChainNames, endpoints: EndpointChains): readonly string[] {
  return [
    ...(usesExternalChain(plan) ? [names.ext] : []),
    ...(plan.hasFirewall ? [names.fw] : []),
    ...(hasClusterChain(plan) ? [names.svc] : []),
    ...(hasLocalChain(plan) ? [names.svl] : []),
    ...Array.from(endpoints.values(), ({ name }) => name),
  ]
}

function filterRules(plan: ServicePortPlan, { fw }: ServiceChainNames, r: Rendering): ChainRule[] {
  const { internalRefusal, externalRefusal, nodePort } = plan
  const refuse = (address: ServicePortPlan['clusterIP']): ChainRule[] =>
    externalRefusal ? [refuseAddress(chain.externalServices, plan, address, externalRefusal, r)] : []
  return [
    ...(internalRefusal ? [refuseAddress(chain.services, plan, plan.clusterIP, internalRefusal, r)] : []),
    ...plan.externalIPs.flatMap(refuse),
    ...(plan.hasFirewall ? plan.loadBalancerVIPs.map((vip) => dropUnlisted(plan, vip, fw)) : []),
    ...plan.loadBalancerVIPs.flatMap(refuse),
    ...(externalRefusal && nodePort !== undefined && nodePortsExist(r)
      ? [refuseNodePort(plan, nodePort, externalRefusal, r)]
      : []),
    ...healthCheckRules(plan),
  ]
}

/** What KUBE-FW let through has been DNATed and no longer has the VIP as its destination. */
const dropUnlisted = (plan: ServicePortPlan, vip: ServicePortPlan['clusterIP'], fw: string): ChainRule =>
  rule(chain.proxyFirewall, {
    destination: host(vip),
    protocol: { value: plan.protocol },
    matches: [comment(`${plan.name} traffic not accepted by ${fw}`), transport(plan.protocol, plan.port)],
    target: { kind: 'drop' },
    origin: origin('loadBalancerSourceRanges', plan.origin),
  })

/** The rules in the chains that all services share. */
function entryRules(plan: ServicePortPlan, names: ServiceChainNames, r: Rendering): ChainRule[] {
  const internal = plan.internalPolicyLocal ? names.svl : names.svc
  const clusterIP = plan.hasInternalEndpoints
    ? [addressRule(chain.services, plan, plan.clusterIP, 'cluster IP', internal)]
    : []
  if (!plan.hasEndpoints) return clusterIP
  const vipChain = plan.hasFirewall ? names.fw : names.ext
  return [
    ...clusterIP,
    ...plan.externalIPs.map((ip) => addressRule(chain.services, plan, ip, 'external IP', names.ext)),
    ...plan.loadBalancerVIPs.map((ip) => addressRule(chain.services, plan, ip, 'loadbalancer IP', vipChain)),
    ...nodePortRules(plan, names, r),
  ]
}

const loopbackNet = prefix('127.0.0.0/8')

function nodePortRules(plan: ServicePortPlan, { ext }: ServiceChainNames, r: Rendering): ChainRule[] {
  if (plan.nodePort === undefined || !nodePortsExist(r)) return []
  const open = nodePortRule(chain.nodePorts, plan, plan.nodePort, ext)
  const { settings, behaviour } = r
  if (!behaviour.nfacct || !settings.nfacct || settings.family === 'ipv6' || !settings.localhostNodePorts) return [open]
  const counted = rule(open.chain, {
    ...open.rule,
    destination: { value: loopbackNet },
    matches: [...open.rule.matches, { kind: 'nfacct', name: 'localhost_nps_accepted_pkts' }],
  })
  return [counted, open]
}

function contents(
  plan: ServicePortPlan,
  names: ServiceChainNames,
  endpoints: EndpointChains,
  r: Rendering,
): ChainRule[] {
  const { svc, svl } = names
  const internal = plan.internalPolicyLocal ? svl : svc
  const external = plan.externalPolicyLocal ? svl : svc
  return [
    ...(plan.hasInternalEndpoints
      ? masqueradeOutsiders(internal, plan, plan.clusterIP, 'cluster IP', r.settings.masqueradeAll, r)
      : []),
    ...(usesExternalChain(plan) ? externalChain(plan, names, plan.hasExternalEndpoints ? external : undefined, r) : []),
    ...(plan.hasFirewall ? firewallChain(plan, names, r) : []),
    ...(hasClusterChain(plan) ? balancingRules(svc, plan, chainsOf(plan.cluster, endpoints), r) : []),
    ...(hasLocalChain(plan) ? balancingRules(svl, plan, chainsOf(plan.local, endpoints), r) : []),
    ...Array.from(endpoints.values(), (endpoint) => endpointRules(plan, endpoint, r)).flat(),
  ]
}

function firewallChain(plan: ServicePortPlan, names: ServiceChainNames, { behaviour }: Rendering): ChainRule[] {
  const allowed = allowedSources(plan, names, names.ext, plan.loadBalancerVIPs)
  if (!behaviour.saysWhoDrops) return allowed
  const said = comment(`other traffic to ${plan.name} will be dropped by KUBE-PROXY-FIREWALL`)
  return [...allowed, rule(names.fw, { matches: [said], origin: origin('loadBalancerSourceRanges', plan.origin) })]
}
