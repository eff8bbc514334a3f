import type { Family } from '../net/ip.ts'
import type { Origin } from './origin.ts'

/** Types of set that are kept by what their members hold (net/netfilter/ipset/ip_set_hash_*.c). */
export type IpSetType =
  | 'hash:ip'
  | 'hash:net'
  | 'hash:ip,port'
  | 'hash:net,port'
  | 'hash:ip,port,ip'
  | 'hash:ip,port,net'
  | 'hash:net,net'
  | 'bitmap:port'

export const ipSetTypes: readonly IpSetType[] = [
  'hash:ip',
  'hash:net',
  'hash:ip,port',
  'hash:net,port',
  'hash:ip,port,ip',
  'hash:ip,port,net',
  'hash:net,net',
  'bitmap:port',
]

/** A set as `ipset save` prints it. */
export interface IpSet {
  readonly name: string
  readonly type: IpSetType
  readonly family: Family
  /** Options of `create` after the family, as they stand: `maxelem 1048576`. */
  readonly options: string
  /** As `ipset` writes them: `10.0.0.0/24`, `10.0.0.1,tcp:8080`. */
  readonly members: readonly IpSetMember[]
  readonly origin?: Origin
}

export interface IpSetMember {
  readonly text: string
  /** In a set of nets: what lies in it is no member. */
  readonly nomatch?: true
}
