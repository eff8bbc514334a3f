import type { AddressType } from '../../artefact/iptables/rule.ts'
import type { DeviceName } from '../../artefact/link.ts'
import type { Ip } from '../../net/ip.ts'
import type { Chance, Clock } from '../chance.ts'
import type { Emit } from '../emit.ts'
import type { ConntrackEvent, DropEvent, NetfilterEvent } from '../event.ts'
import type { Skb } from '../skb.ts'
import type { HookResult } from './hook.ts'

/** A function that another part of the kernel registered at a hook. Undefined: it leaves the packet alone. */
export interface Registered {
  readonly priority: number
  run(skb: Skb): HookResult | undefined
}

/** What a hook needs of the namespace around it, for one packet. */
export interface NetfilterContext {
  readonly emit: Emit<NetfilterEvent | ConntrackEvent | DropEvent>
  readonly chance: Chance
  readonly clock: Clock
  /** Tell of rules that did not match as well. */
  readonly everyRule: boolean
  /** Compare rule by rule, without the index of long chains: the answers are the same. */
  readonly linear?: boolean
  /** A frame inside a bridge, lent to the IP hooks by br_netfilter. */
  readonly bridged: boolean
  /** inet_addr_type (net/ipv4/fib_frontend.c); with a device, only what that device's addresses make. */
  addressType(ip: Ip, device?: DeviceName): AddressType
  /** inet_select_addr (net/ipv4/devinet.c): what MASQUERADE takes as source on this device towards this nexthop. */
  sourceAddress(device: DeviceName, nexthop: Ip): Ip | undefined
  /** The routing decision's nexthop for the packet in hand; its destination where there is none. */
  readonly nexthop: Ip | undefined
  /** `fib saddr . iif oif`: the device of the way to an address; undefined where there is none, or another than asked. */
  fibDevice?(address: Ip, skb: Skb, device: DeviceName | undefined): DeviceName | undefined
  /** Whether the route back to the source passes (`-m rpfilter`). */
  reversePath(loose: boolean): boolean
  sysctl(key: string): string | undefined
  /** The virtual service whose packet this is, where IPVS touched it. */
  virtualOf?(skb: Skb): { readonly protocol: string; readonly address: Ip; readonly port: number } | undefined
  /** What else is registered at the hook, by priority: IPVS. */
  readonly besides?: readonly Registered[]
  /**
   * DNAT of a packet of this host: its way is looked up at once (nf_nat_ipv4_local_fn). False: there is none, and the
   * packet ends in the nat hook, told already.
   */
  reroute?(skb: Skb): boolean
}
