import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import type { MaskedValue, Match, Negatable, PortRange, Rule, TableName, Target } from '../artefact/iptables/rule.ts'
import type { TransportProtocol } from '../net/port.ts'

/** A rule from its parts; what is left out matches everything. */
export const rule = (parts: Partial<Rule>): Rule => ({ matches: [], ...parts })

export const is = <T>(value: T): Negatable<T> => ({ value })
export const not = <T>(value: T): Negatable<T> => ({ not: true, value })

export const comment = (text: string): Match => ({ kind: 'comment', text })
export const mark = (value: MaskedValue): Match => ({ kind: 'mark', mark: is(value) })
export const bit = (n: number): MaskedValue => ({ value: (1 << n) >>> 0, mask: (1 << n) >>> 0 })
export const toLocal: Match = { kind: 'addrtype', dstType: is(['LOCAL']) }

export const dport = (protocol: TransportProtocol, port: number): Match => ({
  kind: protocol,
  dport: is<PortRange>({ from: port, to: port }),
})

export const accept: Target = { kind: 'accept' }
export const returns: Target = { kind: 'return' }
export const masquerade: Target = { kind: 'masquerade' }
export const jump = (chain: string): Target => ({ kind: 'jump', chain })

/** A chain made or emptied, and filled with these rules in order. */
export const fillChain = (table: TableName, chain: string, rules: readonly Rule[]): readonly IptablesEdit[] => [
  { op: 'flush-chain', table, chain },
  ...rules.map((r): IptablesEdit => ({ op: 'append', table, chain, rule: r })),
]

/** A chain made if absent; the rules that it lacks are appended. */
export const ensureChain = (table: TableName, chain: string, rules: readonly Rule[]): readonly IptablesEdit[] => [
  { op: 'ensure-chain', table, chain },
  ...rules.map((r): IptablesEdit => ({ op: 'ensure-appended', table, chain, rule: r })),
]
