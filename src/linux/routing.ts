import type { DeviceName } from '../artefact/link.ts'
import type { Route } from '../artefact/route.ts'
import { familyOf, type Ip, ipv4ToUint32 } from '../net/ip.ts'
import type { IpPacket } from '../packet/packet.ts'
import { selectIpv4, selectIpv6 } from './addresses.ts'
import { isMulticastIp } from './device/ethernet.ts'
import type { Errno, FibEvent, RouteOutcome } from './event.ts'
import { candidates, type FibResult, type FibRoute, lookup } from './fib.ts'
import type { Flow } from './rules.ts'
import { conf, loopbackOf, type Work } from './work.ts'

/** Where a packet goes next (struct dst_entry). */
export interface Dst {
  readonly kind: 'unicast' | 'local' | 'broadcast' | 'multicast'
  /** The loopback device for `local`. */
  readonly device: DeviceName
  readonly nexthop: Ip
  readonly mtu: number
  readonly route: Route | undefined
}

export type OutputRoute =
  | { readonly kind: 'ok'; readonly dst: Dst; readonly src: Ip | undefined }
  | { readonly kind: 'error'; readonly errno: Errno; readonly outcome: RouteOutcome }

type Purpose = Extract<FibEvent, { kind: 'route' }>['purpose']

export const isLoopbackIp = (ip: Ip): boolean =>
  familyOf(ip) === 'ipv4' ? ipv4ToUint32(ip) >>> 24 === 127 : ip === '::1'
export const limitedBroadcast = '255.255.255.255' as Ip

/** fib_lookup, told. */
export function find(work: Work, flow: Flow): FibResult {
  const result = lookup(work.ns.fib, flow)
  if (work.ns.options.everyRule) {
    work.emit({ kind: 'route-candidates', candidates: candidates(work.ns.fib, flow) })
  }
  return result
}

export function tellRoute(work: Work, purpose: Purpose, flow: Flow, result: RouteOutcome): void {
  const { src, dst, mark, iif } = flow
  work.emit({ kind: 'route', purpose, packet: { src, dst, mark, iif }, result })
}

/** ip_route_output_key (net/ipv4/route.c), ip6_route_output: the way for a packet of this host, and its source. */
export function routeOutput(
  work: Work,
  flow: {
    readonly src: Ip | undefined
    readonly dst: Ip
    readonly mark: number
    readonly oif?: DeviceName | undefined
  },
  purpose: Purpose,
): OutputRoute {
  const full: Flow = { ...flow, iif: loopbackOf(work) }
  const result = decideOutput(work, full)
  tellRoute(work, purpose, { ...full, iif: undefined }, result.kind === 'ok' ? outcomeOf(result) : result.outcome)
  return result
}

function decideOutput(work: Work, flow: Flow): OutputRoute {
  const device = flow.oif ?? deviceOfSource(work, flow)
  if (device !== undefined && flow.dst === limitedBroadcast) return limitedBroadcastRoute(work, flow, device)
  const result = find(work, flow)
  if (result.kind === 'none') return { kind: 'error', errno: 'ENETUNREACH', outcome: { kind: 'none' } }
  if (result.kind === 'refused') {
    return { kind: 'error', errno: refusal[result.type], outcome: { kind: result.type, route: result.route } }
  }
  const { found } = result
  const dst = dstOf(work, found, flow.dst)
  if (!dst) return { kind: 'error', errno: 'ENETUNREACH', outcome: { kind: 'none' } }
  const src = flow.src ?? sourceFor(work, found, dst, flow.dst)
  if (src !== undefined && !mayLeave(work, src, dst)) {
    // __mkroute_output: a loopback address may not leave the host unless route_localnet says so.
    return { kind: 'error', errno: 'EINVAL', outcome: { kind: 'none' } }
  }
  return { kind: 'ok', dst, src }
}

/** fib_props (net/ipv4/fib_semantics.c). */
export const refusal = {
  blackhole: 'EINVAL',
  unreachable: 'EHOSTUNREACH',
  prohibit: 'EACCES',
} as const satisfies Record<string, Errno>

function mayLeave(work: Work, src: Ip, dst: Dst): boolean {
  if (familyOf(src) === 'ipv6' || !isLoopbackIp(src) || dst.device === loopbackOf(work)) return true
  return conf(work, 'ipv4', dst.device, 'route_localnet') !== 0
}

/** Sent from an address of its own, a broadcast leaves by that address's device, whatever the routes are. */
const deviceOfSource = (work: Work, { src, dst }: Flow): DeviceName | undefined =>
  src !== undefined && dst === limitedBroadcast ? work.ns.addresses.byIp.get(src)?.[0]?.dev : undefined

function limitedBroadcastRoute(work: Work, flow: Flow, device: DeviceName): OutputRoute {
  const link = work.ns.links.get(device)
  if (!link) return { kind: 'error', errno: 'ENETUNREACH', outcome: { kind: 'none' } }
  const dst: Dst = { kind: 'broadcast', device, nexthop: flow.dst, mtu: link.mtu, route: undefined }
  return { kind: 'ok', dst, src: flow.src ?? sourceAddress(work, device, undefined, 'link') }
}

export function dstOf(work: Work, found: FibRoute, target: Ip): Dst | undefined {
  const { route } = found
  if (route.type === 'local') {
    const device = loopbackOf(work)
    return { kind: 'local', device, nexthop: target, mtu: work.ns.links.get(device)?.mtu ?? 65536, route }
  }
  const link = found.device === undefined ? undefined : work.ns.links.get(found.device)
  if (!link) return undefined
  const mtu = Math.min(route.mtu ?? link.mtu, link.mtu)
  const toAll = route.type === 'broadcast' || target === limitedBroadcast
  const kind = isMulticastIp(target) ? 'multicast' : toAll ? 'broadcast' : 'unicast'
  return { kind, device: link.name, nexthop: route.via ?? target, mtu, route }
}

/** fib_result_prefsrc, and its IPv6 twin. A packet to oneself comes from the address that it goes to. */
function sourceFor(work: Work, found: FibRoute, dst: Dst, target: Ip): Ip | undefined {
  if (dst.kind === 'local') return found.route.src ?? target
  if (found.route.src !== undefined) return found.route.src
  return sourceAddress(work, dst.device, found.route.via, 'global', target)
}

/** inet_select_addr / ipv6_dev_get_saddr for a device and a neighbour on it. */
export function sourceAddress(
  work: Work,
  device: DeviceName,
  nexthop: Ip | undefined,
  scope: 'global' | 'link' | 'host' = 'global',
  target: Ip | undefined = nexthop,
): Ip | undefined {
  const book = work.ns.addresses
  if (target && familyOf(target) === 'ipv6') return selectIpv6(book, device, target)
  return selectIpv4(book, [...work.ns.links.keys()], device, nexthop, scope)
}

export function outcomeOf({ dst, src }: { readonly dst: Dst; readonly src: Ip | undefined }): RouteOutcome {
  const { kind, device, nexthop, route } = dst
  if (kind === 'broadcast' || kind === 'multicast' || !route) {
    return { kind: kind === 'multicast' ? 'multicast' : 'broadcast', device }
  }
  if (kind === 'local') return { kind: 'local', route, device: route.dev ?? device }
  return { kind: 'unicast', route, device, nexthop, prefSrc: src }
}

/** ip_route_me_harder: netfilter changed the packet on its way out, so the way is looked up again. */
export function routeAgain(work: Work, packet: IpPacket, mark: number): OutputRoute {
  return routeOutput(work, { src: packet.src, dst: packet.dst, mark }, 'reroute')
}
