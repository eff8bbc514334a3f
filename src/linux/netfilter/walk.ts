import type { Rule, TableName, Target } from '../../artefact/iptables/rule.ts'
import type { DropReason, NetfilterEvent } from '../event.ts'
import { count } from './counters.ts'
import type { Facts } from './facts.ts'
import type { RejectAnswer } from './hook.ts'
import { applyNatTarget, isNatTarget } from './nat-target.ts'
import { nextCandidate, type PreparedChain, type PreparedRule, type PreparedTable, ruleAt } from './prepare.ts'
import { rejectAnswer } from './reject.ts'
import { applySideTarget } from './side-target.ts'

/** How a base chain ended. The packet's mark and tracking state are in `facts.skb`. */
export type WalkResult =
  | { readonly verdict: 'accept' | 'drop' | 'undecided' }
  | { readonly verdict: 'reject'; readonly answer: RejectAnswer }

type RuleVerdict = Extract<NetfilterEvent, { kind: 'rule' }>['verdict']

/** A chain being walked. */
interface Frame {
  chain: PreparedChain
  /** 0-based index of the next rule. */
  next: number
  /** Rules compared since the chain was entered or last reported. */
  examined: number
  /** Chains that this call went through by `-g`, the present one included. */
  entered: string[]
}

interface Walk {
  readonly table: PreparedTable
  readonly base: PreparedChain
  readonly facts: Facts
  readonly frames: Frame[]
}

/**
 * ipt_do_table: the rules of a base chain one by one, with those of the chains that it calls. Linear, as the kernel is;
 * the events tell how many rules were compared.
 */
export function walkChain(table: PreparedTable, base: PreparedChain, facts: Facts): WalkResult {
  const walk: Walk = { table, base, facts, frames: [enter(base)] }
  for (;;) {
    const frame = walk.frames.at(-1)
    if (!frame) return applyPolicy(walk, 0)
    const found = findMatch(walk, frame)
    if (!found) {
      if (walk.frames.length === 1 && frame.chain === base) return applyPolicy(walk, frame.examined)
      leave(walk, frame)
      continue
    }
    const result = found.undecided
      ? undecided(walk, frame, found.rule, found.undecided)
      : applyTarget(walk, frame, found.rule)
    if (result) return result
  }
}

const enter = (chain: PreparedChain): Frame => ({ chain, next: 0, examined: 0, entered: [chain.chain.name] })

/** The next rule that matches, or that may. Advances the frame past it. */
function findMatch(
  { table, facts }: Walk,
  frame: Frame,
): { readonly rule: PreparedRule; readonly undecided?: string } | undefined {
  const { chain } = frame
  const { everyRule } = facts.ctx
  for (;;) {
    const at = everyRule ? frame.next : nextCandidate(chain, frame.next, facts)
    const rule = ruleAt(chain, at)
    frame.examined += Math.min(at + 1, chain.rules.length) - frame.next
    frame.next = Math.min(at + 1, chain.rules.length)
    if (!rule) return undefined
    const failed = firstFailure(rule, facts)
    if (failed === 'none') return { rule }
    if (failed === 'unknown') {
      if (changesNothing(rule.target)) continue
      return { rule, undecided: 'it holds a condition that cannot be evaluated here' }
    }
    if (everyRule) tellMiss(table.name, chain, at, rule, failed, facts)
  }
}

/** Conditions are tried in order, as the kernel does, for some of them count or draw lots. */
function firstFailure({ tests }: PreparedRule, facts: Facts): number | 'none' | 'unknown' {
  let unknown = false
  for (let i = 0; i < tests.length; i++) {
    const passes = tests[i]?.passes(facts)
    if (passes === false) return i
    if (passes === undefined) unknown = true
  }
  return unknown ? 'unknown' : 'none'
}

/** Whether the packet's way is the same if the rule matches or not. */
function changesNothing(target: Target | undefined): boolean {
  switch (target?.kind) {
    case undefined:
    case 'log':
    case 'nflog':
    case 'trace':
    case 'checksum':
    case 'tcpmss':
      return true
    default:
      return false
  }
}

function tellMiss(
  table: TableName,
  chain: PreparedChain,
  at: number,
  { rule, tests }: PreparedRule,
  failed: number,
  facts: Facts,
): void {
  const { hook, ctx } = facts
  const why = tests[failed]?.miss(facts) ?? ''
  ctx.emit({ kind: 'rule-miss', hook, table, chain: chain.chain.name, index: at + 1, rule, failed: why })
}

/** Undefined: the walk goes on. */
function applyTarget(walk: Walk, frame: Frame, { rule, target }: PreparedRule): WalkResult | undefined {
  const { facts } = walk
  count(frame.chain.counters, frame.next, facts.bytes)
  const say = (verdict: RuleVerdict): void => tell(walk, frame, rule, verdict)
  if (!target) {
    say('continue')
    return undefined
  }
  if (isNatTarget(target)) return natTarget(walk, frame, rule, target)
  switch (target.kind) {
    case 'accept':
      say('accept')
      return { verdict: 'accept' }
    case 'drop':
      say('drop')
      return end(walk, frame, rule, 'drop', 'rule-drop', 'the rule drops the packet')
    case 'return':
      say('return')
      if (walk.frames.length === 1) return applyPolicy(walk, 0)
      walk.frames.pop()
      return undefined
    case 'jump':
    case 'goto':
      return call(walk, frame, rule, target)
    case 'reject':
      return rejectPacket(walk, frame, rule, target.with)
    case 'unknown':
      return undecided(walk, frame, { rule }, `its target ${target.name} cannot be carried out here`)
    default: {
      // Told first: the mark changes because the rule matched.
      say('continue')
      const refused = applySideTarget(target, facts)
      return refused === undefined ? undefined : undecided(walk, frame, { rule }, refused)
    }
  }
}

