import type { Cluster } from '../cluster/cluster.ts'
import type { ExpectedConnection } from '../kube/objects/kubehop.ts'
import type { Protocol } from '../net/port.ts'
import { policyCluster } from '../policy/cluster.ts'
import { allows, type DirectionDecision, nearestMisses } from '../policy/decision.ts'
import { formatPolicyObject, type Policy } from '../policy/policy.ts'
import { nearMissSentence } from '../policy/sentence.ts'
import { isEndProblem } from './end.ts'
import { askPolicy, type PolicyAnswer } from './policy-question.ts'

/** What is expected of the policies, compared with what they mean. Empty where nothing is, or all holds. */
export function policyDifferences(
  cluster: Cluster,
  { from, to, protocol, policy, deniedBy, nearestMiss }: ExpectedConnection,
  namespace: string,
): readonly string[] {
  if (policy === undefined && deniedBy === undefined && nearestMiss === undefined) return []
  const question = { from, to, namespace, ...(protocol !== undefined && { protocol: protocol as Protocol }) }
  const answer = askPolicy(cluster, policyCluster(cluster.objects), question)
  if (isEndProblem(answer)) return [`policy: ${answer.problem}`]
  const denials = denialsOf(answer)
  const names = [...new Set(denials.flatMap(denyingPolicies).map((p) => formatPolicyObject(p.object)))]
  const misses = denials.flatMap((d) => nearestMisses(d).map(({ policy: p, miss }) => nearMissSentence(p.object, miss)))
  return [
    ...(policy === undefined || policy === answer.verdict ? [] : [`policy: expected ${policy}, got ${answer.verdict}`]),
    ...(deniedBy === undefined || names.some((n) => n === deniedBy || n.endsWith(` ${deniedBy}`))
      ? []
      : [`deniedBy: expected ${deniedBy}, got ${names.join(', ') || 'none'}`]),
    ...(nearestMiss === undefined || misses.some((m) => m.includes(nearestMiss))
      ? []
      : [`nearestMiss: expected ${nearestMiss}, got ${misses.join('; ') || 'none'}`]),
  ]
}

function denialsOf({ cases, lookup }: PolicyAnswer): readonly DirectionDecision[] {
  const own = cases.flatMap(({ decision }) => [decision.egress, decision.ingress]).filter((d) => !allows(d))
  return [...own, ...(lookup ? denialsOf(lookup) : [])]
}

function denyingPolicies({ reason }: DirectionDecision): readonly Policy[] {
  if (reason.kind === 'isolated') return reason.policies
  return reason.kind === 'rule-denies' ? [reason.by.policy] : []
}
