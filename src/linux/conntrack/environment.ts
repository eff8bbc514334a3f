import type { Emit } from '../emit.ts'
import type { ConntrackEvent } from '../event.ts'
import type { Hook } from '../netfilter/hook.ts'
import type { ConntrackTable } from './table.ts'
import type { Sysctl } from './timeout.ts'

/** What tracking one packet needs of its surroundings. `now` is virtual time in milliseconds. */
export interface ConntrackEnvironment {
  readonly table: ConntrackTable
  readonly hook: Hook
  readonly now: number
  readonly sysctl: Sysctl
  readonly emit: Emit<ConntrackEvent>
}

/** What a protocol's tracker makes of a packet of a connection (the return values of nf_conntrack_handle_packet). */
export type Tracked =
  | { readonly kind: 'ok' }
  | { readonly kind: 'invalid'; readonly why: string }
  /** The entry is a closed connection's: forget it and look again. */
  | { readonly kind: 'repeat' }
  /** The packet passes, and the entry goes. */
  | { readonly kind: 'destroy'; readonly why: string }

export const tracked: Tracked = { kind: 'ok' }
export const invalid = (why: string): Tracked => ({ kind: 'invalid', why })
