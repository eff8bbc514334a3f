import type { Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Community } from './attributes.ts'

/**
 * A route filter as data: BIRD's filter language as far as exports, imports and kernel programming use it. Statements
 * run in order; the first `accept` or `reject` decides, also from within a called function. What falls off the end is
 * rejected, as BIRD does.
 */
export type Filter = readonly Statement[]

export type Statement =
  | { readonly kind: 'accept' }
  | { readonly kind: 'reject' }
  | {
      readonly kind: 'if'
      readonly when: Condition
      readonly do: readonly Statement[]
      readonly else?: readonly Statement[]
    }
  /** A function: its statements, under a name that configurations and explanations print. Returns when they end. */
  | { readonly kind: 'call'; readonly name: string; readonly body: readonly Statement[] }
  | { readonly kind: 'set'; readonly attribute: NumericAttribute; readonly value: NumericValue }
  | { readonly kind: 'set next hop'; readonly nextHop: Ip }
  /** `krt_tunnel` of Calico's BIRD: the device of the kernel route; '' takes the resolved one. */
  | { readonly kind: 'set tunnel'; readonly device: string }
  | { readonly kind: 'prepend'; readonly as: number }
  | { readonly kind: 'add community' | 'delete community'; readonly community: Community }

/** `krt_metric` is the metric in the kernel; `preference` ranks protocols (static 200, BGP 100), the highest wins. */
export type NumericAttribute = 'preference' | 'krt_metric' | 'bgp_local_pref' | 'bgp_med'

/** A number, or the difference `minuend - attribute`. */
export type NumericValue = number | { readonly minuend: number; readonly minus: NumericAttribute }

export type Condition =
  | {
      readonly kind: 'net'
      /** `=` this very prefix, `~` within it. */
      readonly op: '=' | '!=' | '~' | '!~'
      readonly prefix: Prefix
      /** With `~` and `!~`: only prefixes of these lengths count as within. */
      readonly lengths?: { readonly min: number; readonly max: number }
    }
  | { readonly kind: 'defined'; readonly attribute: NumericAttribute | 'bgp_next_hop' | 'ifname' | 'source' }
  | {
      readonly kind: 'compare'
      readonly attribute: NumericAttribute
      readonly op: '<' | '<=' | '=' | '!=' | '>=' | '>'
      readonly value: number
    }
  | { readonly kind: 'source'; readonly is: RouteSource }
  /** The device of the route, matched with `*` and `?`. */
  | { readonly kind: 'ifname'; readonly pattern: string }
  | { readonly kind: 'next hop in'; readonly prefix: Prefix }
  | { readonly kind: 'community'; readonly has: Community }
  | { readonly kind: 'as path'; readonly startsWith: readonly number[] }
  /** Whether the session the filter runs for is inside the AS. */
  | { readonly kind: 'peer'; readonly type: 'ibgp' | 'ebgp' }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly condition: Condition }

/** Where a route comes from; BIRD's RTS_DEVICE, RTS_STATIC, RTS_INHERIT (learned from the kernel), RTS_BGP. */
export type RouteSource = 'direct' | 'static' | 'kernel' | 'bgp'

export const acceptAll: Filter = [{ kind: 'accept' }]

/** Whether the outcome can differ between prefixes with the same attributes. */
export const readsPrefix = (filter: Filter): boolean => filter.some(statementReadsPrefix)

function statementReadsPrefix(s: Statement): boolean {
  if (s.kind === 'call') return readsPrefix(s.body)
  if (s.kind !== 'if') return false
  return conditionReadsPrefix(s.when) || readsPrefix(s.do) || readsPrefix(s.else ?? [])
}

function conditionReadsPrefix(c: Condition): boolean {
  if (c.kind === 'not') return conditionReadsPrefix(c.condition)
  if (c.kind === 'and' || c.kind === 'or') return c.of.some(conditionReadsPrefix)
  return c.kind === 'net'
}
