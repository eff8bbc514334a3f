import type { Ip } from '../net/ip.ts'
import { familyOf } from '../net/ip.ts'
import { type Prefix, prefixFamily } from '../net/prefix.ts'
import { hasCommunity, noAdvertise, noExport, type PathAttributes } from './attributes.ts'
import type { PeerClass } from './peer-class.ts'
import type { FilterRoute } from './run-filter.ts'
import { runFilter } from './run-filter.ts'
import type { Route } from './tables.ts'

/** The session a route was learned from. */
export interface Learned {
  readonly from: PeerClass
  /** BGP identifier of that neighbour. */
  readonly routerId: Ip
}

/**
 * The attributes with which a route goes to the sessions of a class; undefined when it does not. The rules are BIRD's:
 * iBGP routes stay out of iBGP unless reflected (RFC 4456), well-known communities, then the filter, then next hop,
 * AS path, LOCAL_PREF and MED.
 */
export function exportRoute(
  to: PeerClass,
  prefix: Prefix,
  route: Route,
  learned: Learned | undefined,
): PathAttributes | undefined {
  if (prefixFamily(prefix) !== to.family || !mayExport(to, route, learned)) return undefined
  const draft = draftOf(to, prefix, route)
  if (to.settings.exportFilter && !runFilter(to.settings.exportFilter, draft)) return undefined
  const { originatorId, clusterList } = route.attributes ?? {}
  const reflected =
    learned && to.internal && learned.from.internal ? reflect(to, learned, originatorId, clusterList) : {}
  const med = to.internal || draft.setMed ? draft.med : undefined
  return {
    origin: route.attributes?.origin ?? 'igp',
    asPath: to.internal ? draft.asPath : [to.localAs, ...draft.asPath],
    nextHop: nextHopFor(to, route, learned, draft),
    ...(to.internal && { localPref: draft.localPref ?? to.settings.localPref ?? 100 }),
    ...(med !== undefined && { med }),
    ...reflected,
    ...(draft.communities.length > 0 && { communities: draft.communities }),
  }
}

function mayExport(to: PeerClass, route: Route, learned: Learned | undefined): boolean {
  if (!learned) return true
  if (to.internal && learned.from.internal) {
    if (!to.settings.rrClient && !learned.from.settings.rrClient) return false
    if (route.attributes?.clusterList?.includes(to.clusterId)) return false
  }
  const { attributes } = route
  return !attributes || (!hasCommunity(attributes, noAdvertise) && (to.internal || !hasCommunity(attributes, noExport)))
}

const draftOf = (
  to: PeerClass,
  prefix: Prefix,
  { source, target, preference, metric, attributes }: Route,
): FilterRoute => ({
  prefix,
  source,
  device: target && 'device' in target ? target.device : undefined,
  peer: to.internal ? 'ibgp' : 'ebgp',
  preference,
  metric,
  tunnel: undefined,
  localPref: attributes?.localPref,
  med: attributes?.med,
  nextHop: attributes?.nextHop,
  asPath: attributes?.asPath ?? [],
  communities: attributes?.communities ?? [],
  setNextHop: false,
  setMed: false,
})

function reflect(to: PeerClass, learned: Learned, originator: Ip | undefined, clusters: readonly Ip[] | undefined) {
  const passed = [to.clusterId, ...(clusters ?? [])]
  return {
    originatorId: originator ?? learned.routerId,
    clusterList: learned.from.clusterId === to.clusterId ? passed : [learned.from.clusterId, ...passed],
  }
}

function nextHopFor(to: PeerClass, route: Route, learned: Learned | undefined, draft: FilterRoute): Ip {
  const known = draft.nextHop ?? gatewayOf(route)
  if (to.settings.nextHop === 'self' || known === undefined || familyOf(known) !== to.family) return to.local
  if (to.settings.nextHop === 'keep' || draft.setNextHop || to.internal) return known
  const device = learned
    ? learned.from.link
    : route.target && 'device' in route.target
      ? route.target.device
      : undefined
  // RFC 4271 5.1.3: a third party on the common link is named itself.
  return to.link !== undefined && to.link === device ? known : to.local
}

/** Routes that go through a gateway name it, as BIRD does; all others the speaker itself. */
const gatewayOf = ({ target }: Route): Ip | undefined => (target?.kind === 'gateway' ? target.gateway : undefined)
