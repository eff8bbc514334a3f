import type { Match, Rule, Ruleset } from '../artefact/iptables/rule.ts'
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
