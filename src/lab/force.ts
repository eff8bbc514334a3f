import type { Match, Rule, Ruleset } from '../artefact/iptables/rule.ts'
import { formatNftRule } from '../artefact/nft/print.ts'
import { type NftTable, tableKey } from '../artefact/nft/ruleset.ts'
import type { Lot } from '../trace/lots.ts'

const always = 2 ** 31

/** The rules with every lot of a branch decided beforehand: its `statistic` rules match always or never. */
export function forceLots(ruleset: Ruleset, lots: readonly Lot[]): Ruleset {
  return {
    ...ruleset,
    tables: ruleset.tables.map((table) => ({
      ...table,
      chains: table.chains.map((chain) => ({
        ...chain,
        rules: chain.rules.map((rule, i) => {
          const lot = lots.find(({ of }) => of.table === table.name && of.chain === chain.name && of.index === i + 1)
          return lot ? decided(rule, lot.option === 0) : rule
        }),
      })),
    })),
  }
}

const decided = (rule: Rule, yes: boolean): Rule => ({
  ...rule,
  matches: rule.matches.map((m): Match => {
    if (m.kind !== 'statistic' || m.mode !== 'random') return m
    return { ...m, probability: { value: yes !== (m.probability.not ?? false) ? always : 0, ...not(m) } }
  }),
})

const not = (m: Extract<Match, { mode: 'random' }>): { readonly not?: true } => (m.probability.not ? { not: true } : {})

/** A rule of nft and its 1-based place in its chain. */
export type PlacedRule = readonly [family: string, table: string, chain: string, n: number, rule: string]

export interface ForcedRules {
  readonly forced: readonly PlacedRule[]
  /** The same rules as they were. */
  readonly before: readonly PlacedRule[]
}

/** The rules whose `numgen` a lot has decided, as written and with the number that was drawn in its place. */
export function forceNftLots(tables: readonly NftTable[], lots: readonly Lot[]): ForcedRules {
  const pairs = tables.flatMap((table) =>
    table.chains.flatMap((chain) =>
      chain.rules.flatMap((rule, i) => {
        const lot = lots.find(({ of }) => of.table === tableKey(table) && of.chain === chain.name && of.index === i + 1)
        if (!lot) return []
        const text = formatNftRule(rule)
        const placed = (it: string): PlacedRule => [table.family, table.name, chain.name, i + 1, it]
        return [{ forced: placed(withNumber(text, lot.option)), before: placed(text) }]
      }),
    ),
  )
  return { forced: pairs.map((p) => p.forced), before: pairs.map((p) => p.before) }
}

const withNumber = (rule: string, drawn: number): string =>
  rule.replace(
    /numgen random mod \d+(?: offset (\d+))?/,
    (_, offset: string | undefined) => `numgen random mod 1 offset ${Number(offset ?? 0) + drawn}`,
  )
