import type { Ip } from '../net/ip.ts'

/** ORIGIN, in the order of preference (RFC 4271 9.1.2.2 b). */
export type Origin = 'igp' | 'egp' | 'incomplete'

/** A standard community (RFC 1997: two 16-bit parts) or a large one (RFC 8092: three 32-bit parts). */
export type Community = readonly [number, number] | readonly [number, number, number]

/** The path attributes of one UPDATE. Immutable and shared: equal sets are one object inside a convergence. */
export interface PathAttributes {
  readonly origin: Origin
  /** AS_SEQUENCE only, the nearest AS first. Empty for routes of the own AS. */
  readonly asPath: readonly number[]
  readonly nextHop: Ip
  readonly localPref?: number
  readonly med?: number
  /** BGP identifier of the router that brought the route into the AS (RFC 4456 8). */
  readonly originatorId?: Ip
  /** Clusters passed, the nearest first. */
  readonly clusterList?: readonly Ip[]
  readonly communities?: readonly Community[]
}

/** RFC 1997: kept inside the AS, and kept by the router itself. */
export const noExport: Community = [65535, 65281]
export const noAdvertise: Community = [65535, 65282]

export const communitiesEqual = (a: Community, b: Community): boolean =>
  a.length === b.length && a.every((part, i) => part === b[i])

export const hasCommunity = (attributes: PathAttributes, wanted: Community): boolean =>
  attributes.communities?.some((c) => communitiesEqual(c, wanted)) ?? false

/** Equal keys, equal attributes. */
export const attributesKey = (a: PathAttributes): string =>
  [
    a.origin,
    a.asPath.join(' '),
    a.nextHop,
    a.localPref ?? '',
    a.med ?? '',
    a.originatorId ?? '',
    a.clusterList?.join(' ') ?? '',
    a.communities?.map((c) => c.join(':')).join(' ') ?? '',
  ].join('|')
