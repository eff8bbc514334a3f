import type { NftElement, NftVerdict } from '../../artefact/nft/value.ts'
import type { Origin } from '../../artefact/origin.ts'
import type { DropReason, NetfilterEvent } from '../event.ts'
import type { Facts } from '../netfilter/facts.ts'
import { applyNatTarget, type NatTarget } from '../netfilter/nat-target.ts'
import { rejectAnswer } from '../netfilter/reject.ts'
import type { WalkResult } from '../netfilter/walk.ts'
import type { PreparedBase, PreparedNftChain, PreparedNftRule } from './prepare.ts'
import type { Outcome } from './statement.ts'

type RuleVerdict = Extract<NetfilterEvent, { kind: 'rule' }>['verdict']

/** A chain being walked. */
interface Frame {
  chain: PreparedNftChain
  /** 0-based index of the next rule. */
  next: number
  /** Rules compared since the chain was entered or last reported. */
  examined: number
  /** Why the packet is here, where an element of a verdict map sent it. */
  origin: Origin | undefined
}

interface Walk {
  readonly base: PreparedBase
  readonly facts: Facts
  readonly frames: Frame[]
}

/** NFT_JUMP_STACK_SIZE: a chain of calls that no kernel loads. */
const deepest = 16

/** nft_do_chain: the rules of a base chain one by one, with those of the chains that it calls. */
export function walkNftChain(base: PreparedBase, facts: Facts): WalkResult {
  const first = base.table.chain(base.chain.name)
  const walk: Walk = { base, facts, frames: first ? [enter(first, undefined)] : [] }
  for (;;) {
    const frame = walk.frames.at(-1)
    if (!frame) return applyPolicy(walk, 0)
    const rule = frame.chain.rules[frame.next]
    if (!rule) {
      if (walk.frames.length === 1) return leaveLast(walk, frame)
      tellEnd(walk, frame, 'return')
      walk.frames.pop()
      continue
    }
    frame.next++
    frame.examined++
    const result = runRule(walk, frame, rule)
    if (result) return result
  }
}

const enter = (chain: PreparedNftChain, origin: Origin | undefined): Frame => ({ chain, next: 0, examined: 0, origin })

function leaveLast(walk: Walk, frame: Frame): WalkResult {
  if (frame.chain.chain === walk.base.chain) return applyPolicy(walk, frame.examined)
  tellEnd(walk, frame, 'return')
  return applyPolicy(walk, 0)
}

/** Undefined: the walk goes on. */
function runRule(walk: Walk, frame: Frame, rule: PreparedNftRule): WalkResult | undefined {
  const { facts } = walk
  let changed = false
  for (const statement of rule.statements) {
    const outcome = statement.run(facts)
    if (outcome.kind === 'miss') {
      if (facts.ctx.everyRule) tellMiss(walk, frame, rule, statement.miss())
      return undefined
    }
    changed ||= statement.changes === true
    if (outcome.kind !== 'next') {
      count(rule, facts)
      return conclude(walk, frame, rule, outcome)
    }
  }
  count(rule, facts)
  tell(walk, frame, rule, 'continue', undefined, changed)
  return undefined
}

function count({ counter }: PreparedNftRule, { bytes }: Facts): void {
  counter.packets++
  counter.bytes += bytes
}

function conclude(
  walk: Walk,
  frame: Frame,
  rule: PreparedNftRule,
  outcome: Exclude<Outcome, { kind: 'next' | 'miss' }>,
): WalkResult | undefined {
  switch (outcome.kind) {
    case 'verdict':
      return applyVerdict(walk, frame, rule, outcome.verdict, outcome.element)
    case 'reject':
      return rejectPacket(walk, frame, rule, outcome.answer)
    case 'nat':
      return applyNat(walk, frame, rule, outcome.target)
    case 'undecided':
      return undecided(walk, frame, rule, outcome.why)
  }
}

function applyVerdict(
  walk: Walk,
  frame: Frame,
  rule: PreparedNftRule,
  verdict: NftVerdict,
  element: NftElement | undefined,
): WalkResult | undefined {
  switch (verdict.kind) {
    case 'accept':
      tell(walk, frame, rule, 'accept', element)
      return { verdict: 'accept' }
    case 'drop':
      tell(walk, frame, rule, 'drop', element)
      return end(walk, frame, rule, 'drop', 'rule-drop', 'the rule drops the packet', element)
    case 'return':
      tell(walk, frame, rule, 'return', element)
      if (walk.frames.length === 1) return applyPolicy(walk, 0)
      walk.frames.pop()
      return undefined
    case 'continue':
      return undefined
    case 'jump':
    case 'goto':
      return call(walk, frame, rule, verdict, element)
  }
}

