import type { NftChain, NftRule, NftSet } from '../../artefact/nft/ruleset.ts'
import { goTo, type NftStatement, verdict } from '../../artefact/nft/statement.ts'
import { literal, type NftElement } from '../../artefact/nft/value.ts'
import { hostPrefix } from '../../net/prefix.ts'
import type { ProxyEndpoint } from '../endpoint.ts'
import type { ServicePortPlan } from '../plan.ts'
import { type ServiceNames, serviceNames } from './names.ts'
import {
  destination,
  detect,
  inNamedSet,
  is,
  isFromNode,
  key,
  marking,
  type NftRendering,
  port,
  prefixValue,
  rule,
  source,
} from './rendering.ts'

/** The chains of one service port. */
export function serviceChains(plan: ServicePortPlan, r: NftRendering): readonly NftChain[] {
  const names = serviceNames(plan)
  const usesCluster = plan.usesCluster && plan.cluster.length > 0
  const usesLocal = plan.usesLocal && plan.local.length > 0
  return [
    ...(plan.hasEndpoints && plan.externallyAccessible ? [externalChain(plan, names, r)] : []),
    ...(hasFirewall(plan) ? [firewallChain(plan, names, r)] : []),
    ...(usesCluster ? [policyChain(names.service, plan, plan.cluster, !plan.internalPolicyLocal, r)] : []),
    ...(usesLocal ? [policyChain(names.local, plan, plan.local, plan.internalPolicyLocal, r)] : []),
    ...(needsEndpointChains(plan, r) ? plan.reachable.map((e) => endpointChain(plan, names, e, r)) : []),
  ]
}

/** Unlike in iptables mode, source ranges hold for services without endpoints too. */
export const hasFirewall = (plan: ServicePortPlan): boolean =>
  plan.loadBalancerVIPs.length > 0 && plan.sourceRanges.length > 0

/** The chain of the endpoints that the policy asks for. */
export const internalChain = (plan: ServicePortPlan, names: ServiceNames): string =>
  plan.internalPolicyLocal ? names.local : names.service
const externalPolicyChain = (plan: ServicePortPlan, names: ServiceNames): string =>
  plan.externalPolicyLocal ? names.local : names.service

/** Since 1.36 a map of addresses stands in their place, unless clients are to be remembered. */
const needsEndpointChains = (plan: ServicePortPlan, r: NftRendering): boolean =>
  r.layout !== '1.36' || plan.affinitySeconds !== undefined

function externalChain(plan: ServicePortPlan, names: ServiceNames, r: NftRendering): NftChain {
  const handled = plan.externalPolicyLocal ? shortCircuits(plan, names, r) : [markExternal(plan, r)]
  const to = goTo(externalPolicyChain(plan, names))
  const last = plan.hasExternalEndpoints ? [rule([to], 'external traffic', plan.origin)] : []
  return { name: names.external, rules: [...handled, ...last] }
}

const markExternal = (plan: ServicePortPlan, r: NftRendering): NftRule =>
  rule([marking(r)], 'masquerade external traffic', plan.origin, r.layout === '1.36' ? 'masquerade' : undefined)

function shortCircuits(plan: ServicePortPlan, names: ServiceNames, r: NftRendering): readonly NftRule[] {
  const fromPods = detect(r, r.settings.detectLocal, '==')
  const toCluster = goTo(names.service)
  const pods = 'short-circuit pod traffic'
  return [
    ...(fromPods ? [rule([fromPods, toCluster], 'pod traffic, policy Local', plan.origin, pods)] : []),
    rule([isFromNode, marking(r)], 'traffic of the node, policy Local', plan.origin, 'masquerade local traffic'),
    rule([isFromNode, toCluster], 'traffic of the node, policy Local', plan.origin, 'short-circuit local traffic'),
  ]
}

/** Load balancers that keep the VIP as the source are let in where the node is. */
function firewallChain(plan: ServicePortPlan, names: ServiceNames, r: NftRendering): NftChain {
  const vips = plan.sourceRangesIncludeNode ? plan.loadBalancerVIPs.map(hostPrefix) : []
  const elements = [...plan.sourceRanges, ...vips].map((p): NftElement => ({ key: prefixValue(p) }))
  const outside: NftStatement = {
    kind: 'match',
    left: { kind: 'field', field: source(r) },
    op: '!=',
    right: { kind: 'set', set: { kind: 'anonymous', elements } },
  }
  return { name: names.firewall, rules: [rule([outside, verdict('drop')], 'loadBalancerSourceRanges', plan.origin)] }
}

