import { type Family, familyOf, type Ip } from '../net/ip.ts'
import type { Network } from './network.ts'
import { isInternal, localAsOf } from './session.ts'
import type { Neighbor, PeerSettings, Speaker } from './speaker.ts'

/** Sessions of one speaker for which every route is imported and exported the same way. */
export interface PeerClass {
  readonly settings: PeerSettings
  readonly family: Family
  readonly internal: boolean
  readonly localAs: number
  readonly clusterId: Ip
  /** Address the next hop "self" stands for. */
  readonly local: Ip
  /** Device of an eBGP neighbour on a link, for third-party next hops. */
  readonly link: string | undefined
}

/** Source address of a session; undefined where the speaker has none of the neighbour's family. */
export const localAddress = (speaker: Speaker, settings: PeerSettings, neighbor: Neighbor): Ip | undefined =>
  settings.sourceAddress ?? speaker.addresses.find((a) => familyOf(a) === familyOf(neighbor.address))

export function peerClass(speaker: Speaker, settings: PeerSettings, neighbor: Neighbor, network: Network): PeerClass {
  const internal = isInternal({ speaker, settings, neighbor })
  const singleHop = !internal && !settings.multihop
  return {
    settings,
    family: familyOf(neighbor.address),
    internal,
    localAs: localAsOf({ speaker, settings }),
    clusterId: settings.clusterId ?? speaker.routerId,
    local: localAddress(speaker, settings, neighbor) ?? neighbor.address,
    link: singleHop ? network.linkTo(speaker, neighbor.address) : undefined,
  }
}

export const sameClass = (a: PeerClass, b: PeerClass): boolean =>
  sameSettings(a.settings, b.settings) &&
  a.family === b.family &&
  a.internal === b.internal &&
  a.localAs === b.localAs &&
  a.clusterId === b.clusterId &&
  a.local === b.local &&
  a.link === b.link

const keys = new WeakMap<PeerSettings, string>()

/** Whether two settings say the same, be they one object or two. */
export const sameSettings = (a: PeerSettings, b: PeerSettings): boolean => a === b || keyOf(a) === keyOf(b)

/** Whether a session with settings `a` stays up when they become `b`: all but the filters is the same. */
export const sameSession = (a: PeerSettings, b: PeerSettings): boolean =>
  sameSettings(a, b) || withoutFilters(a) === withoutFilters(b)

const withoutFilters = ({ importFilter: _in, exportFilter: _out, ...rest }: PeerSettings): string => textOf(rest)

function keyOf(settings: PeerSettings): string {
  const known = keys.get(settings)
  if (known !== undefined) return known
  const made = textOf(settings)
  keys.set(settings, made)
  return made
}

/** JSON with sorted keys. */
const textOf = (settings: PeerSettings): string =>
  JSON.stringify(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)))
