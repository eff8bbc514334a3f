import { prefix } from '../../net/prefix.ts'
import type { ServicePortPlan } from '../plan.ts'
import { addressRule, healthCheckRules, masqueradeOutsiders, nodePortRule } from './address-rules.ts'
import { chain, type ServiceChainNames, serviceChainNames } from './chain-names.ts'
import {
  type BalancingWords,
  balancingRules,
  balancingWords,
  chainsOf,
  type EndpointChains,
  endpointChains,
  endpointRules,
} from './endpoint-rules.ts'
import { allowedSources } from './external-chain.ts'
import { dropAll, dropTheRest, refusals } from './mark-drop-rules.ts'
import { nodePortsExist } from './node-ports.ts'
import type { Rendering, ServiceRules } from './rendering.ts'
import { type ChainRule, comment, detect, isLocalSource, jump, origin, rule } from './rule-parts.ts'

/**
 * The rules of one service port, up to 1.23. There is no KUBE-EXT: under policy Cluster everything goes to KUBE-SVC,
 * which masquerades by address; under policy Local what comes from outside goes to KUBE-XLB.
 */
export function xlbServiceRules(plan: ServicePortPlan, r: Rendering): ServiceRules {
  const names = serviceChainNames(plan)
  const endpoints = endpointChains(plan)
  return {
    chains: ownChains(plan, names, endpoints),
    filter: [...refusals(plan, r), ...healthCheckRules(plan)],
    nat: plan.hasEndpoints ? natRules(plan, names, endpoints, r) : [],
  }
}

/** KUBE-XLB is made even for a service without endpoints. */
const ownChains = (plan: ServicePortPlan, names: ServiceChainNames, endpoints: EndpointChains): readonly string[] => [
  ...Array.from(endpoints.values(), ({ name }) => name),
  ...(plan.hasEndpoints ? [names.svc] : []),
  ...(plan.externalPolicyLocal ? [names.xlb] : []),
  ...(plan.hasEndpoints ? plan.loadBalancerVIPs.map(() => names.fw) : []),
]

function natRules(
  plan: ServicePortPlan,
  names: ServiceChainNames,
  endpoints: EndpointChains,
  r: Rendering,
): ChainRule[] {
  return [
    ...Array.from(endpoints.values(), (endpoint) => endpointRules(plan, endpoint, r)).flat(),
    ...masqueradeOutsiders(names.svc, plan, plan.clusterIP, 'cluster IP', r.settings.masqueradeAll, r),
    addressRule(chain.services, plan, plan.clusterIP, 'cluster IP', names.svc),
    ...plan.externalIPs.flatMap((ip) => externalIpRules(plan, ip, names, r)),
    ...plan.loadBalancerVIPs.flatMap((vip) => vipRules(plan, vip, names)),
    ...nodePortRules(plan, names, r),
    ...balancingRules(names.svc, plan, chainsOf(plan.cluster, endpoints), r),
    ...(plan.externalPolicyLocal ? xlbChain(plan, names, endpoints, r) : []),
  ]
}

function externalIpRules(
  plan: ServicePortPlan,
  ip: ServicePortPlan['clusterIP'],
  { svc, xlb }: ServiceChainNames,
  r: Rendering,
): ChainRule[] {
  const entry = (to: string) => addressRule(chain.services, plan, ip, 'external IP', to)
  if (plan.externalPolicyLocal) return [entry(xlb)]
  const everyone = r.settings.detectLocal.by === 'none'
  return [...masqueradeOutsiders(svc, plan, ip, 'external IP', everyone, r), entry(svc)]
}

/** KUBE-FW stands before every VIP here, source ranges or not. */
function vipRules(plan: ServicePortPlan, vip: ServicePortPlan['clusterIP'], names: ServiceChainNames): ChainRule[] {
  const { fw, svc, xlb } = names
  const to = plan.externalPolicyLocal ? xlb : svc
  const toChain = (target: string): ChainRule =>
    rule(fw, {
      matches: [comment(`${plan.name} loadbalancer IP`)],
      target: jump(target),
      origin: origin('loadbalancer IP', plan.origin),
    })
  return [
    addressRule(chain.services, plan, vip, 'loadbalancer IP', fw),
    ...(plan.externalPolicyLocal ? [] : [toChain(chain.markMasq)]),
    ...(plan.sourceRanges.length === 0 ? [toChain(to)] : allowedSources(plan, names, to, [vip])),
    dropTheRest(plan, fw),
  ]
}

const loopback = { ipv4: prefix('127.0.0.0/8'), ipv6: prefix('::1/128') } as const

function nodePortRules(plan: ServicePortPlan, { svc, xlb }: ServiceChainNames, r: Rendering): ChainRule[] {
  const port = plan.nodePort
  if (port === undefined || !nodePortsExist(r)) return []
  if (!plan.externalPolicyLocal) {
    return [nodePortRule(svc, plan, port, chain.markMasq), nodePortRule(chain.nodePorts, plan, port, svc)]
  }
  const fromLoopback = nodePortRule(chain.nodePorts, plan, port, chain.markMasq)
  return [
    rule(chain.nodePorts, { ...fromLoopback.rule, source: { value: loopback[r.settings.family] } }),
    nodePortRule(chain.nodePorts, plan, port, xlb),
  ]
}

function xlbChain(
  plan: ServicePortPlan,
  { svc, xlb }: ServiceChainNames,
  endpoints: EndpointChains,
  r: Rendering,
): ChainRule[] {
  const pods = detect(r.settings.detectLocal)
  const note = origin('external traffic, policy Local', plan.origin)
  const say = (text: string) => [comment(text)]
  const redirect = 'Redirect pods trying to reach external loadbalancer VIP to clusterIP'
  return [
    ...(pods ? [rule(xlb, { ...pods, matches: say(redirect), target: jump(svc), origin: note })] : []),
    rule(xlb, {
      matches: [comment(`masquerade LOCAL traffic for ${plan.name} LB IP`), isLocalSource],
      target: jump(chain.markMasq),
      origin: note,
    }),
    rule(xlb, {
      matches: [comment(`route LOCAL traffic for ${plan.name} LB IP to service chain`), isLocalSource],
      target: jump(svc),
      origin: note,
    }),
    ...(plan.local.length === 0
      ? [dropAll(plan, xlb)]
      : balancingRules(xlb, plan, chainsOf(plan.local, endpoints), r, xlbWords(plan, r))),
  ]
}

/** 1.22 numbered the rules of KUBE-XLB, and kept their comments in large clusters. */
function xlbWords(plan: ServicePortPlan, r: Rendering): BalancingWords {
  if (!r.behaviour.before123) return balancingWords(plan, r)
  return {
    affinity: () => [comment(plan.name)],
    chance: (_, index) => [comment(`Balancing rule ${index} for ${plan.name}`)],
  }
}
