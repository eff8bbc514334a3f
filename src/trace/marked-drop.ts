import type { Rule } from '../artefact/iptables/rule.ts'
import type { ClusterEvent } from '../cluster/process.ts'
import type { DropEvent } from '../linux/event.ts'

/**
 * A rule that drops whatever bears a mark does so for another: the one that sent the packet to be marked, earlier in the
 * same namespace (KUBE-MARK-DROP up to 1.24). Undefined where the drop is the rule's own.
 */
export function ruleBehindMark(drop: DropEvent, events: readonly ClusterEvent[]): Rule | undefined {
  const wanted = drop.rule?.matches.find((m) => m.kind === 'mark')
  if (wanted?.kind !== 'mark' || wanted.mark.not || wanted.mark.value.value === 0) return undefined
  const { value } = wanted.mark.value
  const walked = events.slice(0, events.indexOf(drop)).flatMap(walkedRule)
  const marking = walked.findLastIndex(
    ({ rule }) => rule.target?.kind === 'mark' && (rule.target.xmark.value & value) !== 0,
  )
  const marker = walked[marking]
  // Where the mark is made beside the drop (Felix), the marking rule is the reason itself.
  if (marker && marker.chain === drop.chain) return marker.rule
  const before = walked.slice(0, Math.max(marking, 0))
  return before.findLast(({ rule }) => rule.target?.kind === 'jump' && rule.target.chain === marker?.chain)?.rule
}

function walkedRule(event: ClusterEvent): readonly { readonly chain: string; readonly rule: Rule }[] {
  return event.kind === 'rule' && 'matches' in event.rule ? [{ chain: event.chain, rule: event.rule }] : []
}
