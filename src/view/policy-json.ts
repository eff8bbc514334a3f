import type { ObjectReader } from '../kube/store.ts'
import { type Connection, subjectOf } from '../policy/connection.ts'
import { allows, type DirectionDecision, isAllowed, nearestMisses } from '../policy/decision.ts'
import { type End, formatEnd } from '../policy/end.ts'
import { holds, matchRule, type RuleResult } from '../policy/match.ts'
import type { Policy } from '../policy/policy.ts'
import { missSentence, reasonSentence, unsettledSentence } from '../policy/sentence.ts'
import type { PolicyAnswer, PolicyCase } from '../trace/policy-question.ts'
import { placeOf, resultPaths } from './policy-place.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

type Places = Pick<ObjectReader, 'sourceOf'>

/** The answer as JSON, as `policy.schema.json` describes it. */
export const formatPolicyJson = (answer: PolicyAnswer, objects: Places): string =>
  `${JSON.stringify({ apiVersion: 'kubehop/v1', kind: 'PolicyAnswer', ...answerJson(answer, objects) }, undefined, 2)}\n`

function answerJson(answer: PolicyAnswer, objects: Places): { readonly [key: string]: Json } {
  return {
    from: answer.from,
    to: answer.to,
    protocol: answer.protocol,
    verdict: answer.verdict,
    exitCode: answer.verdict === 'allowed' ? 0 : 1,
    cases: answer.cases.map((c) => caseJson(c, objects)),
    lookup: answer.lookup ? answerJson(answer.lookup, objects) : null,
    notes: answer.notes.map(({ level, code, message }) => ({ level, code, message })),
  }
}

const caseJson = ({ sources, destinations, seen, decision }: PolicyCase, objects: Places): Json => ({
  verdict: isAllowed(decision) ? 'allowed' : 'denied',
  sources: sources.map(endJson),
  destinations: destinations.map(endJson),
  port: seen.ingress.port ?? null,
  dialled: seen.ingress.dialled ? { address: seen.ingress.dialled.ip, port: seen.ingress.dialled.port } : null,
  egress: directionJson(decision.egress, seen.egress, objects),
  ingress: directionJson(decision.ingress, seen.ingress, objects),
})

export const endJson = (end: End): Json => ({
  kind: end.kind,
  name: formatEnd(end),
  address: end.ip ?? null,
  ...(end.kind === 'pod' && end.pod.virtual ? { virtual: true } : {}),
})

function directionJson(d: DirectionDecision, connection: Connection, objects: Places): Json {
  const other = d.direction === 'egress' ? connection.to : connection.from
  const by = d.reason.kind === 'rules-allow' ? d.reason.by : d.reason.kind === 'rule-denies' ? [d.reason.by] : []
  return {
    verdict: allows(d) ? 'allowed' : 'denied',
    reason: d.reason.kind,
    sentence: reasonSentence(d),
    subject: endJson(subjectOf(connection, d.direction)),
    other: endJson(other),
    rules: by.map(({ policy, rule }) => resultJson(matchRule(rule, connection), policy, objects)),
    nearestMisses: nearestMisses(d).map(({ policy, miss }) => ({
      policy: policyJson(policy, objects),
      rule: miss ? resultJson(miss, policy, objects) : null,
    })),
    tiers: d.tiers.map(({ tier, outcome, policies }) => ({
      tier,
      outcome,
      policies: policies.map(({ policy, rules }) => ({
        policy: policyJson(policy, objects),
        rules: rules.map((r) => resultJson(r, policy, objects)),
      })),
    })),
    unsettled: d.unsettled.map((code) => ({ code, message: unsettledSentence(code) })),
  }
}

export const policyJson = (policy: Policy, objects: Places): Json => {
  const { kind, namespace, name } = policy.object
  const place = placeOf(objects, policy)
  return { kind, namespace: namespace ?? null, name, file: place?.file ?? null, line: place?.line ?? null }
}

function resultJson(result: RuleResult, policy: Policy, objects: Places): Json {
  const place = placeOf(objects, policy, result.rule)
  return {
    policy: policyJson(policy, objects),
    action: result.rule.action,
    paths: resultPaths(result, policy),
    line: place?.line ?? null,
    holds: holds(result),
    misses: result.misses.map((m) => ({ field: m.field, sentence: missSentence(m) })),
  }
}
