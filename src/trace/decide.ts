import type { ClusterEvent } from '../cluster/process.ts'

type RuleEvent = Extract<ClusterEvent, { kind: 'rule' }>

/**
 * Which rule events decided something: those on the way to the rule that ended the table's walk, and those that changed
 * the packet (a mark that is set, an affinity list), with the jumps that led to them; and the marks that they set. The rest
 * came back without effect, or is an agent's bookkeeping.
 */
export function decidingRules(events: readonly ClusterEvent[]): ReadonlySet<ClusterEvent> {
  const deciding = new Set<ClusterEvent>()
  let stack: RuleEvent[] = []
  let before: ClusterEvent | undefined
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
      case 'mark':
        // iptables tells the rule first, nftables the mark.
        if (before?.kind !== 'rule' || before.engine === 'nftables' || deciding.has(before)) deciding.add(event)
        break
      default:
        break
    }
    before = event
  }
  return new Set([...deciding].filter((e) => !isBookkeeping(e)))
}

const isBookkeeping = (event: ClusterEvent): boolean => event.kind === 'rule' && event.rule.origin?.bookkeeping === true

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
      if (changes(event) && !isBookkeeping(event)) for (const e of [...stack, event]) deciding.add(e)
      return stack
    case 'accept':
      if (!isBookkeeping(event)) for (const e of [...stack, event]) deciding.add(e)
      return stack
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
      return target.xmark.value !== 0
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
