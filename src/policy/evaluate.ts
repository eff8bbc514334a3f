import { type Connection, type PolicyDirection, peerOf, subjectOf } from './connection.ts'
import type { Decision, DirectionDecision, PolicyStep, Reason, RuleRef, TierStep } from './decision.ts'
import { samePod } from './end.ts'
import { holds, matchRule, type RuleResult, selectsPod } from './match.ts'
import { byPriority, type Policy, type Tier } from './policy.ts'
import { unsettledPoints } from './unsettled.ts'

/**
 * Whether `connection` may be opened, and why. Egress is asked at the source, ingress at the destination; each passes the
 * tiers admin, network and baseline until one answers (policy.networking.k8s.io; NetworkPolicy is the middle one).
 */
export function evaluate(policies: readonly Policy[], connection: Connection): Decision {
  return {
    egress: decide(policies, connection, 'egress'),
    ingress: decide(policies, connection, 'ingress'),
  }
}

function decide(policies: readonly Policy[], connection: Connection, direction: PolicyDirection): DirectionDecision {
  const subject = subjectOf(connection, direction)
  if (subject.kind !== 'pod') return plain(direction, { kind: 'no-subject', end: subject.kind })
  const { pod } = subject
  const peer = peerOf(connection, direction)
  const hairpin = peer.kind === 'pod' && samePod(pod, peer.pod)
  if (hairpin && !connection.dialled) return plain(direction, { kind: 'own-address' })
  if (direction === 'ingress' && peer.kind === 'node' && peer.node.name === pod.node) {
    return plain(direction, { kind: 'own-node', node: peer.node.name })
  }
  const selecting = policies.filter((p) => p[direction] !== undefined && selectsPod(p.subject, pod))
  const decided = { direction, ...walk(selecting, connection, direction) }
  const isolatedElsewhere = policies.some((p) => isolatesOtherWay(p, direction) && selectsPod(p.subject, pod))
  return { ...decided, unsettled: unsettledPoints(decided, { connection, hairpin, isolatedElsewhere, selecting }) }
}

const plain = (direction: PolicyDirection, reason: Reason): DirectionDecision => ({
  ...{ direction, reason, tiers: [], unsettled: [] },
})

const isolatesOtherWay = (p: Policy, direction: PolicyDirection): boolean =>
  p.tier === 'network' && p[direction === 'egress' ? 'ingress' : 'egress'] !== undefined

interface Walk {
  readonly tiers: readonly TierStep[]
  readonly reason: Reason
}

function walk(selecting: readonly Policy[], connection: Connection, direction: PolicyDirection): Walk {
  const tiers: TierStep[] = []
  for (const tier of ['admin', 'network', 'baseline'] as const) {
    const policies = selecting.filter((p) => p.tier === tier)
    if (policies.length === 0) continue
    const { step, reason } = (tier === 'network' ? askUnion : askInOrder)(tier, policies, connection, direction)
    tiers.push(step)
    if (reason) return { tiers, reason }
  }
  return { tiers, reason: { kind: 'not-isolated' } }
}

interface Answer {
  readonly step: TierStep
  readonly reason?: Reason
}

/** NetworkPolicy: whoever is selected is isolated, and what any rule allows is allowed. */
function askUnion(tier: Tier, policies: readonly Policy[], connection: Connection, direction: PolicyDirection): Answer {
  const steps = policies.map((policy) => ({
    policy,
    rules: (policy[direction] ?? []).map((rule) => matchRule(rule, connection)),
  }))
  const by = steps.flatMap(({ policy, rules }) => rules.filter(holds).map(({ rule }) => ({ policy, rule })))
  if (by.length > 0)
    return { step: { tier, policies: steps, outcome: 'allow' }, reason: { kind: 'rules-allow', tier, by } }
  return { step: { tier, policies: steps, outcome: 'deny' }, reason: { kind: 'isolated', policies } }
}

/** The first rule that holds decides, by priority and then from the top; `pass` leaves the tier. */
function askInOrder(
  tier: Tier,
  policies: readonly Policy[],
  connection: Connection,
  direction: PolicyDirection,
): Answer {
  const steps: PolicyStep[] = []
  for (const policy of policies.toSorted(byPriority)) {
    const step = firstHolding(policy, connection, direction)
    steps.push(step)
    const last = step.rules.at(-1)
    if (last && holds(last)) return answer(tier, steps, { policy, rule: last.rule })
  }
  return { step: { tier, policies: steps, outcome: 'no-answer' } }
}

/** The rules up to the first that holds. */
export function firstHolding(policy: Policy, connection: Connection, direction: PolicyDirection): PolicyStep {
  const rules: RuleResult[] = []
  for (const rule of policy[direction] ?? []) {
    const result = matchRule(rule, connection)
    rules.push(result)
    if (holds(result)) break
  }
  return { policy, rules }
}

function answer(tier: Tier, policies: readonly PolicyStep[], by: RuleRef): Answer {
  const step = { tier, policies, outcome: by.rule.action }
  switch (by.rule.action) {
    case 'allow':
      return { step, reason: { kind: 'rules-allow', tier, by: [by] } }
    case 'deny':
      return { step, reason: { kind: 'rule-denies', tier, by } }
    case 'pass':
      return { step }
  }
}
