import { type Family, familyOf, type Ip, ip } from '../net/ip.ts'
import { hostPrefix, isHostPrefix, lastAddress, networkOf, type Prefix, prefix } from '../net/prefix.ts'
import type { Link } from './link.ts'
import type { Address } from './netns.ts'
import type { Route } from './route.ts'

/** Metric of the kernel's own IPv6 prefix routes (IP6_RT_PRIO_ADDRCONF). */
const addrconfMetric = 256

/**
 * The routes that the kernel makes for addresses by itself: IPv4 as fib_add_ifaddr (net/ipv4/fib_frontend.c), IPv6 as
 * addrconf (net/ipv6/addrconf.c). A device that is down has its local routes only. Addresses on devices that are not in
 * `links` are passed over. Carrier is taken as there.
 */
export function connectedRoutes(links: readonly Link[], addresses: readonly Address[]): readonly Route[] {
  const byName = new Map(links.map((link) => [link.name, link]))
  const primaries = new Map<string, Ip>()
  const routes = addresses.flatMap((address): readonly Route[] => {
    const link = byName.get(address.dev)
    if (!link) return []
    return familyOf(address.ip) === 'ipv4' ? ipv4Routes(link, address, primaries) : ipv6Routes(link, address)
  })
  const multicast = links.filter((link) => hasIpv6(link, addresses)).map(multicastRoute)
  return unique([...routes, ...multicast])
}

const own = { table: 'local', proto: 'kernel' } as const

/** An address in the prefix of an earlier one of its device is secondary: its local route is all it gets. */
function ipv4Routes(link: Link, address: Address, primaries: Map<string, Ip>): readonly Route[] {
  const { ip: src, dev, length } = address
  const network = networkOf(src, length)
  const key = `${dev} ${network.address}/${length}`
  const primary = primaries.get(key)
  if (primary === undefined) primaries.set(key, src)
  const shown = primary ?? src
  const local: Route = { type: 'local', dst: hostPrefix(src), dev, ...own, scope: 'host', src: shown }
  if (!link.up) return [local]
  const broadcast = (dst: Ip): Route => ({
    type: 'broadcast',
    dst: hostPrefix(dst),
    dev,
    ...own,
    scope: 'link',
    src: shown,
  })
  const set = address.broadcast && address.broadcast !== ip('255.255.255.255') ? [broadcast(address.broadcast)] : []
  const zeroNet = network.address.startsWith('0.')
  if (primary !== undefined || zeroNet || isHostPrefix(network)) return [local, ...set]
  const last = length < 31 ? [broadcast(lastAddress(network))] : []
  const connected = address.noPrefixRoute ? [] : [ipv4Connected(link, address, network)]
  return [local, ...set, ...connected, ...last]
}

const ipv4Connected = (link: Link, address: Address, dst: Prefix): Route =>
  link.kind.kind === 'loopback'
    ? { type: 'local', dst, dev: address.dev, ...own, scope: 'host', src: address.ip }
    : { type: 'unicast', dst, dev: address.dev, table: 'main', proto: 'kernel', scope: 'link', src: address.ip }

function ipv6Routes(link: Link, { ip: src, dev, length, noPrefixRoute }: Address): readonly Route[] {
  const local: Route = { type: 'local', dst: hostPrefix(src), dev, ...own, scope: 'global', metric: 0 }
  if (!link.up || link.kind.kind === 'loopback' || noPrefixRoute) return [local]
  const dst = networkOf(src, length)
  return [local, { type: 'unicast', dst, dev, table: 'main', proto: 'kernel', scope: 'global', metric: addrconfMetric }]
}

const hasIpv6 = (link: Link, addresses: readonly Address[]): boolean =>
  link.up && link.kind.kind !== 'loopback' && addresses.some((a) => a.dev === link.name && familyOf(a.ip) === 'ipv6')

const multicastRoute = (link: Link): Route => ({
  type: 'multicast',
  dst: prefix('ff00::/8'),
  dev: link.name,
  ...own,
  scope: 'global',
  metric: addrconfMetric,
})

/** Two addresses of one prefix make the same route once. */
function unique(routes: readonly Route[]): readonly Route[] {
  const seen = new Set<string>()
  return routes.filter((r) => {
    const key = `${r.type} ${r.dst.address}/${r.dst.length} ${r.dev} ${r.table}`
    return !seen.has(key) && seen.add(key)
  })
}

/** The kernel's three routing rules (two for IPv6), which no artefact names. */
export const kernelRules = (family: Family) =>
  [
    { priority: 0, family, action: { kind: 'lookup', table: 'local' } },
    { priority: 32766, family, action: { kind: 'lookup', table: 'main' } },
    ...(family === 'ipv4' ? [{ priority: 32767, family, action: { kind: 'lookup', table: 'default' } } as const] : []),
  ] as const
