import type { Family } from '../../net/ip.ts'
import { ChainBuilder } from './chain-builder.ts'
import type { IptablesEdit } from './edit.ts'
import { formatRuleSpec } from './print.ts'
import {
  type BuiltinChain,
  builtinChains,
  type Rule,
  type Ruleset,
  type Table,
  type TableName,
  tableOrder,
} from './rule.ts'

/** A ruleset while it is changed: maps by name, so that many edits cost no more than their number. */
export class RulesetBuilder {
  readonly family: Family
  readonly #tables = new Map<TableName, Map<string, ChainBuilder>>()

  constructor(ruleset: Ruleset) {
    this.family = ruleset.family
    for (const table of ruleset.tables) {
      const chains = this.table(table.name)
      for (const chain of table.chains) chains.set(chain.name, new ChainBuilder(chain))
    }
  }

  /** The chains of a table, which with its built-in chains exists from the moment that something names it. */
  table(name: TableName): Map<string, ChainBuilder> {
    const known = this.#tables.get(name)
    if (known) return known
    const builtins = builtinChains[name].map(
      (chain) => [chain, new ChainBuilder({ name: chain, policy: 'ACCEPT', rules: [] })] as const,
    )
    const made = new Map<string, ChainBuilder>(builtins)
    this.#tables.set(name, made)
    return made
  }

  /** The chain, made if it is not there. */
  chain(table: TableName, name: string): ChainBuilder {
    const chains = this.table(table)
    const known = chains.get(name)
    if (known) return known
    const made = new ChainBuilder({ name, rules: [] })
    chains.set(name, made)
    return made
  }

  /** What `*table` does without --noflush: rules and user chains go, policies stay. */
  flushTable(name: TableName): undefined {
    const chains = this.table(name)
    for (const chain of [...chains.values()]) {
      if (isBuiltin(name, chain.name)) chain.flush()
      else chains.delete(chain.name)
    }
  }

  build(): Ruleset {
    const tables = tableOrder.flatMap((name): Table[] => {
      const chains = this.#tables.get(name)
      return chains ? [{ name, chains: inOrder(name, chains).map((chain) => chain.build()) }] : []
    })
    return { family: this.family, tables }
  }
}

export const isBuiltin = (table: TableName, chain: string): boolean =>
  (builtinChains[table] as readonly BuiltinChain[]).includes(chain as BuiltinChain)

/** Built-in chains in hook order, then the others by name (strcmp). */
function inOrder(table: TableName, chains: ReadonlyMap<string, ChainBuilder>): readonly ChainBuilder[] {
  const builtins = builtinChains[table].map((name) => chains.get(name)).filter((c) => c !== undefined)
  const others = [...chains.values()].filter((c) => !isBuiltin(table, c.name))
  return [...builtins, ...others.sort((a, b) => (a.name < b.name ? -1 : 1))]
}

/**
 * Applies the edits in order. An edit that adds a rule makes its chain if it is not there (an agent makes its chains
 * first, so this only helps where one was left out). A policy for a chain that is not built in, or its deletion, does
 * nothing, as in the kernel.
 */
export function applyEdits(ruleset: Ruleset, edits: Iterable<IptablesEdit>): Ruleset {
  const builder = new RulesetBuilder(ruleset)
  for (const edit of edits) applyEdit(builder, edit)
  return builder.build()
}

export function applyEdit(builder: RulesetBuilder, edit: IptablesEdit): undefined {
  if (edit.op === 'delete-chain') {
    const chains = builder.table(edit.table)
    if (!isBuiltin(edit.table, edit.chain)) chains.delete(edit.chain)
    return
  }
  const chain = builder.chain(edit.table, edit.chain)
  switch (edit.op) {
    case 'ensure-chain':
      return
    case 'flush-chain':
      return chain.flush()
    case 'append':
      return chain.append(edit.rule)
    case 'prepend':
      return chain.prepend(edit.rule)
    case 'ensure-appended':
      return chain.has(edit.rule) ? undefined : chain.append(edit.rule)
    case 'ensure-prepended':
      return chain.has(edit.rule) ? undefined : chain.prepend(edit.rule)
    case 'policy':
      if (isBuiltin(edit.table, edit.chain)) chain.policy = edit.policy
  }
}

/** Edits that make this ruleset out of an empty one. */
export function editsOf(ruleset: Ruleset): readonly IptablesEdit[] {
  return ruleset.tables.flatMap(({ name: table, chains }) => [
    ...chains.map(({ name: chain, policy }): IptablesEdit => {
      return policy && isBuiltin(table, chain)
        ? { op: 'policy', table, chain, policy }
        : { op: 'ensure-chain', table, chain }
    }),
    ...chains.flatMap(({ name: chain, rules }) =>
      rules.map((rule): IptablesEdit => ({ op: 'append', table, chain, rule })),
    ),
  ])
}

/** The same as `iptables -C` sees it: counters and origin do not count, comments do. */
export const rulesEqual = (a: Rule, b: Rule): boolean => a === b || formatRuleSpec(a) === formatRuleSpec(b)