function natTarget(walk: Walk, frame: Frame, rule: Rule, target: Parameters<typeof applyNatTarget>[0]): WalkResult {
  const outcome = walk.table.name === 'nat' ? applyNatTarget(target, walk.facts) : ({ kind: 'misplaced' } as const)
  switch (outcome.kind) {
    case 'accept':
      tell(walk, frame, rule, 'accept')
      return { verdict: 'accept' }
    case 'drop':
      tell(walk, frame, rule, 'drop')
      return end(walk, frame, rule, 'drop', 'nat-failed', outcome.why)
    case 'misplaced':
      return undecided(walk, frame, { rule }, `no kernel takes ${target.kind.toUpperCase()} in this place`)
  }
}

function call(
  walk: Walk,
  frame: Frame,
  rule: Rule,
  { kind, chain: name }: Extract<Target, { kind: 'jump' | 'goto' }>,
): WalkResult | undefined {
  const chain = walk.table.chain(name)
  if (!chain) return undecided(walk, frame, { rule }, `there is no chain ${name}`)
  if (walk.frames.some((f) => f.entered.includes(name))) {
    return undecided(walk, frame, { rule }, `chain ${name} leads back to itself, which no kernel loads`)
  }
  tell(walk, frame, rule, kind)
  if (kind === 'jump') {
    walk.frames.push(enter(chain))
    return undefined
  }
  frame.entered.push(name)
  frame.chain = chain
  frame.next = 0
  frame.examined = 0
  return undefined
}

function rejectPacket(walk: Walk, frame: Frame, rule: Rule, type: string): WalkResult {
  const answer = rejectAnswer(type, walk.facts)
  if (answer === undefined) return undecided(walk, frame, { rule }, `no answer ${type} is known`)
  if (answer === 'silent') {
    tell(walk, frame, rule, 'drop')
    return end(walk, frame, rule, 'drop', 'rule-reject', 'REJECT sends no answer to such a packet')
  }
  tell(walk, frame, rule, 'reject')
  end(walk, frame, rule, 'drop', 'rule-reject', `the rule answers with ${type}`)
  return { verdict: 'reject', answer }
}

/** The end of a called chain: back to its caller. */
function leave(walk: Walk, frame: Frame): void {
  tellEnd(walk, frame.chain, frame.examined, 'return')
  walk.frames.pop()
}

function applyPolicy(walk: Walk, examined: number): WalkResult {
  const { base, facts, table } = walk
  const policy = base.chain.policy ?? 'ACCEPT'
  count(base.counters, 0, facts.bytes)
  tellEnd(walk, base, examined, policy === 'DROP' ? 'policy-drop' : 'policy-accept')
  if (policy === 'ACCEPT') return { verdict: 'accept' }
  facts.ctx.emit({
    kind: 'drop',
    reason: 'policy-drop',
    packet: facts.skb.packet,
    hook: facts.hook,
    table: table.name,
    chain: base.chain.name,
    detail: `no rule decided, and the policy of ${table.name} ${base.chain.name} is DROP`,
  })
  return { verdict: 'drop' }
}

function undecided(walk: Walk, frame: Frame, { rule }: { readonly rule: Rule }, why: string): WalkResult {
  tell(walk, frame, rule, 'undecided')
  return end(walk, frame, rule, 'undecided', 'unsupported-rule', why)
}

function end(
  { table, facts }: Walk,
  frame: Frame,
  rule: Rule,
  verdict: 'drop' | 'undecided',
  reason: DropReason,
  detail: string,
): { readonly verdict: 'drop' | 'undecided' } {
  const { hook, skb, ctx } = facts
  const place = { table: table.name, chain: frame.chain.chain.name, index: frame.next }
  const where = `${place.table} ${place.chain} rule ${place.index}`
  ctx.emit({ kind: 'drop', reason, packet: skb.packet, hook, ...place, rule, detail: `${where}: ${detail}` })
  return { verdict }
}

function tell({ table, facts }: Walk, frame: Frame, rule: Rule, verdict: RuleVerdict): void {
  const { examined, next: index, chain } = frame
  frame.examined = 0
  const place = { table: table.name, chain: chain.chain.name, index }
  facts.ctx.emit({ kind: 'rule', hook: facts.hook, ...place, rule, examined, verdict })
}

function tellEnd(
  { table, facts }: Walk,
  { chain }: PreparedChain,
  examined: number,
  outcome: 'return' | 'policy-accept' | 'policy-drop',
): void {
  facts.ctx.emit({ kind: 'chain-end', hook: facts.hook, table: table.name, chain: chain.name, examined, outcome })
}
