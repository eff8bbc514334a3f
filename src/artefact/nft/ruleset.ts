import type { Origin } from '../origin.ts'
import type { DataType } from './datatype.ts'
import type { NftStatement } from './statement.ts'
import type { NftElement } from './value.ts'

/** Families whose hooks packets of IP pass. */
export type NftFamily = 'ip' | 'ip6' | 'inet'
export type NftHook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'

/** Everything that `nft list ruleset` prints, in the order of creation. */
export interface NftRuleset {
  readonly tables: readonly NftTable[]
}

export interface NftTable {
  readonly family: NftFamily
  readonly name: string
  readonly comment?: string
  /** `dormant`: its base chains are not registered. */
  readonly flags?: readonly string[]
  /** Sets, maps and verdict maps. */
  readonly sets: readonly NftSet[]
  readonly chains: readonly NftChain[]
  /** Counters, quotas, flowtables and the like, as they stood. */
  readonly others?: readonly NftOther[]
}

export interface NftOther {
  readonly head: string
  readonly lines: readonly string[]
}

export interface NftChain {
  readonly name: string
  readonly comment?: string
  readonly base?: NftBase
  readonly rules: readonly NftRule[]
}

/** What makes a chain a base chain. */
export interface NftBase {
  readonly type: 'filter' | 'nat' | 'route'
  readonly hook: NftHook
  readonly priority: number
  readonly policy: 'accept' | 'drop'
}

export interface NftRule {
  readonly statements: readonly NftStatement[]
  readonly comment?: string
  readonly origin?: Origin
}

export interface NftSet {
  readonly kind: 'set' | 'map'
  readonly name: string
  readonly key: readonly DataType[]
  /** The key as `typeof` gave it. */
  readonly keyOf?: string
  /** Of a map. */
  readonly data?: 'verdict' | readonly DataType[]
  readonly dataOf?: string
  readonly flags?: readonly string[]
  /** Milliseconds. */
  readonly timeout?: number
  readonly gcInterval?: number
  readonly size?: number
  readonly policy?: string
  readonly autoMerge?: true
  readonly counter?: true
  readonly comment?: string
  readonly elements: readonly NftElement[]
  readonly origin?: Origin
}

export const emptyNft: NftRuleset = { tables: [] }

export interface NftTableRef {
  readonly family: NftFamily
  readonly name: string
}

export const tableKey = ({ family, name }: NftTableRef): string => `${family} ${name}`
