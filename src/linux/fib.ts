import type { DeviceName, Link } from '../artefact/link.ts'
import type { Route, RouteTable, RoutingRule } from '../artefact/route.ts'
import { type Family, familyOf, type Ip, ipToBigInt, ipv4ToUint32, widthOf } from '../net/ip.ts'
import { anyPrefix, maskIpv4, prefixFamily } from '../net/prefix.ts'
import { type Flow, ruleMatches, rulesOf } from './rules.ts'

/** A route with its output device settled, as the kernel settles it when the route is added. */
export interface FibRoute {
  readonly route: Route
  readonly device: DeviceName | undefined
  readonly metric: number
}

export type FibResult =
  | { readonly kind: 'route'; readonly found: FibRoute }
  /** A route or rule that refuses. */
  | { readonly kind: 'refused'; readonly type: 'blackhole' | 'unreachable' | 'prohibit'; readonly route: Route }
  | { readonly kind: 'none' }

/** Per family: rules, and per table the prefixes by length. */
export interface Fib {
  readonly ipv4: FamilyFib
  readonly ipv6: FamilyFib
  readonly routes: readonly Route[]
}

interface FamilyFib {
  readonly rules: readonly RoutingRule[]
  readonly tables: ReadonlyMap<RouteTable, Table>
}

type Key = number | bigint

/** Prefixes of one table: for each length in use, longest first, the masked address leads to the routes by metric. */
interface Table {
  readonly lengths: readonly number[]
  readonly byLength: ReadonlyMap<number, Map<Key, FibRoute[]>>
}

export function createFib(
  routes: readonly Route[],
  rules: readonly RoutingRule[],
  links: ReadonlyMap<DeviceName, Link>,
): Fib {
  const usable = routes.flatMap((route) => {
    const device = route.dev ?? (route.via && deviceTowards(routes, route.via, links))
    return isUsable(route, device, links) ? [{ route, device, metric: metricOf(route) }] : []
  })
  const of = (family: Family): FamilyFib => ({
    rules: rulesOf(family, rules),
    tables: tablesOf(usable.filter((r) => prefixFamily(r.route.dst) === family)),
  })
  return { ipv4: of('ipv4'), ipv6: of('ipv6'), routes: usable.map((r) => r.route) }
}

/** IPv6 user routes without a metric get IP6_RT_PRIO_USER. */
const metricOf = (route: Route): number => route.metric ?? (prefixFamily(route.dst) === 'ipv6' ? 1024 : 0)

const needsDevice = (route: Route): boolean =>
  route.type === 'unicast' || route.type === 'broadcast' || route.type === 'multicast'

/** A device that goes down takes its routes along, host scope ones apart (fib_sync_down_dev). */
function isUsable(route: Route, device: DeviceName | undefined, links: ReadonlyMap<DeviceName, Link>): boolean {
  if (!needsDevice(route)) return true
  const link = device === undefined ? undefined : links.get(device)
  return link?.up ?? false
}

/** fib_check_nh: a gateway given without a device must lie on a connected network. */
function deviceTowards(
  routes: readonly Route[],
  via: Ip,
  links: ReadonlyMap<DeviceName, Link>,
): DeviceName | undefined {
  let best: Route | undefined
  for (const route of routes) {
    if (route.type !== 'unicast' || route.via || !route.dev || !links.get(route.dev)?.up) continue
    if (prefixFamily(route.dst) !== familyOf(via) || (best && best.dst.length >= route.dst.length)) continue
    if (keyOf(via, route.dst.length) === keyOf(route.dst.address, route.dst.length)) best = route
  }
  return best?.dev
}

