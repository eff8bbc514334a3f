import { formatRule } from '../artefact/iptables/print.ts'
import { formatElement } from '../artefact/nft/expression.ts'
import { formatNftRule } from '../artefact/nft/print.ts'
import type { Origin } from '../artefact/origin.ts'
import type { ClusterEvent } from '../cluster/process.ts'

type RuleEvent = Extract<ClusterEvent, { kind: 'rule' }>

/** The rule in the words of its own tool. */
export const ruleText = (event: RuleEvent): string =>
  event.engine === 'nftables' ? formatNftRule(event.rule) : formatRule(event.rule, event.chain)

/** The rule, and the element of a map that gave the verdict. */
export const ruleEvidence = (event: RuleEvent): readonly string[] =>
  event.engine === 'nftables' && event.element
    ? [ruleText(event), `{ ${formatElement(event.element)} }`]
    : [ruleText(event)]

export const ruleOrigin = (event: RuleEvent): Origin | undefined =>
  (event.engine === 'nftables' ? event.element?.origin : undefined) ?? event.rule.origin

/** `DNAT`, `MASQUERADE` where the rule translates; undefined otherwise. */
export function natName(event: RuleEvent): string | undefined {
  if (event.engine !== 'nftables') {
    const kind = event.rule.target?.kind
    return kind === 'dnat' || kind === 'snat' || kind === 'masquerade' || kind === 'redirect' ? kind : undefined
  }
  for (const s of event.rule.statements) {
    if (s.kind === 'nat') return s.op
    if (s.kind === 'masquerade' || s.kind === 'redirect') return s.kind
  }
  return undefined
}
