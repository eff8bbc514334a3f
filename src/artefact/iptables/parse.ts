import type { Family } from '../../net/ip.ts'
import type { TextProblem } from '../problem.ts'
import { takeCommand } from './command.ts'
import { Restore } from './restore.ts'
import { emptyRuleset, type Rule, type Ruleset } from './rule.ts'
import { scanRuleSpec } from './scan.ts'
import { tokenize } from './token.ts'

export interface ParsedRuleset {
  /** Without the lines that have a problem. */
  readonly ruleset: Ruleset
  readonly problems: readonly TextProblem[]
}

/**
 * Reads the text of iptables-save, or what agents and people hand to iptables-restore, from empty tables. Values come out as
 * the kernel keeps them (host bits cleared, probability in parts of 2^31, one spelling per mark operation).
 */
export function parseRuleset(text: string, family: Family): ParsedRuleset {
  const restore = new Restore(emptyRuleset(family), 'flush')
  restore.run(text)
  return restore.result()
}

/** What `iptables-restore --noflush` with this text makes of the ruleset. */
export function restoreNoflush(ruleset: Ruleset, text: string): ParsedRuleset {
  const restore = new Restore(ruleset, 'noflush')
  restore.run(text)
  return restore.result()
}

/** Rules picked out of a ruleset, as `-A` lines: their chains and those that they jump to need not be in the text. */
export function parseExcerpt(text: string, family: Family): ParsedRuleset {
  const restore = new Restore(emptyRuleset(family), 'excerpt')
  restore.run(text)
  return restore.result()
}

export interface ParsedRule {
  /** The chain of `-A CHAIN` or `-I CHAIN`; undefined for bare rule arguments. */
  readonly chain: string | undefined
  /** More than one for `-s A,B`; none where there are problems. */
  readonly rules: readonly Rule[]
  readonly problems: readonly TextProblem[]
}

/** One rule: `-A CHAIN ...`, or what stands after the chain. */
export function parseRule(line: string, family: Family): ParsedRule {
  const counters = /^\[(\d{1,15}):(\d{1,15})\]\s*/.exec(line)
  const tokens = tokenize(line.slice(counters?.[0].length ?? 0))
  if (tokens === undefined)
    return { chain: undefined, rules: [], problems: [{ line: 1, found: line, expected: 'a closing quote' }] }
  const { chain, rest } = takeCommand(tokens)
  const { rules, problems } = scanRuleSpec(rest, family)
  const counts = counters && { packets: Number(counters[1]), bytes: Number(counters[2]) }
  return {
    chain,
    rules: counts ? rules.map((rule) => ({ ...rule, counters: counts })) : rules,
    problems: problems.map((p) => ({ line: 1, ...p })),
  }
}