function tablesOf(routes: readonly FibRoute[]): ReadonlyMap<RouteTable, Table> {
  const tables = new Map<RouteTable, Map<number, Map<Key, FibRoute[]>>>()
  for (const entry of routes) {
    const { table, dst } = entry.route
    const byLength = ensure(tables, tableName(table), () => new Map<number, Map<Key, FibRoute[]>>())
    const byKey = ensure(byLength, dst.length, () => new Map<Key, FibRoute[]>())
    ensure(byKey, keyOf(dst.address, dst.length), (): FibRoute[] => []).push(entry)
  }
  const result = new Map<RouteTable, Table>()
  for (const [name, byLength] of tables) {
    for (const byKey of byLength.values()) for (const list of byKey.values()) list.sort((a, b) => a.metric - b.metric)
    result.set(name, { lengths: [...byLength.keys()].sort((a, b) => b - a), byLength })
  }
  return result
}

/** /etc/iproute2/rt_tables: the three tables that have names have numbers, too. */
const tableName = (table: RouteTable): RouteTable =>
  ({ '255': 'local', '254': 'main', '253': 'default' })[table] ?? table

function ensure<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}

const keyOf = (ip: Ip, length: number): Key => keysOf(ip)(length)

/** The keys of one address, which is converted once. */
function keysOf(ip: Ip): (length: number) => Key {
  if (familyOf(ip) === 'ipv4') {
    const word = ipv4ToUint32(ip)
    return (length) => maskIpv4(word, length)
  }
  const number = ipToBigInt(ip)
  return (length) => number >> BigInt(widthOf('ipv6') - length)
}

/** fib_lookup: rules in order of priority; a table that has no answer, or answers `throw`, passes on to the next rule. */
export function lookup(fib: Fib, flow: Flow): FibResult {
  const family = familyOf(flow.dst)
  const { rules, tables } = fib[family]
  for (const rule of rules) {
    if (!ruleMatches(rule, flow)) continue
    if (rule.action.kind !== 'lookup') {
      // A rule's unreachable is ENETUNREACH, which is what no route at all is (fib4_rule_action).
      if (rule.action.kind === 'unreachable') return { kind: 'none' }
      return { kind: 'refused', type: rule.action.kind, route: ruleRoute(rule.action.kind, family) }
    }
    const table = tables.get(tableName(rule.action.table))
    const found = table && lookupTable(table, flow)
    if (found && found.route.type !== 'throw') return resultOf(found)
  }
  return { kind: 'none' }
}

const ruleRoute = (type: 'blackhole' | 'prohibit', family: Family): Route => ({
  type,
  dst: anyPrefix(family),
  table: 'rule',
  proto: 'kernel',
  scope: 'global',
})

function resultOf(found: FibRoute): FibResult {
  const { type } = found.route
  switch (type) {
    case 'blackhole':
    case 'unreachable':
    case 'prohibit':
      return { kind: 'refused', type, route: found.route }
    case 'unicast':
    case 'local':
    case 'broadcast':
    case 'anycast':
    case 'multicast':
    case 'throw':
      return { kind: 'route', found }
  }
}

/** fib_table_lookup: longest prefix, then metric; a route by another device than asked for is passed over. */
function lookupTable(table: Table, flow: Flow): FibRoute | undefined {
  const key = keysOf(flow.dst)
  for (const length of table.lengths) {
    const list = table.byLength.get(length)?.get(key(length))
    const found = list?.find((r) => !needsDevice(r.route) || flow.oif === undefined || r.device === flow.oif)
    if (found) return found
  }
  return undefined
}

/** All that `lookup` compared with, longest prefix first: for explaining. */
export function candidates(fib: Fib, flow: Flow): readonly Route[] {
  const { rules, tables } = fib[familyOf(flow.dst)]
  return rules.flatMap((rule) => {
    const table = rule.action.kind === 'lookup' && ruleMatches(rule, flow) && tables.get(tableName(rule.action.table))
    if (!table) return []
    return table.lengths.flatMap((l) => (table.byLength.get(l)?.get(keyOf(flow.dst, l)) ?? []).map((r) => r.route))
  })
}
