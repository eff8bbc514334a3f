import type { Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import type { DeviceName } from './link.ts'
import type { Origin } from './origin.ts'

/**
 * A line of `ip route`. The kernel's own routes (connected, local, broadcast) are not artefacts: the namespace derives
 * them from its addresses, as the kernel does.
 */
export interface Route {
  readonly type: RouteType
  readonly dst: Prefix
  readonly via?: Ip
  readonly dev?: DeviceName
  readonly table: RouteTable
  /** Who installed it: `kernel`, `boot`, `static`, `bird`, ... `ip` prints all but `boot`. */
  readonly proto: string
  readonly scope: 'global' | 'link' | 'host'
  readonly src?: Ip
  readonly metric?: number
  readonly mtu?: number
  /** The gateway is on the link whatever the addresses say. */
  readonly onlink?: boolean
  readonly origin?: Origin
}

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'

/** `main`, `local`, `default`, or the number of another table in decimal. */
export type RouteTable = string

/** A line of `ip rule`. */
export interface RoutingRule {
  readonly priority: number
  readonly family: 'ipv4' | 'ipv6'
  readonly not?: boolean
  readonly from?: Prefix
  readonly to?: Prefix
  readonly iif?: DeviceName
  readonly oif?: DeviceName
  readonly fwmark?: { readonly value: number; readonly mask: number }
  readonly action:
    | { readonly kind: 'lookup'; readonly table: RouteTable }
    | { readonly kind: 'blackhole' | 'unreachable' | 'prohibit' }
  readonly origin?: Origin
}
