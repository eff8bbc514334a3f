import { type Family, familyOf, type Ip, parseIp } from '../net/ip.ts'
import { anyPrefix, formatPrefix, isHostPrefix, type Prefix, parsePrefix, prefixFamily } from '../net/prefix.ts'
import { type DeviceName, deviceName } from './link.ts'
import { present } from './problem.ts'
import type { Route, RouteTable, RouteType } from './route.ts'
import { type Parsed, parseLines, parseWholeNumber, type WordReader } from './text-line.ts'

/** Metric of an IPv6 route that names none (include/uapi/linux/ipv6_route.h, IP6_RT_PRIO_USER). */
export const defaultIpv6Metric = 1024

const types: readonly RouteType[] = [
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
]
const hasNoDevice = (type: RouteType): boolean =>
  type === 'blackhole' || type === 'unreachable' || type === 'prohibit' || type === 'throw'

/** `default`, a host without its length, else the block: how `ip` writes prefixes. */
export function formatRoutePrefix(p: Prefix): string {
  if (p.length === 0) return 'default'
  return isHostPrefix(p) ? p.address : formatPrefix(p)
}

/** One line as `ip route show table all` prints it (without its final blank), which `ip route add` takes again. */
export function formatRoute(route: Route): string {
  const ipv6 = prefixFamily(route.dst) === 'ipv6'
  const dev = route.dev ?? (ipv6 && hasNoDevice(route.type) ? 'lo' : undefined)
  const metric = route.metric ?? (ipv6 ? defaultIpv6Metric : undefined)
  return [
    route.type === 'unicast' ? [] : [route.type],
    formatRoutePrefix(route.dst),
    route.via ? ['via', route.via] : [],
    dev ? ['dev', dev] : [],
    route.table === 'main' ? [] : ['table', route.table],
    route.proto === 'boot' ? [] : ['proto', route.proto],
    ipv6 || route.scope === 'global' ? [] : ['scope', route.scope],
    route.src ? ['src', route.src] : [],
    metric === undefined ? [] : ['metric', String(metric)],
    route.onlink ? ['onlink'] : [],
    route.mtu === undefined ? [] : ['mtu', String(route.mtu)],
    ipv6 ? ['pref', 'medium'] : [],
  ]
    .flat()
    .join(' ')
}

/**
 * Reads `ip route show [table all]` (`-4` or `-6`), and `ip route add ...` commands, where `ip` fills in what is left out:
 * the scope, and table local for local routes. `family` decides what a bare `default` is.
 */
export const parseRoutes = (text: string, family: Family = 'ipv4'): Parsed<Route> =>
  parseLines(text, (words) => readRoute(words, family))

interface Draft {
  type: RouteType
  dst?: Prefix | undefined
  via?: Ip | undefined
  dev?: DeviceName | undefined
  table?: RouteTable | undefined
  proto?: string | undefined
  scope?: Route['scope'] | undefined
  src?: Ip | undefined
  metric?: number | undefined
  mtu?: number | undefined
  onlink?: true
  ipv6?: boolean
}

function readRoute(words: WordReader, family: Family): Route | undefined {
  const draft: Draft = { type: words.maybe((w) => types.find((t) => t === w)) ?? 'unicast' }
  const first = words.next()
  if (first === 'nexthop') return words.bad('nexthop', 'a route with one next hop (multipath routes are not modelled)')
  draft.dst = first === 'default' || first === 'all' ? undefined : parsePrefix(first)
  if (draft.dst === undefined && first !== 'default' && first !== 'all')
    return words.bad(first, 'a destination: default, an address, or a CIDR block')
  while (words.more) readAttribute(words, draft)
  return words.problem ? undefined : finish(words, draft, family)
}

const ignoredFlags = new Set(['linkdown', 'dead', 'offload', 'trap', 'rt_offload', 'rt_trap', 'pervasive', 'notify'])
const ignoredValues = new Set([
  'advmss',
  'cwnd',
  'expires',
  'error',
  'features',
  'hoplimit',
  'initcwnd',
  'initrwnd',
  'nhid',
  'quickack',
  'reordering',
  'rtt',
  'rttvar',
  'ssthresh',
  'weight',
])

const expectIp = 'an IP address'