function policyChain(
  name: string,
  plan: ServicePortPlan,
  endpoints: readonly ProxyEndpoint[],
  isInternal: boolean,
  r: NftRendering,
): NftChain {
  const names = serviceNames(plan)
  const masquerades = isInternal && plan.hasInternalEndpoints && r.layout !== '1.36' ? masqueradeRules(plan, r) : []
  const remembered = plan.affinitySeconds === undefined ? [] : endpoints.map((e) => affinityRule(plan, names, e, r))
  return { name, rules: [...masquerades, ...remembered, balancingRule(plan, names, endpoints, r)] }
}

function masqueradeRules(plan: ServicePortPlan, r: NftRendering): readonly NftRule[] {
  const to: readonly NftStatement[] = [
    is(destination(r), literal(plan.clusterIP)),
    ...(r.layout === '1.30' ? [is(`${plan.protocol} dport`, literal(port(plan.port)))] : []),
  ]
  const { masqueradeAll, detectLocal } = r.settings
  const outside = masqueradeAll ? undefined : detect(r, detectLocal, '!=')
  if (!masqueradeAll && !outside) return []
  return [rule([...to, ...(outside ? [outside] : []), marking(r)], 'masquerade cluster IP traffic', plan.origin)]
}

const affinityRule = (plan: ServicePortPlan, names: ServiceNames, e: ProxyEndpoint, r: NftRendering): NftRule =>
  rule([inNamedSet(source(r), names.affinity(e)), goTo(names.endpoint(e))], 'session affinity', plan.origin)

/** `numgen random` over the endpoints, also where there is only one. */
function balancingRule(
  plan: ServicePortPlan,
  names: ServiceNames,
  endpoints: readonly ProxyEndpoint[],
  r: NftRendering,
): NftRule {
  const number = { kind: 'numgen', mode: 'random', mod: endpoints.length } as const
  if (needsEndpointChains(plan, r)) {
    const elements = endpoints.map(
      (e, i): NftElement => ({ key: literal(port(i)), verdict: { kind: 'goto', chain: names.endpoint(e) } }),
    )
    return rule([{ kind: 'vmap', key: number, map: { kind: 'anonymous', elements } }], 'endpoints', plan.origin)
  }
  const elements = endpoints.map((e, i): NftElement => ({ key: literal(port(i)), data: key(e.ip, port(e.port)) }))
  const expression = { kind: 'map', key: number, map: { kind: 'anonymous', elements } } as const
  const dnat: NftStatement = { kind: 'nat', op: 'dnat', family: r.ip, to: { kind: 'computed', expression }, flags: [] }
  return rule([is('meta l4proto', literal(plan.protocol)), dnat], 'endpoints', plan.origin)
}

function endpointChain(plan: ServicePortPlan, names: ServiceNames, e: ProxyEndpoint, r: NftRendering): NftChain {
  const note = e.pod ?? 'endpoint'
  const dnat: NftStatement = {
    kind: 'nat',
    op: 'dnat',
    to: { kind: 'fixed', address: e.ip, ports: port(e.port) },
    flags: [],
  }
  const hairpin = rule([is(source(r), literal(e.ip)), marking(r)], `${note}, hairpin`, plan.origin)
  const remember: NftStatement = {
    kind: 'set-change',
    op: 'update',
    set: names.affinity(e),
    key: { kind: 'field', field: source(r) },
  }
  return {
    name: names.endpoint(e),
    rules: [
      ...(r.layout === '1.36' ? [] : [hairpin]),
      ...(plan.affinitySeconds === undefined ? [] : [rule([remember], `${note}, session affinity`, plan.origin)]),
      rule([is('meta l4proto', literal(plan.protocol)), dnat], note, plan.origin),
    ],
  }
}

/** One set of clients for each endpoint, where the service has affinity. */
export function affinitySets(plan: ServicePortPlan, r: NftRendering): readonly NftSet[] {
  const seconds = plan.affinitySeconds
  if (seconds === undefined) return []
  const names = serviceNames(plan)
  return plan.reachable.map((e) => ({
    kind: 'set',
    name: names.affinity(e),
    key: [r.ip === 'ip' ? 'ipv4_addr' : 'ipv6_addr'],
    flags: ['dynamic', 'timeout'],
    timeout: seconds * 1000,
    elements: [],
  }))
}
