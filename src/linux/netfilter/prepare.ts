import type { Chain, Rule, Table, TableName, Target } from '../../artefact/iptables/rule.ts'
import type { Family } from '../../net/ip.ts'
import { derivedOnce } from '../derived-once.ts'
import { nextByWalk, nextIndexed } from './chain-index.ts'
import { type CompiledChain, compileChain } from './compile-chain.ts'
import { type ChainCounters, countersOf } from './counters.ts'
import type { Facts } from './facts.ts'
import { headerTests } from './header-test.ts'
import { matchTest } from './match-test.ts'
import type { RuleTest } from './rule-test.ts'

/** A table whose chains are made ready the first time that a packet enters them. */
export interface PreparedTable {
  readonly name: TableName
  chain(name: string): PreparedChain | undefined
  /** The chain if some packet has entered it. */
  readonly chainIfEntered: (name: string) => PreparedChain | undefined
  readonly table: Table
}

export interface PreparedChain extends CompiledChain {
  readonly chain: Chain
  /** Made ready when a packet first comes to them: see `ruleAt`. */
  readonly rules: (PreparedRule | undefined)[]
  readonly table: TableName
  readonly counters: ChainCounters
}

export interface PreparedRule {
  readonly rule: Rule
  readonly tests: readonly RuleTest[]
  readonly target: Target | undefined
}

/**
 * `previous`: the same table before. Chains that did not change keep their counters and their state; those that did are
 * made out of what they were.
 */
export function prepareTable(table: Table, family: Family, previous?: PreparedTable): PreparedTable {
  if (previous?.table === table) return previous
  const sources = chainsByName(table)
  const ready = new Map<string, PreparedChain>()
  return {
    name: table.name,
    table,
    chainIfEntered(name) {
      const known = ready.get(name)
      const source = sources.get(name)
      if (known || !source) return known
      const before = previous?.chainIfEntered(name)
      if (before?.chain !== source) return undefined
      ready.set(name, before)
      return before
    },
    chain(name) {
      const known = ready.get(name)
      if (known) return known
      const source = sources.get(name)
      if (!source) return undefined
      const before = previous?.chainIfEntered(name)
      const made = before?.chain === source ? before : prepareChain(source, table.name, family, before)
      ready.set(name, made)
      return made
    },
  }
}

const chainsByName = derivedOnce((table: Table) => new Map(table.chains.map((chain) => [chain.name, chain])))

function prepareChain(chain: Chain, table: TableName, family: Family, before?: PreparedChain): PreparedChain {
  const compiled = compileChain(chain, family, before?.chain)
  return { ...compiled, chain, table, rules: new Array(chain.rules.length), counters: countersOf(chain) }
}

/** A rule of the chain with its conditions, in the order in which the kernel tries them; undefined past the end. */
export function ruleAt({ chain, table, rules }: PreparedChain, at: number): PreparedRule | undefined {
  const known = rules[at]
  const rule = chain.rules[at]
  if (known || !rule) return known
  const place = { table, chain: chain.name, index: at + 1 }
  const tests = [...headerTests(rule), ...rule.matches.flatMap((match) => matchTest(match, place) ?? [])]
  const made = { rule, tests, target: rule.target }
  rules[at] = made
  return made
}

/** Index of the first rule from `from` on that the packet may match; the number of rules where there is none. */
export const nextCandidate = (chain: PreparedChain, from: number, f: Facts): number =>
  chain.index && !f.ctx.linear ? nextIndexed(chain.index, chain.sieve, from, f) : nextByWalk(chain.sieve, from, f)
