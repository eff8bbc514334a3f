import type { ServicePortPlan } from '../plan.ts'
import { chain, type ServiceChainNames } from './chain-names.ts'
import type { Rendering } from './rendering.ts'
import { type ChainRule, comment, detect, host, isLocalSource, jump, origin, rule } from './rule-parts.ts'

/**
 * KUBE-EXT, where everything from outside passes. Policy Cluster masquerades. Policy Local keeps the client's address,
 * but pods and the node itself are sent to the Cluster endpoints, as if their packets had gone out and come back.
 *
 * @param to the chain of the policy's endpoints; undefined where it has none
 */
export function externalChain(
  plan: ServicePortPlan,
  names: ServiceChainNames,
  to: string | undefined,
  r: Rendering,
): ChainRule[] {
  const handled = plan.externalPolicyLocal ? shortCircuits(plan, names, r) : [masqueradeAll(plan, names)]
  if (to === undefined) return handled
  const note = origin(plan.externalPolicyLocal ? 'external traffic, policy Local' : 'external traffic', plan.origin)
  return [...handled, rule(names.ext, { matches: [], target: jump(to), origin: note })]
}

const masqueradeAll = (plan: ServicePortPlan, { ext }: ServiceChainNames): ChainRule =>
  rule(ext, {
    matches: [comment(`masquerade traffic for ${plan.name} external destinations`)],
    target: jump(chain.markMasq),
    origin: origin('masquerade external traffic', plan.origin),
  })

function shortCircuits(plan: ServicePortPlan, { ext, svc }: ServiceChainNames, { settings }: Rendering): ChainRule[] {
  const say = (text: string) => comment(`${text} traffic for ${plan.name} external destinations`)
  const pods = detect(settings.detectLocal)
  const fromPods =
    pods &&
    rule(ext, {
      ...pods,
      matches: [say('pod')],
      target: jump(svc),
      origin: origin('pod traffic, policy Local', plan.origin),
    })
  const fromNode = (text: string, to: string): ChainRule =>
    rule(ext, {
      matches: [say(text), isLocalSource],
      target: jump(to),
      origin: origin('traffic of the node, policy Local', plan.origin),
    })
  return [...(fromPods ? [fromPods] : []), fromNode('masquerade LOCAL', chain.markMasq), fromNode('route LOCAL', svc)]
}

/** KUBE-FW: who may use the VIPs. Load balancers that keep the VIP as the source are let in where the node is. */
export function allowedSources(
  plan: ServicePortPlan,
  { fw }: ServiceChainNames,
  to: string,
  vips: ServicePortPlan['loadBalancerVIPs'],
): ChainRule[] {
  const allowed = [
    ...plan.sourceRanges.map((range) => ({ value: range })),
    ...(plan.sourceRangesIncludeNode ? vips.map(host) : []),
  ]
  return allowed.map((source) =>
    rule(fw, {
      source,
      matches: [comment(`${plan.name} loadbalancer IP`)],
      target: jump(to),
      origin: origin('loadBalancerSourceRanges', plan.origin),
    }),
  )
}
