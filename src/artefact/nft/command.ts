import type { NftChain, NftFamily, NftRule, NftSet, NftTable, NftTableRef } from './ruleset.ts'
import type { NftElement } from './value.ts'

/** One command of a transaction, as `nft -f` takes it. */
export type NftCommand =
  | {
      readonly op: 'add-table'
      readonly at: NftTableRef
      readonly comment?: string
      readonly flags?: readonly string[]
    }
  /** `destroy`: no complaint where it does not exist. */
  | { readonly op: 'delete-table' | 'destroy-table' | 'flush-table'; readonly at: NftTableRef }
  | { readonly op: 'flush-ruleset'; readonly family?: NftFamily }
  | { readonly op: 'add-chain'; readonly at: NftTableRef; readonly chain: Omit<NftChain, 'rules'> }
  | {
      readonly op: 'delete-chain' | 'destroy-chain' | 'flush-chain' | 'delete-set' | 'destroy-set' | 'flush-set'
      readonly at: NftTableRef
      readonly name: string
    }
  | { readonly op: 'add-set'; readonly at: NftTableRef; readonly set: NftSet }
  | {
      readonly op: 'add-element' | 'delete-element'
      readonly at: NftTableRef
      readonly set: string
      readonly elements: readonly NftElement[]
    }
  /** `index`: before this rule, from 0 (`insert rule` is 0); absent: at the end. */
  | {
      readonly op: 'add-rule'
      readonly at: NftTableRef
      readonly chain: string
      readonly rule: NftRule
      readonly index?: number
    }
  | { readonly op: 'add-other'; readonly at: NftTableRef; readonly other: NonNullable<NftTable['others']>[number] }
