import type { ObjectReader } from '../kube/store.ts'
import { formatSocketAddress } from '../net/port.ts'
import { type Connection, subjectOf } from '../policy/connection.ts'
import { allows, type DirectionDecision, isAllowed, nearestMisses, type TierStep } from '../policy/decision.ts'
import { type End, formatEnd } from '../policy/end.ts'
import { holds, matchRule, type RuleResult } from '../policy/match.ts'
import { formatPolicyObject, type Policy, type Rule } from '../policy/policy.ts'
import { formatService, missSentence, reasonSentence, unsettledSentence } from '../policy/sentence.ts'
import type { PolicyAnswer, PolicyCase } from '../trace/policy-question.ts'
import { type Paint, paintFor } from './paint.ts'
import { formatPlace, resultPaths } from './policy-place.ts'
import { plainText, type TextOptions } from './text.ts'

interface Style extends TextOptions {
  readonly paint: Paint
  readonly objects: Pick<ObjectReader, 'sourceOf'>
}

/** The answer for a person: verdict, then each case with both directions and what decided. */
export function formatPolicyAnswer(
  answer: PolicyAnswer,
  objects: Pick<ObjectReader, 'sourceOf'>,
  options: TextOptions = plainText,
): string {
  const style = { ...options, objects, paint: paintFor(options.colour) }
  return `${answerLines(answer, style).join('\n')}\n`
}

function answerLines(answer: PolicyAnswer, style: Style): readonly string[] {
  const { paint, symbols } = style
  const word = answer.verdict.toUpperCase().padEnd(8)
  const head = `${answer.verdict === 'allowed' ? paint.good(word) : paint.bad(word)} ${paint.object(answer.from)} ${symbols.to} ${paint.object(answer.to)}  ${answer.protocol}`
  const cases = answer.cases.flatMap((c) => ['', ...caseLines(c, answer, style)])
  const notes = answer.notes.map((n) => `${n.level === 'warning' ? symbols.warn : 'note'} ${n.message}`)
  const { lookup } = answer
  const first = lookup
    ? ['         the name has to be looked up first, and that is not allowed:', ...indented(answerLines(lookup, style))]
    : []
  const rest = lookup ? ['', 'the connection itself, if the name were known:'] : []
  return [head, ...first, ...rest, ...cases, ...(notes.length > 0 ? ['', ...notes] : [])]
}

const indented = (lines: readonly string[]): readonly string[] => lines.map((l) => (l === '' ? '' : `    ${l}`))

function caseLines(one: PolicyCase, answer: PolicyAnswer, style: Style): readonly string[] {
  const { decision, seen } = one
  const several = answer.cases.length > 1
  const verdict = isAllowed(decision) ? style.paint.good('allowed') : style.paint.bad('denied')
  const title = `${several ? `${verdict}  ` : ''}${endsText(one.sources)} ${style.symbols.to} ${endsText(one.destinations)}  ${formatService(seen.ingress)}${familyText(one, answer)}${translation(seen.ingress)}`
  return [
    title,
    ...directionLines(decision.egress, seen.egress, style),
    ...directionLines(decision.ingress, seen.ingress, style),
  ]
}

/** Told where not every case is of the same families. */
function familyText({ families }: PolicyCase, { cases }: PolicyAnswer): string {
  const differ = cases.some((c) => c.families.join() !== families.join())
  return differ ? `  over ${families.map((f) => (f === 'ipv4' ? 'IPv4' : 'IPv6')).join(' and ')}` : ''
}

/** `pod shop/web-1, shop/web-2 and 3 more`: a node of both families stands once. */
function endsText(ends: readonly End[]): string {
  const [first] = ends
  const names = [...new Set(ends.map(formatEnd))]
  const more = names.length > 3 ? ` and ${names.length - 3} more` : ''
  return `${first === undefined ? '' : kindText(first)} ${names.slice(0, 3).join(', ')}${more}`
}

const kindText = (end: End): string =>
  end.kind === 'node' && end.hostNetworkPod !== undefined ? 'host-network pod' : end.kind

