import type { Rule, TableName } from './rule.ts'

/**
 * One change of a ruleset, as an agent makes it. Agents say their edits in order; who comes first decides where a jump
 * ends up, so the order of agents is the order in which edits are applied.
 */
export type IptablesEdit =
  /** `-N` if absent. */
  | { readonly op: 'ensure-chain'; readonly table: TableName; readonly chain: string }
  /** What a chain line of `iptables-restore --noflush` does: makes the chain, or empties it. */
  | { readonly op: 'flush-chain'; readonly table: TableName; readonly chain: string }
  | { readonly op: 'append'; readonly table: TableName; readonly chain: string; readonly rule: Rule }
  /** Inserted at 1. */
  | { readonly op: 'prepend'; readonly table: TableName; readonly chain: string; readonly rule: Rule }
  /** `-C` or else `-A`; `-C` or else `-I`. An equal rule that stands anywhere in the chain is left where it is. */
  | {
      readonly op: 'ensure-appended' | 'ensure-prepended'
      readonly table: TableName
      readonly chain: string
      readonly rule: Rule
    }
  | { readonly op: 'delete-chain'; readonly table: TableName; readonly chain: string }
  | { readonly op: 'policy'; readonly table: TableName; readonly chain: string; readonly policy: 'ACCEPT' | 'DROP' }