function call(
  walk: Walk,
  frame: Frame,
  rule: PreparedNftRule,
  verdict: Extract<NftVerdict, { kind: 'jump' | 'goto' }>,
  element: NftElement | undefined,
): WalkResult | undefined {
  const chain = walk.base.table.chain(verdict.chain)
  if (!chain) return undecided(walk, frame, rule, `there is no chain ${verdict.chain}`)
  if (walk.frames.length > deepest) return undecided(walk, frame, rule, 'the chains call each other deeper than 16')
  tell(walk, frame, rule, verdict.kind, element)
  const origin = element?.origin ?? frame.origin
  if (verdict.kind === 'goto') walk.frames.pop()
  walk.frames.push(enter(chain, origin))
  return undefined
}

function rejectPacket(walk: Walk, frame: Frame, rule: PreparedNftRule, type: string): WalkResult {
  const answer = rejectAnswer(type, walk.facts)
  if (answer === undefined) return undecided(walk, frame, rule, `no answer ${type} is known`)
  if (answer === 'silent') {
    tell(walk, frame, rule, 'drop')
    return end(walk, frame, rule, 'drop', 'rule-reject', 'reject sends no answer to such a packet')
  }
  tell(walk, frame, rule, 'reject')
  end(walk, frame, rule, 'drop', 'rule-reject', `the rule answers with ${type}`)
  return { verdict: 'reject', answer }
}

function applyNat(walk: Walk, frame: Frame, rule: PreparedNftRule, target: NatTarget): WalkResult {
  const isNat = walk.base.base.type === 'nat'
  const outcome = isNat ? applyNatTarget(target, walk.facts) : ({ kind: 'misplaced' } as const)
  switch (outcome.kind) {
    case 'accept':
      tell(walk, frame, rule, 'accept')
      return { verdict: 'accept' }
    case 'drop':
      tell(walk, frame, rule, 'drop')
      return end(walk, frame, rule, 'drop', 'nat-failed', outcome.why)
    case 'misplaced':
      return undecided(walk, frame, rule, `no kernel takes ${target.kind} in this place`)
  }
}

function applyPolicy(walk: Walk, examined: number): WalkResult {
  const { base, facts } = walk
  const { policy } = base.base
  const place = { table: base.table.name, chain: base.chain.name }
  const outcome = policy === 'drop' ? 'policy-drop' : 'policy-accept'
  facts.ctx.emit({ kind: 'chain-end', engine: 'nftables', hook: facts.hook, ...place, examined, outcome })
  if (policy === 'accept') return { verdict: 'accept' }
  const detail = `no rule decided, and the policy of ${place.table} ${place.chain} is drop`
  const { hook, skb } = facts
  facts.ctx.emit({ kind: 'drop', reason: 'policy-drop', packet: skb.packet, hook, ...place, detail })
  return { verdict: 'drop' }
}

function undecided(walk: Walk, frame: Frame, rule: PreparedNftRule, why: string): WalkResult {
  tell(walk, frame, rule, 'undecided')
  return end(walk, frame, rule, 'undecided', 'unsupported-rule', why)
}

const placeOf = ({ base }: Walk, { chain, next }: Frame) => ({
  table: base.table.name,
  chain: chain.chain.name,
  index: next,
})

function end(
  walk: Walk,
  frame: Frame,
  { rule }: PreparedNftRule,
  verdict: 'drop' | 'undecided',
  reason: DropReason,
  detail: string,
  element?: NftElement,
): { readonly verdict: 'drop' | 'undecided' } {
  const { hook, skb, ctx } = walk.facts
  const place = placeOf(walk, frame)
  const where = `${place.table} ${place.chain} rule ${place.index}`
  const origin = element?.origin ?? frame.origin ?? rule.origin
  ctx.emit({
    kind: 'drop',
    reason,
    packet: skb.packet,
    hook,
    ...place,
    nftRule: rule,
    ...(origin && { origin }),
    detail: `${where}: ${detail}`,
  })
  return { verdict }
}

function tell(
  walk: Walk,
  frame: Frame,
  { rule }: PreparedNftRule,
  verdict: RuleVerdict,
  element?: NftElement,
  changed = false,
): void {
  const { examined } = frame
  frame.examined = 0
  const { hook, ctx } = walk.facts
  const event = { kind: 'rule', engine: 'nftables', hook, ...placeOf(walk, frame), rule, examined, verdict } as const
  ctx.emit({ ...event, ...(element && { element }), ...(changed && { changed: true as const }) })
}

function tellMiss(walk: Walk, frame: Frame, { rule }: PreparedNftRule, failed: string): void {
  const { hook, ctx } = walk.facts
  ctx.emit({ kind: 'rule-miss', engine: 'nftables', hook, ...placeOf(walk, frame), rule, failed })
}

function tellEnd(walk: Walk, frame: Frame, outcome: 'return'): void {
  const { hook, ctx } = walk.facts
  const { table, chain } = placeOf(walk, frame)
  ctx.emit({ kind: 'chain-end', engine: 'nftables', hook, table, chain, examined: frame.examined, outcome })
}
