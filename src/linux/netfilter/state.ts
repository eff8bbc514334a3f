import type { TableName } from '../../artefact/iptables/rule.ts'
import type { Family } from '../../net/ip.ts'
import type { Clock } from '../chance.ts'
import type { ConntrackTable } from '../conntrack/table.ts'
import type { NftRuntime } from '../nftables/runtime.ts'
import type { Skb } from '../skb.ts'
import type { PreparedTable } from './prepare.ts'
import type { RecentLists } from './recent.ts'

/** Netfilter's state in one network namespace: what packets read and change. */
export interface Netfilter {
  /** Whether conntrack sees packets of the family: some nat table, or some rule that asks for a connection, needs it. */
  readonly tracking: Record<Family, boolean>
  readonly tables: Record<Family, ReadonlyMap<TableName, PreparedTable>>
  readonly conntrack: ConntrackTable
  readonly recent: RecentLists
  readonly clock: Clock
  nft: NftRuntime
  /** Contents of ipsets. While absent, and for a set that it does not know, `-m set` is undecided. */
  sets: SetLookup | undefined
}

/** Undefined: there is no such set. */
export interface SetLookup {
  test(set: string, directions: readonly ('src' | 'dst')[], skb: Skb): boolean | undefined
  add(set: string, directions: readonly ('src' | 'dst')[], skb: Skb, exist: boolean): void
  remove(set: string, directions: readonly ('src' | 'dst')[], skb: Skb): void
}
