import type { Match } from '../../artefact/iptables/rule.ts'
import type { ProxyEndpoint } from '../endpoint.ts'
import type { ServicePortPlan } from '../plan.ts'
import { chain, endpointChainName } from './chain-names.ts'
import { probabilityParts } from './probability.ts'
import type { Rendering } from './rendering.ts'
import { type ChainRule, comment, host, isRemembered, jump, origin, remember, rule, transport } from './rule-parts.ts'

/** An endpoint with the name of its chain, which is worked out once: a hash per endpoint is what rendering costs most. */
export interface EndpointChain {
  readonly endpoint: ProxyEndpoint
  readonly name: string
}

export type EndpointChains = ReadonlyMap<ProxyEndpoint, EndpointChain>

export function endpointChains(plan: ServicePortPlan): EndpointChains {
  const chains = new Map<ProxyEndpoint, EndpointChain>()
  for (const endpoint of plan.reachable) {
    chains.set(endpoint, { endpoint, name: endpointChainName(plan, endpoint) })
  }
  return chains
}

export function chainsOf(endpoints: readonly ProxyEndpoint[], chains: EndpointChains): readonly EndpointChain[] {
  return endpoints.flatMap((endpoint) => chains.get(endpoint) ?? [])
}

/** A comment that large clusters do without. */
const dispensable = (text: string, { large }: Rendering): readonly Match[] => (large ? [] : [comment(text)])

/** A packet that comes back to its sender is masqueraded; every packet gets the endpoint's address. */
export function endpointRules(plan: ServicePortPlan, { endpoint, name }: EndpointChain, r: Rendering): ChainRule[] {
  const said = dispensable(plan.name, r)
  const from = origin(endpoint.pod ?? `endpoint ${endpoint.address}`, plan.origin)
  const affinity = plan.affinitySeconds === undefined ? [] : [remember(name, r.settings)]
  const to = {
    address: { from: endpoint.ip, to: endpoint.ip },
    ports: { from: endpoint.port, to: endpoint.port },
  }
  return [
    rule(name, { source: host(endpoint.ip), matches: said, target: jump(chain.markMasq), origin: from }),
    rule(name, {
      protocol: { value: plan.protocol },
      matches: [...said, ...affinity, transport(plan.protocol)],
      target: { kind: 'dnat', to },
      origin: from,
    }),
  ]
}

/** The comments of the rules that lead to endpoints: they changed with the versions. `index` counts from 0. */
export interface BalancingWords {
  affinity(endpoint: ProxyEndpoint): readonly Match[]
  chance(endpoint: ProxyEndpoint, index: number): readonly Match[]
}

export function balancingWords(plan: ServicePortPlan, r: Rendering): BalancingWords {
  const say = ({ address }: ProxyEndpoint): readonly Match[] =>
    dispensable(r.behaviour.layout === 'xlb' ? plan.name : `${plan.name} -> ${address}`, r)
  return { affinity: say, chance: say }
}

/** First who is remembered, then one of those that are left, by chance: 1/n, 1/(n-1), ..., 1. */
export function balancingRules(
  from: string,
  plan: ServicePortPlan,
  endpoints: readonly EndpointChain[],
  r: Rendering,
  words: BalancingWords = balancingWords(plan, r),
): ChainRule[] {
  const note = origin('load balancing', plan.origin)
  const rules = affinityRules(from, plan, endpoints, r, words)
  for (const [index, { endpoint, name }] of endpoints.entries()) {
    const matches = [...words.chance(endpoint, index), ...oneOfThoseLeft(endpoints.length - index)]
    rules.push(rule(from, { matches, target: jump(name), origin: note }))
  }
  return rules
}

const oneOfThoseLeft = (left: number): readonly Match[] =>
  left === 1 ? [] : [{ kind: 'statistic', mode: 'random', probability: { value: probabilityParts(left) } }]

function affinityRules(
  from: string,
  plan: ServicePortPlan,
  endpoints: readonly EndpointChain[],
  r: Rendering,
  words: BalancingWords,
): ChainRule[] {
  const seconds = plan.affinitySeconds
  if (seconds === undefined) return []
  const note = origin('session affinity', plan.origin)
  return endpoints.map(({ endpoint, name }) => {
    const matches = [...words.affinity(endpoint), isRemembered(name, seconds, r.settings)]
    return rule(from, { matches, target: jump(name), origin: note })
  })
}
