import type { Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { TransportProtocol } from '../net/port.ts'
import type { InterfaceAddress } from '../net/prefix.ts'
import type { IpSet } from './ipset.ts'
import type { Ruleset } from './iptables/rule.ts'
import { emptyRuleset } from './iptables/rule.ts'
import type { IpvsService } from './ipvs.ts'
import type { DeviceName, Link } from './link.ts'
import type { NftRuleset } from './nft/ruleset.ts'
import type { Origin } from './origin.ts'
import type { Route, RoutingRule } from './route.ts'

/** `ip addr`: one address on one device. */
export interface Address extends InterfaceAddress {
  readonly dev: DeviceName
  readonly scope: 'global' | 'link' | 'host'
  /** Directed broadcast, present where it was set (`brd +`). */
  readonly broadcast?: Ip
  /** `noprefixroute`: the kernel makes no connected route from it. */
  readonly noPrefixRoute?: boolean
  readonly origin?: Origin
}

/** `ip neigh`: a resolved neighbour. Entries made by agents are permanent; learned ones are the kernel's own state. */
export interface Neighbour {
  readonly ip: Ip
  readonly dev: DeviceName
  readonly mac: Mac
  readonly state: 'permanent' | 'noarp' | 'reachable' | 'stale'
  readonly origin?: Origin
}

/** `bridge fdb`: on a bridge port (`master`), or in a VXLAN device's own table (`self`, with `dst`). */
export interface FdbEntry {
  readonly mac: Mac
  readonly dev: DeviceName
  /** Remote VTEP, for a VXLAN device. */
  readonly dst?: Ip
  readonly flags: readonly ('self' | 'master' | 'permanent' | 'static' | 'extern_learn')[]
  readonly origin?: Origin
}

/** A process that listens. `address` undefined: every address of the namespace. */
export interface ListeningSocket {
  readonly protocol: TransportProtocol
  readonly address: Ip | undefined
  readonly port: number
  /** Who listens, in words: `container web, port http`. */
  readonly owner: string
}

/** `conntrack -L`: an entry that is there before the first packet. */
export interface ConntrackEntry {
  readonly protocol: TransportProtocol | 'icmp' | 'icmpv6'
  readonly original: ConntrackTuple
  readonly reply: ConntrackTuple
  readonly status: readonly ('UNREPLIED' | 'ASSURED')[]
  /** TCP state (`ESTABLISHED`, `SYN_SENT`, ...). */
  readonly state?: string
  /** Seconds until it times out. */
  readonly timeout: number
  readonly mark: number
}

/** For ICMP, `srcPort` is the echo id and `dstPort` is 0. */
export interface ConntrackTuple {
  readonly src: Ip
  readonly dst: Ip
  readonly srcPort: number
  readonly dstPort: number
}

/** Everything that is programmed into one network namespace. Sysctl keys are dotted: `net.ipv4.ip_forward`. */
export interface NetnsState {
  readonly links: readonly Link[]
  readonly addresses: readonly Address[]
  readonly routes: readonly Route[]
  /** `ip rule` beyond the kernel's own three. */
  readonly rules: readonly RoutingRule[]
  readonly neighbours: readonly Neighbour[]
  readonly fdb: readonly FdbEntry[]
  readonly sysctls: Readonly<Record<string, string>>
  readonly iptables: Readonly<Record<'ipv4' | 'ipv6', Ruleset>>
  readonly nftables?: NftRuleset
  readonly ipvs?: readonly IpvsService[]
  readonly conntrack: readonly ConntrackEntry[]
  readonly sockets: readonly ListeningSocket[]
  /** Absent: nothing is known of sets, and a rule that asks for one is undecided. */
  readonly ipsets?: readonly IpSet[]
}

export const emptyNetns: NetnsState = {
  links: [],
  addresses: [],
  routes: [],
  rules: [],
  neighbours: [],
  fdb: [],
  sysctls: {},
  iptables: { ipv4: emptyRuleset('ipv4'), ipv6: emptyRuleset('ipv6') },
  conntrack: [],
  sockets: [],
}

/** What one agent adds to one namespace, iptables apart (those are edits: their order among agents matters). */
export type NetnsAdditions = Partial<Omit<NetnsState, 'iptables' | 'nftables' | 'conntrack'>>

/** Adds the parts in order; a later sysctl replaces an earlier one. */
export function addToNetns(state: NetnsState, additions: NetnsAdditions): NetnsState {
  return {
    ...state,
    links: [...state.links, ...(additions.links ?? [])],
    addresses: [...state.addresses, ...(additions.addresses ?? [])],
    routes: [...state.routes, ...(additions.routes ?? [])],
    rules: [...state.rules, ...(additions.rules ?? [])],
    neighbours: [...state.neighbours, ...(additions.neighbours ?? [])],
    fdb: [...state.fdb, ...(additions.fdb ?? [])],
    sysctls: { ...state.sysctls, ...additions.sysctls },
    sockets: [...state.sockets, ...(additions.sockets ?? [])],
    ...(state.ipsets || additions.ipsets ? { ipsets: [...(state.ipsets ?? []), ...(additions.ipsets ?? [])] } : {}),
    ...(state.ipvs || additions.ipvs ? { ipvs: [...(state.ipvs ?? []), ...(additions.ipvs ?? [])] } : {}),
  }
}
