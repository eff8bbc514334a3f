import type { IptablesEdit } from '../../../artefact/iptables/edit.ts'
import { parseRule } from '../../../artefact/iptables/parse.ts'
import type { Rule, TableName } from '../../../artefact/iptables/rule.ts'
import type { Origin } from '../../../artefact/origin.ts'
import type { Family } from '../../../net/ip.ts'
import { ruleHashes } from '../names.ts'
import { type FelixChain, type FelixRule, ruleText } from './rule.ts'

/** Rules that Felix puts into a kernel chain, beside what others have there. */
export interface KernelChain {
  readonly chain: string
  readonly inserted: readonly FelixRule[]
  readonly appended: readonly FelixRule[]
}

/** Everything that Felix writes into one table. */
export interface FelixTable {
  readonly table: TableName
  readonly chains: readonly FelixChain[]
  readonly kernel: readonly KernelChain[]
}

/** Chains that nothing leads to are not programmed. */
export function tableEdits({ table, chains, kernel }: FelixTable, family: Family): readonly IptablesEdit[] {
  const used = referred(chains, kernel)
  const programmed = chains.filter((chain) => used.has(chain.name))
  const fill = programmed.flatMap(({ name, rules }) =>
    hashed(name, name, rules, family).map((rule): IptablesEdit => ({ op: 'append', table, chain: name, rule })),
  )
  return [
    ...programmed.map(({ name }): IptablesEdit => ({ op: 'flush-chain', table, chain: name })),
    ...fill,
    ...kernel.flatMap((k) => kernelEdits(table, k, family)),
  ]
}

function kernelEdits(table: TableName, { chain, inserted, appended }: KernelChain, family: Family): IptablesEdit[] {
  return [
    ...hashed(chain, chain, inserted, family)
      .toReversed()
      .map((rule): IptablesEdit => ({ op: 'ensure-prepended', table, chain, rule })),
    ...hashed(`${chain}*appends*`, chain, appended, family).map(
      (rule): IptablesEdit => ({ op: 'ensure-appended', table, chain, rule }),
    ),
  ]
}

/** `hashedAs` stands for the chain in what is hashed. */
function hashed(hashedAs: string, chain: string, rules: readonly FelixRule[], family: Family): readonly Rule[] {
  const texts = rules.map(ruleText)
  const hashes = ruleHashes(hashedAs, texts)
  return rules.map((felixRule, i) => {
    const line = `-A ${chain} -m comment --comment "cali:${hashes[i] ?? ''}" ${texts[i] ?? ''}`
    const { rules: read, problems } = parseRule(line, family)
    const [rule] = read
    if (rule === undefined) throw new Error(`${line}: ${problems.map((p) => `${p.found}: ${p.expected}`).join('; ')}`)
    return { ...rule, origin: originOf(felixRule) }
  })
}

function originOf(rule: FelixRule): Origin {
  const origin = rule.origin ?? { by: 'calico' }
  return rule.bookkeeping || isPassing(rule) ? { ...origin, bookkeeping: true } : origin
}

/** To a chain of Felix, or without a mark. */
const isPassing = ({ action = '' }: FelixRule): boolean =>
  /^--(jump|goto) cali-/.test(action) || action.startsWith('--jump MARK --set-mark 0/')

function referred(chains: readonly FelixChain[], kernel: readonly KernelChain[]): ReadonlySet<string> {
  const byName = new Map(chains.map((chain) => [chain.name, chain]))
  const used = new Set<string>()
  const visit = (rules: readonly FelixRule[]): void => {
    for (const { action } of rules) {
      const name = /^--(?:jump|goto) (\S+)$/.exec(action ?? '')?.[1]
      const chain = name === undefined ? undefined : byName.get(name)
      if (chain === undefined || used.has(chain.name)) continue
      used.add(chain.name)
      visit(chain.rules)
    }
  }
  for (const { inserted, appended } of kernel) visit([...inserted, ...appended])
  return used
}
