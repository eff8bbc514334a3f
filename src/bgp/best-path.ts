import { compareIps, type Ip } from '../net/ip.ts'
import type { PathAttributes } from './attributes.ts'
import type { Resolution } from './network.ts'
import type { Route } from './tables.ts'

/** A path with what its comparison asks for. `source` is the number of its session, or below zero of the own route. */
export interface Candidate {
  readonly source: number
  readonly route: Route
  /** Absent for routes of the speaker itself. */
  readonly bgp?: {
    readonly attributes: PathAttributes
    readonly internal: boolean
    /** BGP identifier and address of the neighbour. */
    readonly routerId: Ip
    readonly address: Ip
    /** undefined: the next hop cannot be reached. */
    readonly resolution: Resolution | undefined
  }
}

type Bgp = NonNullable<Candidate['bgp']>

/**
 * The best path (RFC 4271 9.1.2.2 in the order of BIRD, with `deterministic med on`, so that it does not depend on which
 * path came first): of every neighbouring AS the best by all criteria, of these the best without MED.
 */
export function bestOf(candidates: readonly Candidate[]): Candidate | undefined {
  const winners = new Map<number, Candidate>()
  for (const c of candidates) {
    const as = neighborAs(c)
    const rival = winners.get(as)
    if (!rival || compare(c, rival, true) < 0) winners.set(as, c)
  }
  let best: Candidate | undefined
  for (const c of winners.values()) if (!best || compare(c, best, false) < 0) best = c
  return best
}

/** Paths that the kernel protocol merges with the best one: equal in everything but the neighbour itself. */
export function mergeable(best: Candidate, candidates: readonly Candidate[]): readonly Candidate[] {
  if (!best.bgp?.resolution) return [best]
  return candidates.filter((c) => c === best || (c.bgp?.resolution && ranking(c, best, sameNeighborAs(c, best)) === 0))
}

const sameNeighborAs = (a: Candidate, b: Candidate): boolean => neighborAs(a) === neighborAs(b)

// 0 stands for paths that begin in the own AS.
const neighborAs = ({ bgp }: Candidate): number => bgp?.attributes.asPath[0] ?? 0

/** Below zero: `a` is better. */
function compare(a: Candidate, b: Candidate, withMed: boolean): number {
  return ranking(a, b, withMed) || (a.bgp && b.bgp ? tieBreak(a.bgp, b.bgp) : b.source - a.source)
}

function ranking(a: Candidate, b: Candidate, withMed: boolean): number {
  const byPreference = b.route.preference - a.route.preference
  if (byPreference !== 0 || !a.bgp || !b.bgp) return byPreference || Number(!b.bgp) - Number(!a.bgp)
  const [x, y] = [a.bgp, b.bgp]
  return (
    Number(y.resolution !== undefined) - Number(x.resolution !== undefined) ||
    (y.attributes.localPref ?? 100) - (x.attributes.localPref ?? 100) ||
    x.attributes.asPath.length - y.attributes.asPath.length ||
    origins[x.attributes.origin] - origins[y.attributes.origin] ||
    (withMed ? (x.attributes.med ?? 0) - (y.attributes.med ?? 0) : 0) ||
    Number(x.internal) - Number(y.internal) ||
    igpMetric(x) - igpMetric(y)
  )
}

const origins = { igp: 0, egp: 1, incomplete: 2 } as const

/** BIRD's IGP_METRIC_UNKNOWN is behind every known metric. */
const igpMetric = ({ resolution }: Bgp): number => resolution?.metric ?? 0x80000000

function tieBreak(x: Bgp, y: Bgp): number {
  return (
    compareIps(x.attributes.originatorId ?? x.routerId, y.attributes.originatorId ?? y.routerId) ||
    (x.attributes.clusterList?.length ?? 0) - (y.attributes.clusterList?.length ?? 0) ||
    compareIps(x.address, y.address)
  )
}
