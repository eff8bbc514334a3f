import type { PolicyDirection } from './connection.ts'
import { holds, type RuleResult } from './match.ts'
import type { Policy, Rule, Tier } from './policy.ts'

/** What both ends' policies say to a connection. */
export interface Decision {
  readonly egress: DirectionDecision
  readonly ingress: DirectionDecision
}

/** Both ends must allow. */
export const isAllowed = (d: Decision): boolean => allows(d.egress) && allows(d.ingress)

export interface DirectionDecision {
  readonly direction: PolicyDirection
  readonly reason: Reason
  /** The tiers that were asked, in order, with the policies that select the subject. */
  readonly tiers: readonly TierStep[]
  /** Points on which the API says nothing, or plugins differ, and which may turn this answer. */
  readonly unsettled: readonly Unsettled[]
}

export type Reason =
  /** This end is no pod with a network of its own: nobody is asked. */
  | { readonly kind: 'no-subject'; readonly end: 'node' | 'address' }
  /** A pod always reaches its own address. */
  | { readonly kind: 'own-address' }
  /** A pod's own node always gets in (kubelet probes). */
  | { readonly kind: 'own-node'; readonly node: string }
  /** Allowed by these rules: one of an ordered tier, or all that hold in the tier `network`. */
  | { readonly kind: 'rules-allow'; readonly tier: Tier; readonly by: readonly RuleRef[] }
  /** Denied by the first rule that holds in an ordered tier. */
  | { readonly kind: 'rule-denies'; readonly tier: Tier; readonly by: RuleRef }
  /** Selected by NetworkPolicies, and none of their rules holds. */
  | { readonly kind: 'isolated'; readonly policies: readonly Policy[] }
  /** No policy has an answer: everything passes. */
  | { readonly kind: 'not-isolated' }

export interface RuleRef {
  readonly policy: Policy
  readonly rule: Rule
}

export interface TierStep {
  readonly tier: Tier
  /** Those that select the subject, in the order in which they are asked, up to the one that decides. */
  readonly policies: readonly PolicyStep[]
  readonly outcome: 'allow' | 'deny' | 'pass' | 'no-answer'
}

export interface PolicyStep {
  readonly policy: Policy
  /** The rules that were compared, in order. */
  readonly rules: readonly RuleResult[]
}

/**
 * - `own-node-egress`: whether policy applies to traffic from a pod to its own node; here it does (Calico).
 * - `icmp`: what NetworkPolicy means for other protocols; here a rule without ports covers them.
 * - `same-priority`: another policy of this priority says the contrary; here the first by name decides.
 * - `baseline-other-direction`: whether the baseline tier is asked for a pod that a NetworkPolicy isolates in the other
 *   direction only; here it is.
 * - `hairpin`: whether policy applies to a pod that reaches itself through a Service; here it does.
 * - `unknown-address`, `unknown-domain`: a rule would hold if the other end had a fitting address, or name.
 */
export type Unsettled =
  | 'own-node-egress'
  | 'icmp'
  | 'same-priority'
  | 'baseline-other-direction'
  | 'hairpin'
  | 'unknown-address'
  | 'unknown-domain'

export function allows({ reason }: DirectionDecision): boolean {
  switch (reason.kind) {
    case 'no-subject':
    case 'own-address':
    case 'own-node':
    case 'rules-allow':
    case 'not-isolated':
      return true
    case 'rule-denies':
    case 'isolated':
      return false
  }
}

export interface NearMiss {
  readonly policy: Policy
  /** The rule that came nearest to allowing (or to passing on); undefined for a policy that has none. */
  readonly miss: RuleResult | undefined
}

/**
 * Why nothing allowed it: every NetworkPolicy that selects the subject, and every policy of an ordered tier that might
 * have answered otherwise, each with its nearest miss. Empty for an allowed direction.
 */
export function nearestMisses(d: DirectionDecision): readonly NearMiss[] {
  if (allows(d)) return []
  return d.tiers.flatMap(({ tier, policies }) =>
    policies.flatMap((step) => {
      const miss = nearestMiss(step)
      return miss || tier === 'network' ? [{ policy: step.policy, miss }] : []
    }),
  )
}

/** Fewest fields missed; the first of equals. */
function nearestMiss({ rules }: PolicyStep): RuleResult | undefined {
  return rules
    .filter((r) => r.rule.action !== 'deny' && !holds(r))
    .reduce<RuleResult | undefined>((best, r) => (best && best.misses.length <= r.misses.length ? best : r), undefined)
}
