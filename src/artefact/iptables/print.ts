import { formatPrefix } from '../../net/prefix.ts'
import { formatMatch } from './match/modules.ts'
import { canonicalProtocol } from './protocol.ts'
import type { Negatable, Rule, Ruleset, Table } from './rule.ts'
import { formatTarget } from './target/modules.ts'

/** The rule without its chain and counters: what iptables-save prints after `-A CHAIN`. */
export function formatRuleSpec(rule: Rule): string {
  const parts: string[] = []
  if (rule.source) parts.push(flag('-s', rule.source, formatPrefix))
  if (rule.destination) parts.push(flag('-d', rule.destination, formatPrefix))
  if (rule.inInterface) parts.push(flag('-i', rule.inInterface, String))
  if (rule.outInterface) parts.push(flag('-o', rule.outInterface, String))
  if (rule.protocol) parts.push(flag('-p', rule.protocol, canonicalProtocol))
  if (rule.fragment) parts.push(rule.fragment.not ? '! -f' : '-f')
  for (const match of rule.matches) parts.push(formatMatch(match))
  if (rule.target) parts.push(formatTarget(rule.target))
  return parts.join(' ')
}

const flag = <T>(name: string, given: Negatable<T>, format: (value: T) => string): string =>
  `${given.not ? '! ' : ''}${name} ${format(given.value)}`

/** `-A CHAIN ...`, exactly as iptables-save 1.8 prints it (the nft and the legacy back end agree). */
export function formatRule(rule: Rule, chain: string): string {
  const spec = formatRuleSpec(rule)
  return spec === '' ? `-A ${chain}` : `-A ${chain} ${spec}`
}

export interface PrintOptions {
  /** Packet and byte counts before each rule: `iptables-save -c`. Rules without counters print `[0:0]`. */
  readonly counters?: boolean
}

/** The text of iptables-save without its comment lines. Ends with a newline, or is empty. */
export function formatRuleset(ruleset: Ruleset, options: PrintOptions = {}): string {
  return ruleset.tables.map((table) => formatTable(table, options)).join('')
}

export function formatTable(table: Table, options: PrintOptions = {}): string {
  const lines = [`*${table.name}`]
  for (const chain of table.chains) lines.push(`:${chain.name} ${chain.policy ?? '-'} [0:0]`)
  for (const chain of table.chains) {
    for (const rule of chain.rules) {
      const { packets, bytes } = rule.counters ?? { packets: 0, bytes: 0 }
      lines.push(`${options.counters ? `[${packets}:${bytes}] ` : ''}${formatRule(rule, chain.name)}`)
    }
  }
  lines.push('COMMIT', '')
  return lines.join('\n')
}