const translation = ({ dialled }: Connection): string =>
  dialled ? `   (the client dials ${formatSocketAddress(dialled.ip, dialled.port)})` : ''

function directionLines(d: DirectionDecision, connection: Connection, style: Style): readonly string[] {
  const { paint } = style
  const verdict = allows(d) ? paint.good('allowed') : paint.bad('denied ')
  const subject = subjectOf(connection, d.direction)
  const seen = d.direction === 'ingress' ? connection.from : connection.to
  return [
    `  ${d.direction.padEnd(7)}  ${verdict}  at ${kindText(subject)} ${formatEnd(subject)}: ${reasonSentence(d)}`,
    ...(d.tiers.length > 0 ? [`             ${paint.evidence(walkLine(d, seen))}`] : []),
    ...ruleLines(d, connection, style),
    ...missLines(d, style),
    ...(style.detail > 0 ? d.tiers.flatMap((t) => tierLines(t, style)) : []),
    ...d.unsettled.map((u) => `             ${style.symbols.warn} unsettled: ${unsettledSentence(u)}`),
  ]
}

/** `admin: pass (2 policies) > network: deny (1 policy) > ...`. */
function walkLine(d: DirectionDecision, seen: End): string {
  const tiers = d.tiers.map(
    ({ tier, outcome, policies }) =>
      `${tier}: ${outcome} (${policies.length} ${policies.length === 1 ? 'policy' : 'policies'})`,
  )
  const rest = d.reason.kind === 'not-isolated' ? ['default: allow'] : []
  return `tiers ${[...tiers, ...rest].join(' > ')}, other end ${kindText(seen)} ${formatEnd(seen)}`
}

/** The rules that decided, each with the entry that held and where it is written. */
function ruleLines(d: DirectionDecision, connection: Connection, style: Style): readonly string[] {
  const by = d.reason.kind === 'rules-allow' ? d.reason.by : d.reason.kind === 'rule-denies' ? [d.reason.by] : []
  return by.map(({ policy, rule }) => {
    const paths = resultPaths(matchRule(rule, connection), policy).join(', ')
    return `             by ${style.paint.object(formatPolicyObject(policy.object))} ${paths}${placeText(style, policy, rule)}`
  })
}

const placeText = (style: Style, policy: Policy, rule?: Rule): string => {
  const place = formatPlace(style.objects, policy, rule)
  return place === '' ? '' : `  ${style.paint.evidence(place)}`
}

function missLines(d: DirectionDecision, style: Style): readonly string[] {
  return nearestMisses(d).flatMap(({ policy, miss }) => {
    const name = style.paint.object(formatPolicyObject(policy.object))
    if (!miss) return [`             ${name} has no ${d.direction} rule that could allow it${placeText(style, policy)}`]
    return [
      `             nearest in ${name}: ${resultPaths(miss, policy).join(', ')}${placeText(style, policy, miss.rule)}`,
      ...miss.misses.map((m) => `               ${style.symbols.no} wants ${missSentence(m)}`),
    ]
  })
}

/** `-v`: every policy that was asked, and every rule of it that was compared. */
function tierLines({ tier, policies, outcome }: TierStep, style: Style): readonly string[] {
  return [
    `             tier ${tier}: ${outcome}`,
    ...policies.flatMap(({ policy, rules }) => [
      `               ${style.paint.object(formatPolicyObject(policy.object))}${priorityText(policy)}${placeText(style, policy)}`,
      ...(rules.length === 0 ? [`                 no rules`] : rules.map((r) => ruleLine(r, policy, style))),
    ]),
  ]
}

const priorityText = (policy: Policy): string => (policy.tier === 'network' ? '' : ` priority ${policy.priority}`)

function ruleLine(result: RuleResult, policy: Policy, { symbols }: Style): string {
  const sign = holds(result) ? symbols.yes : symbols.no
  const told = holds(result) ? result.rule.action : `wants ${result.misses.map(missSentence).join('; ')}`
  return `                 ${sign} ${resultPaths(result, policy).join(', ')}  ${told}`
}
