import type { Connection } from './connection.ts'
import { allows, type DirectionDecision, type Unsettled } from './decision.ts'
import { holds, matchRule, type RuleResult } from './match.ts'
import type { Miss } from './miss.ts'
import type { Policy, Rule } from './policy.ts'

type Decided = Omit<DirectionDecision, 'unsettled'>

/** What a verdict was reached with. */
export interface Circumstances {
  readonly connection: Connection
  /** From a pod to itself, through a Service. */
  readonly hairpin: boolean
  /** A NetworkPolicy isolates the subject in the other direction. */
  readonly isolatedElsewhere: boolean
  /** The policies that select the subject for this direction. */
  readonly selecting: readonly Policy[]
}

/** The open points that may turn this verdict: no others. */
export function unsettledPoints(decided: Decided, circumstances: Circumstances): readonly Unsettled[] {
  const { reason } = decided
  if (reason.kind === 'not-isolated') return unknownEnds(decided)
  const points: Unsettled[] = []
  if (circumstances.hairpin) points.push('hairpin')
  if (reason.kind === 'isolated' && isOwnNodeEgress(decided, circumstances.connection)) points.push('own-node-egress')
  if (isAboutIcmp(decided, circumstances.connection)) points.push('icmp')
  if (samePriorityDiffers(decided, circumstances)) points.push('same-priority')
  if (reason.kind === 'rule-denies' && reason.tier === 'baseline' && circumstances.isolatedElsewhere) {
    points.push('baseline-other-direction')
  }
  return [...points, ...unknownEnds(decided)]
}

function isOwnNodeEgress({ direction }: Decided, connection: Connection): boolean {
  const { from, to } = connection
  return direction === 'egress' && from.kind === 'pod' && to.kind === 'node' && to.node.name === from.pod.node
}

/** The cluster-scoped kinds do cover ICMP; NetworkPolicy says nothing of it. */
function isAboutIcmp({ reason }: Decided, { protocol }: Connection): boolean {
  const byNetworkPolicy = reason.kind === 'isolated' || (reason.kind === 'rules-allow' && reason.tier === 'network')
  return byNetworkPolicy && (protocol === 'icmp' || protocol === 'icmpv6')
}

/** Whether a policy of the priority that decided would have decided otherwise. Only in tiers that are ordered. */
function samePriorityDiffers({ direction, tiers }: Decided, { selecting, connection }: Circumstances): boolean {
  return tiers.some(({ tier, policies }) => {
    const last = policies.at(-1)
    const decisive = last?.rules.find(holds)
    if (!last || !decisive || tier === 'network') return false
    const rivals = selecting.filter((p) => p.tier === tier && p.priority === last.policy.priority && p !== last.policy)
    const first = (p: Policy): Rule | undefined => p[direction]?.find((rule) => holds(matchRule(rule, connection)))
    return rivals.some((p) => (first(p)?.action ?? decisive.rule.action) !== decisive.rule.action)
  })
}

/** Rules that only the other end's unknown address, or name, keeps from holding. Of rules that could turn the verdict. */
function unknownEnds(decided: Decided): readonly Unsettled[] {
  const verdict = allows({ ...decided, unsettled: [] }) ? 'allow' : 'deny'
  const compared = decided.tiers.flatMap((tier) => tier.policies.flatMap((p) => p.rules))
  const could = compared.filter((r) => r.rule.action !== verdict && !holds(r))
  const only = (result: RuleResult, field: Miss['field']): boolean =>
    result.misses.length === 1 && result.misses.every((m) => m.field === field && 'found' in m && m.found === undefined)
  return [
    ...(could.some((r) => only(r, 'address')) ? ['unknown-address' as const] : []),
    ...(could.some((r) => only(r, 'domain')) ? ['unknown-domain' as const] : []),
  ]
}
