import type { ClusterEvent } from '../cluster/process.ts'

type RuleEvent = Extract<ClusterEvent, { kind: 'rule' }>

/**
 * Which rule events decided something: those on the way to the rule that ended the table's walk, and those that changed
 * the packet (a mark, an affinity list), with the jumps that led to them. The rest came back without effect.
 */
export function decidingRules(events: readonly ClusterEvent[]): ReadonlySet<ClusterEvent> {
  const deciding = new Set<ClusterEvent>()
  let stack: RuleEvent[] = []
  for (const event of events) {
    switch (event.kind) {
      case 'stage':
        stack = []
        break
      case 'rule':
        stack = walk(event, stack, deciding)
        break
      case 'chain-end':
        stack = stack.slice(0, -1)
        break
      default:
        break
    }
  }
  return deciding
}

function walk(event: RuleEvent, stack: RuleEvent[], deciding: Set<ClusterEvent>): RuleEvent[] {
  switch (event.verdict) {
    case 'jump':
      return [...stack, event]
    case 'goto':
      // The chain that goes to another is not come back to.
      return [...stack.slice(0, -1), event]
    case 'return':
      return stack.slice(0, -1)
    case 'continue':
      if (changes(event)) for (const e of [...stack, event]) deciding.add(e)
      return stack
    case 'accept':
    case 'drop':
    case 'reject':
    case 'undecided':
      for (const e of [...stack, event]) deciding.add(e)
      return stack
  }
}

/** Targets and matches that leave something behind. */
function changes(event: RuleEvent): boolean {
  if (event.engine === 'nftables') return event.changed === true
  const { target, matches } = event.rule
  if (matches.some((m) => m.kind === 'recent' && m.op.value !== 'rcheck')) return true
  switch (target?.kind) {
    case 'mark':
    case 'connmark':
    case 'notrack':
    case 'ct':
    case 'set-add':
    case 'set-del':
      return true
    default:
      return false
  }
}