function readAttribute(words: WordReader, draft: Draft): undefined {
  const name = words.next()
  switch (name) {
    case 'via':
      words.maybe((w) => (w === 'inet' ? w : undefined))
      draft.via = words.take(parseIp, expectIp)
      return
    case 'dev':
    case 'oif':
      draft.dev = words.take(deviceName, 'a device name')
      return
    case 'table':
      draft.table = words.take(tableName, 'main, local, default or a table number')
      return
    case 'proto':
    case 'protocol':
      draft.proto = words.take(protocolName, 'a routing protocol: kernel, boot, static, bird, or a number')
      return
    case 'scope':
      draft.scope = words.take(scopeName, 'global, link or host')
      return
    case 'src':
      draft.src = words.take(parseIp, expectIp)
      return
    case 'metric':
    case 'priority':
    case 'preference':
      draft.metric = words.take(parseWholeNumber, 'a number')
      return
    case 'mtu':
      words.maybe((w) => (w === 'lock' ? w : undefined))
      draft.mtu = words.take(parseWholeNumber, 'a number of bytes')
      return
    case 'onlink':
      draft.onlink = true
      return
    case 'pref':
      draft.ipv6 = true
      words.next()
      return
  }
  if (ignoredValues.has(name)) words.next()
  else if (!ignoredFlags.has(name))
    words.bad(name, 'via, dev, table, proto, scope, src, metric, mtu or onlink (anything else is not modelled)')
}

function finish(words: WordReader, draft: Draft, family: Family): Route | undefined {
  const told = draft.via ?? draft.src
  const guess = words.line.family ?? (told ? familyOf(told) : draft.ipv6 ? 'ipv6' : family)
  const dst = draft.dst ?? anyPrefix(guess)
  const ipv6 = prefixFamily(dst) === 'ipv6'
  const drops = hasNoDevice(draft.type)
  if (!drops && draft.via === undefined && draft.dev === undefined)
    return words.bad(words.line.text, 'via ADDRESS or dev DEVICE')
  if (draft.via && familyOf(draft.via) !== prefixFamily(dst))
    return words.bad(`via ${draft.via}`, `a next hop of the family of ${formatPrefix(dst)}`)
  const metric = ipv6 && draft.metric === defaultIpv6Metric ? undefined : draft.metric
  return present<Route>({
    type: draft.type,
    dst,
    via: draft.via,
    dev: drops && draft.dev === 'lo' ? undefined : draft.dev,
    table: draft.table ?? defaultTable(words.line.command, draft.type),
    proto: draft.proto ?? 'boot',
    scope: ipv6 ? 'global' : (draft.scope ?? (words.line.command ? defaultScope(draft) : 'global')),
    src: draft.src,
    metric,
    mtu: draft.mtu,
    onlink: draft.onlink,
  })
}

const isOwn = (type: RouteType): boolean => type === 'local' || type === 'broadcast' || type === 'anycast'

const defaultTable = (command: boolean, type: RouteType): RouteTable => (command && isOwn(type) ? 'local' : 'main')

/** What iproute2 fills in (iproute_modify). */
function defaultScope(draft: Draft): Route['scope'] {
  if (draft.type === 'local') return 'host'
  if (draft.type === 'broadcast' || draft.type === 'multicast' || draft.type === 'anycast') return 'link'
  return draft.type === 'unicast' && draft.via === undefined ? 'link' : 'global'
}

const tableNames: Readonly<Record<string, RouteTable>> = { '253': 'default', '254': 'main', '255': 'local' }

/** One name for each table: numbers in decimal, and the three that have a name by name. */
export function tableName(text: string): RouteTable | undefined {
  if (Object.values(tableNames).includes(text)) return text
  const number = parseWholeNumber(text)
  return number === undefined || number === 0 ? undefined : (tableNames[number] ?? String(number))
}

/** /etc/iproute2/rt_protos. */
const protocols: Readonly<Record<string, number>> = {
  redirect: 1,
  kernel: 2,
  boot: 3,
  static: 4,
  gated: 8,
  ra: 9,
  mrt: 10,
  zebra: 11,
  bird: 12,
  dnrouted: 13,
  xorp: 14,
  ntk: 15,
  dhcp: 16,
  keepalived: 18,
  babel: 42,
  bgp: 186,
  isis: 187,
  ospf: 188,
  rip: 189,
  eigrp: 192,
}

function protocolName(text: string): string | undefined {
  if (Object.hasOwn(protocols, text)) return text
  const number = parseWholeNumber(text)
  if (number === undefined || number > 255) return undefined
  return Object.entries(protocols).find(([, n]) => n === number)?.[0] ?? String(number)
}

const scopes: Readonly<Record<string, Route['scope']>> = {
  global: 'global',
  universe: 'global',
  '0': 'global',
  link: 'link',
  '253': 'link',
  host: 'host',
  '254': 'host',
}
const scopeName = (text: string): Route['scope'] | undefined => scopes[text]
