import type { Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import type { PathAttributes } from './attributes.ts'
import type { PeerClass } from './peer-class.ts'
import { type FilterRoute, runFilter } from './run-filter.ts'
import { preferences } from './speaker.ts'
import type { Route } from './tables.ts'

/** Whether the router has already passed this route on (AS path, originator, cluster list): such a route is no news. */
export function isLoop(from: PeerClass, routerId: Ip, attributes: PathAttributes): boolean {
  const { asPath, originatorId, clusterList } = attributes
  if (asPath.length > 0) {
    const seen = asPath.filter((as) => as === from.localAs).length
    if (seen > (from.settings.allowLocalAs ?? 0)) return true
  }
  if (!from.internal) return false
  return originatorId === routerId || (clusterList?.includes(from.clusterId) ?? false)
}

/** The route an announcement becomes in the table; undefined when the import filter rejects it. */
export function importRoute(from: PeerClass, prefix: Prefix, attributes: PathAttributes): Route | undefined {
  const localPref = attributes.localPref ?? from.settings.localPref ?? 100
  const filter = from.settings.importFilter
  if (!filter) return { source: 'bgp', preference: preferences.bgp, attributes: { ...attributes, localPref } }
  const draft = importDraft(from, prefix, attributes, localPref)
  if (!runFilter(filter, draft)) return undefined
  return {
    source: 'bgp',
    preference: draft.preference,
    metric: draft.metric,
    tunnel: draft.tunnel,
    attributes: {
      ...attributes,
      localPref: draft.localPref ?? localPref,
      ...(draft.med !== undefined && { med: draft.med }),
      nextHop: draft.nextHop ?? attributes.nextHop,
      asPath: draft.asPath,
      communities: draft.communities,
    },
  }
}

const importDraft = (from: PeerClass, prefix: Prefix, a: PathAttributes, localPref: number): FilterRoute => ({
  prefix,
  source: 'bgp',
  peer: from.internal ? 'ibgp' : 'ebgp',
  preference: preferences.bgp,
  metric: undefined,
  tunnel: undefined,
  localPref,
  med: a.med,
  nextHop: a.nextHop,
  asPath: a.asPath,
  communities: a.communities ?? [],
  setNextHop: false,
  setMed: false,
})
