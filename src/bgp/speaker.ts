import type { Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Filter } from './filter.ts'

/** One BGP router: the configuration of a BIRD process. */
export interface Speaker {
  /** Unique in a convergence. */
  readonly id: string
  /** BGP identifier: an IPv4 address, also where only IPv6 is spoken. */
  readonly routerId: Ip
  readonly as: number
  /** Addresses the router has, the preferred one of each family first: source of sessions and next hop "self". */
  readonly addresses: readonly Ip[]
  /** Default: every address, TCP 179. */
  readonly listen?: { readonly addresses?: readonly Ip[]; readonly port?: number }
  /** Seconds offered in OPEN; 0 for none. Default 240 (BIRD); 1 and 2 are refused by the peer (RFC 4271 6.2). */
  readonly holdTime?: number
  readonly peers: readonly PeerGroup[]
  readonly routes: readonly LocalRoute[]
  readonly kernel?: KernelProtocol
}

/**
 * Neighbours with the same settings. A mesh is one group whose `neighbors` array all speakers share; a neighbour with an
 * address of the speaker itself is passed over.
 */
export interface PeerGroup {
  readonly settings: PeerSettings
  readonly neighbors: readonly Neighbor[]
}

export interface Neighbor {
  /** Protocol name: `Mesh_10_0_0_12`. */
  readonly name: string
  readonly address: Ip
  readonly as: number
  /** Default 179. */
  readonly port?: number
}

export interface PeerSettings {
  /** true waits for the neighbour; 'by address' waits for neighbours whose address is greater as text. Default false. */
  readonly passive?: boolean | 'by address'
  /** Source address of the session; default the speaker's first address of the family. */
  readonly sourceAddress?: Ip
  /** AS towards these neighbours, where it is not the speaker's own. */
  readonly localAs?: number
  /** How often the own AS may stand in a received path. Default 0. */
  readonly allowLocalAs?: number
  /** Hops the session may pass; default: one link for eBGP, any for iBGP. `true` is 64. */
  readonly multihop?: boolean | number
  /** GTSM (RFC 5082): packets must arrive with TTL 256 - hops or more. */
  readonly ttlSecurity?: boolean
  /** TCP MD5 (RFC 2385). Both ends must have the same or none. */
  readonly password?: string
  readonly rrClient?: boolean
  /** Default: the router id. */
  readonly clusterId?: Ip
  /** What is announced as next hop: the rules of RFC 4271 5.1.3, the own address, or what was learned. Default auto. */
  readonly nextHop?: 'auto' | 'self' | 'keep'
  /** Default accept everything. */
  readonly importFilter?: Filter
  /** Default accept everything. */
  readonly exportFilter?: Filter
  /** LOCAL_PREF of routes that come without one. Default 100. */
  readonly localPref?: number
  /** Seconds; default a third of the hold time. */
  readonly keepalive?: number
  /** Routes of a neighbour that vanishes without a word are kept for this time (RFC 4724). `true` is 120 s. Default off. */
  readonly gracefulRestart?: boolean | number
  /** Text of `show protocols all` and of the configuration. */
  readonly description?: string
}

/** A route the speaker has without BGP. */
export interface LocalRoute {
  readonly prefix: Prefix
  /** static: configured; direct: of an interface address; kernel: found in the kernel table ("learn"). */
  readonly source: 'static' | 'direct' | 'kernel'
  readonly target: LocalTarget
  /** Metric in the kernel, for source kernel. */
  readonly metric?: number
  /** Route protocol number in the kernel, for source kernel. Default 3, boot: what `ip route add` leaves. */
  readonly protocol?: number
}

export type LocalTarget =
  | { readonly kind: 'blackhole' | 'unreachable' }
  | { readonly kind: 'device'; readonly device: string }
  | { readonly kind: 'gateway'; readonly gateway: Ip; readonly device: string }

/** What goes into the kernel table. */
export interface KernelProtocol {
  /** Default accept everything. */
  readonly exportFilter?: Filter
  /** `merge paths on`: equally good BGP paths become one multipath route. Default false. */
  readonly mergePaths?: boolean
}

/** BIRD's preferences: the protocol with the highest wins, before any BGP attribute. */
export const preferences = { direct: 240, static: 200, bgp: 100, kernel: 10 } as const

export const bgpPort = 179
