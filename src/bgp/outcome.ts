import type { Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import type { PathAttributes } from './attributes.ts'
import type { RouteSource } from './filter.ts'
import type { Neighbor, PeerSettings } from './speaker.ts'

/** BGP state as `birdc show protocols` prints it; Passive waits for the neighbour. */
export type SessionState =
  | 'Idle'
  | 'Connect'
  | 'Active'
  | 'Passive'
  | 'OpenSent'
  | 'OpenConfirm'
  | 'Established'
  | 'Down'

/** One end of a session. */
export interface SessionStatus {
  readonly name: string
  readonly neighbor: Neighbor
  readonly settings: PeerSettings
  readonly type: 'ibgp' | 'ebgp'
  /** Speaker at the other end, where one has the address. */
  readonly peer?: string
  readonly state: SessionState
  /** BIRD's last error, `Socket: Connection refused`, or ''. */
  readonly info: string
  /** Why the session is not up, for a person: names the side and the field to change. */
  readonly because?: string
}

/** One path of a prefix in a speaker's table. */
export interface RibPath {
  readonly prefix: Prefix
  /** Protocol: `static1`, `direct1`, `kernel1` or the session. */
  readonly protocol: string
  readonly source: RouteSource
  readonly best: boolean
  /** Part of the multipath route that the kernel protocol makes of the best path. */
  readonly merged: boolean
  readonly preference: number
  readonly target: PathTarget
  /** Of a route found in the kernel: number of its route protocol, and its metric. */
  readonly kernel?: { readonly protocol: number; readonly metric: number }
  /** BGP only. */
  readonly attributes?: PathAttributes
  /** Address of the neighbour it was learned from. BGP only. */
  readonly from?: Ip
}

export type PathTarget =
  | { readonly kind: 'blackhole' | 'unreachable' }
  | { readonly kind: 'unicast'; readonly device: string; readonly gateway?: Ip; readonly metric?: number }

/** A route for the kernel, `proto bird`. */
export interface KernelRoute {
  readonly prefix: Prefix
  readonly kind: 'unicast' | 'blackhole' | 'unreachable'
  /** More than one with merge paths. Sorted by gateway. */
  readonly nexthops: readonly KernelNexthop[]
  /** krt_metric, where a filter set one. */
  readonly metric?: number
  /** Protocols that brought it, that of the best path first: `static1`, `Mesh_10_0_0_12`. */
  readonly protocols: readonly string[]
}

export interface KernelNexthop {
  readonly device: string
  readonly gateway?: Ip
  /** The gateway is taken as on the link of the device (krt_tunnel). */
  readonly onlink: boolean
}

/** Messages sent, by type. A message that carries the End-of-RIB marker (RFC 4724) is counted apart from `update`. */
export interface MessageCounts {
  readonly open: number
  readonly keepalive: number
  readonly update: number
  readonly endOfRib: number
  readonly notification: number
  readonly routeRefresh: number
}

/** What one run until nothing is left to send took. */
export interface Run {
  /** false: still changing after the last allowed turn; `unstable` tells where. */
  readonly converged: boolean
  /** Rounds in which UPDATEs were sent. */
  readonly rounds: number
  readonly messages: MessageCounts
  /** Prefixes announced plus prefixes withdrawn, over all messages. */
  readonly prefixesSent: number
  /** Sessions that came up. */
  readonly established: number
  readonly unstable: readonly { readonly speaker: string; readonly prefix: Prefix }[]
}
