import type { Ip } from '../net/ip.ts'
import { type Prefix, prefixContains, prefixCovers, prefixesEqual } from '../net/prefix.ts'
import { type Community, communitiesEqual } from './attributes.ts'
import type { Condition, Filter, NumericAttribute, NumericValue, RouteSource, Statement } from './filter.ts'

/** A route while a filter works on it. The filter changes it in place. */
export interface FilterRoute {
  readonly prefix: Prefix
  readonly source: RouteSource
  readonly device?: string | undefined
  /** Session the filter runs for; absent in kernel programming. */
  readonly peer?: 'ibgp' | 'ebgp'
  preference: number
  metric: number | undefined
  tunnel: string | undefined
  localPref: number | undefined
  med: number | undefined
  nextHop: Ip | undefined
  asPath: readonly number[]
  communities: readonly Community[]
  /** The filter set these itself, which export rules respect. */
  setNextHop: boolean
  setMed: boolean
}

/** Runs the filter; true accepts. Falling off the end rejects. */
export const runFilter = (filter: Filter, route: FilterRoute): boolean => runStatements(filter, route) === 'accept'

function runStatements(statements: readonly Statement[], route: FilterRoute): 'accept' | 'reject' | undefined {
  for (const s of statements) {
    const decided = runStatement(s, route)
    if (decided !== undefined) return decided
  }
  return undefined
}

function runStatement(s: Statement, route: FilterRoute): 'accept' | 'reject' | undefined {
  switch (s.kind) {
    case 'accept':
    case 'reject':
      return s.kind
    case 'if':
      return runStatements(holds(s.when, route) ? s.do : (s.else ?? []), route)
    case 'call':
      return runStatements(s.body, route)
    case 'set':
      setNumber(s.attribute, numberOf(s.value, route), route)
      return undefined
    case 'set next hop':
      route.nextHop = s.nextHop
      route.setNextHop = true
      return undefined
    case 'set tunnel':
      route.tunnel = s.device
      return undefined
    case 'prepend':
      route.asPath = [s.as, ...route.asPath]
      return undefined
    case 'add community':
      if (!route.communities.some((c) => communitiesEqual(c, s.community)))
        route.communities = [...route.communities, s.community]
      return undefined
    case 'delete community':
      route.communities = route.communities.filter((c) => !communitiesEqual(c, s.community))
      return undefined
  }
}

function holds(c: Condition, route: FilterRoute): boolean {
  switch (c.kind) {
    case 'net':
      return netMatches(c, route.prefix)
    case 'defined':
      return isDefined(c.attribute, route)
    case 'compare':
      return compare(getNumber(c.attribute, route), c.op, c.value)
    case 'source':
      return route.source === c.is
    case 'ifname':
      return route.device !== undefined && globMatches(c.pattern, route.device)
    case 'next hop in':
      return route.nextHop !== undefined && prefixContains(c.prefix, route.nextHop)
    case 'community':
      return route.communities.some((have) => communitiesEqual(have, c.has))
    case 'as path':
      return c.startsWith.every((as, i) => route.asPath[i] === as)
    case 'peer':
      return route.peer === c.type
    case 'and':
      return c.of.every((part) => holds(part, route))
    case 'or':
      return c.of.some((part) => holds(part, route))
    case 'not':
      return !holds(c.condition, route)
  }
}

function netMatches(c: Extract<Condition, { kind: 'net' }>, prefix: Prefix): boolean {
  switch (c.op) {
    case '=':
      return prefixesEqual(c.prefix, prefix)
    case '!=':
      return !prefixesEqual(c.prefix, prefix)
    case '~':
      return within(c, prefix)
    case '!~':
      return !within(c, prefix)
  }
}

const within = ({ prefix, lengths }: Extract<Condition, { kind: 'net' }>, net: Prefix): boolean =>
  prefixCovers(prefix, net) && (!lengths || (net.length >= lengths.min && net.length <= lengths.max))

type DefinedAttribute = Extract<Condition, { kind: 'defined' }>['attribute']

function isDefined(attribute: DefinedAttribute, route: FilterRoute): boolean {
  if (attribute === 'source') return true
  if (attribute === 'ifname') return route.device !== undefined
  if (attribute === 'bgp_next_hop') return route.nextHop !== undefined
  return getNumber(attribute, route) !== undefined
}

function getNumber(attribute: NumericAttribute, route: FilterRoute): number | undefined {
  switch (attribute) {
    case 'preference':
      return route.preference
    case 'krt_metric':
      return route.metric
    case 'bgp_local_pref':
      return route.localPref
    case 'bgp_med':
      return route.med
  }
}

function setNumber(attribute: NumericAttribute, value: number, route: FilterRoute): void {
  switch (attribute) {
    case 'preference':
      route.preference = value
      return
    case 'krt_metric':
      route.metric = value
      return
    case 'bgp_local_pref':
      route.localPref = value
      return
    case 'bgp_med':
      route.med = value
      route.setMed = true
  }
}

// An attribute that is not defined counts as 0, as unset integers do in BIRD 1.6.
const numberOf = (value: NumericValue, route: FilterRoute): number =>
  typeof value === 'number' ? value : value.minuend - (getNumber(value.minus, route) ?? 0)

function compare(have: number | undefined, op: '<' | '<=' | '=' | '!=' | '>=' | '>', value: number): boolean {
  if (have === undefined) return false
  switch (op) {
    case '<':
      return have < value
    case '<=':
      return have <= value
    case '=':
      return have === value
    case '!=':
      return have !== value
    case '>=':
      return have >= value
    case '>':
      return have > value
  }
}

/** Shell pattern with `*` and `?`, for device names. */
export function globMatches(pattern: string, text: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(text)
}
