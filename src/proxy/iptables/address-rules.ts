import type { Target } from '../../artefact/iptables/rule.ts'
import type { Ip } from '../../net/ip.ts'
import type { Refusal, ServicePortPlan } from '../plan.ts'
import { chain } from './chain-names.ts'
import type { Rendering } from './rendering.ts'
import {
  type ChainRule,
  comment,
  detect,
  host,
  isLocalDestination,
  jump,
  origin,
  rule,
  transport,
} from './rule-parts.ts'

/** How an address of a service is called in comments. */
export type AddressKind = 'cluster IP' | 'external IP' | 'loadbalancer IP'

/** A rule of `from` for packets to the service's port on one of its addresses. */
export function addressRule(
  from: string,
  plan: ServicePortPlan,
  address: Ip,
  kind: AddressKind,
  to: string,
): ChainRule {
  return rule(from, {
    destination: host(address),
    protocol: { value: plan.protocol },
    matches: [comment(`${plan.name} ${kind}`), transport(plan.protocol, plan.port)],
    target: jump(to),
    origin: origin(kind, plan.origin),
  })
}

/**
 * Marks packets to an address that do not come from a pod, so that the reply comes back here. Masqueraded whoever sent
 * them with `masqueradeAll`; without that and without a detector there is no such rule.
 */
export function masqueradeOutsiders(
  from: string,
  plan: ServicePortPlan,
  address: Ip,
  kind: AddressKind,
  everyone: boolean,
  { settings }: Rendering,
): ChainRule[] {
  const outsiders = detect(settings.detectLocal, 'not')
  if (!everyone && outsiders === undefined) return []
  const { rule: base } = addressRule(from, plan, address, kind, chain.markMasq)
  return [rule(from, { ...base, ...(everyone ? {} : outsiders), origin: origin(`masquerade to ${kind}`, plan.origin) })]
}

/** A node port on any address that KUBE-NODEPORTS is reached by. The comment is the bare name. */
export const nodePortRule = (from: string, plan: ServicePortPlan, nodePort: number, to: string): ChainRule =>
  rule(from, {
    protocol: { value: plan.protocol },
    matches: [comment(plan.name), transport(plan.protocol, nodePort)],
    target: jump(to),
    origin: origin('node port', plan.origin),
  })

const targetOf = ({ action }: Refusal, { settings }: Rendering): Target =>
  action === 'drop'
    ? { kind: 'drop' }
    : { kind: 'reject', with: settings.family === 'ipv4' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable' }

/** Filter: the service's port on an address that leads to no endpoint. */
export const refuseAddress = (
  from: string,
  plan: ServicePortPlan,
  address: Ip,
  refusal: Refusal,
  r: Rendering,
): ChainRule =>
  rule(from, {
    destination: host(address),
    protocol: { value: plan.protocol },
    matches: [comment(`${plan.name} ${refusal.reason}`), transport(plan.protocol, plan.port)],
    target: targetOf(refusal, r),
    origin: origin(refusal.reason, plan.origin),
  })

/** Filter: a node port that leads to no endpoint, on every address of the node. */
export const refuseNodePort = (plan: ServicePortPlan, nodePort: number, refusal: Refusal, r: Rendering): ChainRule =>
  rule(chain.externalServices, {
    protocol: { value: plan.protocol },
    matches: [comment(`${plan.name} ${refusal.reason}`), isLocalDestination, transport(plan.protocol, nodePort)],
    target: targetOf(refusal, r),
    origin: origin(refusal.reason, plan.origin),
  })

/** Filter: the health check port is always TCP, whatever the service's port is. */
export function healthCheckRules(plan: ServicePortPlan): ChainRule[] {
  if (plan.healthCheckNodePort === undefined) return []
  return [
    rule(chain.nodePorts, {
      protocol: { value: 'tcp' },
      matches: [comment(`${plan.name} health check node port`), transport('tcp', plan.healthCheckNodePort)],
      target: { kind: 'accept' },
      origin: origin('health check node port', plan.origin),
    }),
  ]
}
