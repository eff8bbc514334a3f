import type { DeviceName } from '../artefact/link.ts'
import { type Ip, ip, ipToBigInt, ipv4ToUint32 } from '../net/ip.ts'
import { packetFamily } from '../packet/packet.ts'
import { addressesOf, isLinkLocal } from './addresses.ts'
import { isMulticastIp } from './device/ethernet.ts'
import type { DropReason, RouteOutcome } from './event.ts'
import { type FibResult, lookup } from './fib.ts'
import { type Dst, dstOf, find, isLoopbackIp, limitedBroadcast, outcomeOf, tellRoute } from './routing.ts'
import type { Flow } from './rules.ts'
import type { Skb } from './skb.ts'
import { conf, isForwarding, isOn, loopbackOf, type Work } from './work.ts'

/** What ip_route_input makes of a packet that came in. */
export type InputRoute =
  | { readonly kind: 'local'; readonly broadcast: boolean }
  /** `redirect`: it leaves by the device that it came in on, and the sender could have gone there itself. */
  | { readonly kind: 'forward'; readonly dst: Dst; readonly redirect: boolean }
  /** ip_error: told to the sender where this host forwards. */
  | { readonly kind: 'error'; readonly cause: 'none' | 'blackhole' | 'unreachable' | 'prohibit' }
  | { readonly kind: 'ignored'; readonly reason: DropReason; readonly detail: string }

export function routeInput(work: Work, skb: Skb, device: DeviceName): InputRoute {
  const { src, dst } = skb.packet
  const flow: Flow = { src, dst, iif: device, mark: skb.mark }
  return packetFamily(skb.packet) === 'ipv4' ? routeInputIpv4(work, flow, device) : routeInputIpv6(work, flow, device)
}

const ignored = (reason: DropReason, detail: string): InputRoute => ({ kind: 'ignored', reason, detail })

/** ip_route_input_slow (net/ipv4/route.c), in its order. */
function routeInputIpv4(work: Work, flow: Flow & { readonly src: Ip | undefined }, device: DeviceName): InputRoute {
  const src = flow.src ?? ip('0.0.0.0')
  if (isMulticastIp(flow.dst)) return multicastInput(work, flow, device)
  if (isMulticastIp(src) || src === limitedBroadcast) return ignored('martian-source', `${src} is no unicast address`)
  if (flow.dst === limitedBroadcast) return broadcastInput(work, flow, device)
  if (isZeroNet(src)) return ignored('martian-source', `${src} is in 0.0.0.0/8`)
  if (isZeroNet(flow.dst)) return ignored('martian-destination', `${flow.dst} is in 0.0.0.0/8`)
  if (isLoopbackIp(flow.dst) && !routeLocalnet(work, device)) {
    return ignored('martian-destination', `${flow.dst} came in on ${device}, whose route_localnet is 0`)
  }
  if (isLoopbackIp(src) && !routeLocalnet(work, device)) {
    return ignored('martian-source', `${src} came in on ${device}, whose route_localnet is 0`)
  }
  const result = find(work, flow)
  const local = result.kind === 'route' && result.found.route.type
  if (local === 'broadcast') return broadcastInput(work, flow, device)
  if (local === 'local') return localInput(work, flow, device, result)
  return forwardInput(work, flow, device, result)
}

const isZeroNet = (address: Ip): boolean => ipv4ToUint32(address) >>> 24 === 0
const routeLocalnet = (work: Work, device: DeviceName): boolean => conf(work, 'ipv4', device, 'route_localnet') !== 0

function localInput(work: Work, flow: Flow, device: DeviceName, result: FibResult): InputRoute {
  const bad = validateSource(work, flow, device, undefined)
  if (bad.kind === 'ignored') return bad
  if (result.kind === 'route') {
    const { route } = result.found
    tellRoute(work, 'input', flow, { kind: 'local', route, device: route.dev ?? device })
  }
  return { kind: 'local', broadcast: false }
}

function broadcastInput(work: Work, flow: Flow, device: DeviceName): InputRoute {
  if (flow.src !== undefined && !isZeroNet(flow.src)) {
    const bad = validateSource(work, flow, device, undefined)
    if (bad.kind === 'ignored') return bad
  }
  tellRoute(work, 'input', flow, { kind: 'broadcast', device })
  return { kind: 'local', broadcast: true }
}

/** Groups that every host is in: all hosts, all nodes, and the solicited-node groups of its addresses. */
function multicastInput(work: Work, flow: Flow, device: DeviceName): InputRoute {
  const joined =
    flow.dst === '224.0.0.1' ||
    flow.dst === 'ff02::1' ||
    addressesOf(work.ns.addresses, device, 'ipv6').some((a) => solicitedNode(a.ip) === flow.dst)
  if (!joined) return ignored('other-host', `nobody here has joined ${flow.dst}`)
  tellRoute(work, 'input', flow, { kind: 'multicast', device })
  return { kind: 'local', broadcast: true }
}

/** RFC 4291, 2.7.1. */
export function solicitedNode(address: Ip): Ip {
  const hex = (ipToBigInt(address) & 0xffffffn).toString(16).padStart(6, '0')
  return ip(`ff02::1:ff${hex.slice(0, 2)}:${hex.slice(2)}`)
}

function forwardInput(work: Work, flow: Flow, device: DeviceName, result: FibResult): InputRoute {
  const forwarding = isForwarding(work, 'ipv4', device)
  if (!forwarding) {
    tellRoute(work, 'input', flow, refusedOutcome(work, result, flow.dst))
    // Forwarding is each device's own; ip_forward sets all of them.
    const key = isOn(work, 'net.ipv4.ip_forward') ? `net.ipv4.conf.${device}.forwarding` : 'net.ipv4.ip_forward'
    const effect = `${device} does not forward: a packet for another host ends here`
    work.emit({ kind: 'sysctl', key, value: '0', effect })
    return ignored('ip-forward-off', `${flow.dst} is not local and ${key} is 0: ${device} does not forward`)
  }
  if (result.kind !== 'route') {
    tellRoute(work, 'forward', flow, refusedOutcome(work, result, flow.dst))
    return { kind: 'error', cause: result.kind === 'none' ? 'none' : result.type }
  }
  const dst = dstOf(work, result.found, flow.dst)
  if (!dst) return { kind: 'error', cause: 'none' }
  const validated = validateSource(work, flow, device, dst.device)
  if (validated.kind === 'ignored') return validated
  tellRoute(work, 'forward', flow, outcomeOf({ dst, src: undefined }))
  return { kind: 'forward', dst, redirect: validated.neighbour && mayRedirect(work, flow, dst, device) }
}

function refusedOutcome(work: Work, result: FibResult, target: Ip): RouteOutcome {
  if (result.kind === 'none') return { kind: 'none' }
  if (result.kind === 'refused') return { kind: result.type, route: result.route }
  const dst = dstOf(work, result.found, target)
  return dst ? outcomeOf({ dst, src: undefined }) : { kind: 'none' }
}

/** __mkroute_input: IPSKB_DOREDIRECT. `shared_media` (default 1) spares the test that both are on one network. */
function mayRedirect(work: Work, flow: Flow, dst: Dst, device: DeviceName): boolean {
  return dst.device === device && flow.src !== undefined && conf(work, 'ipv4', device, 'send_redirects') !== 0
}

type Validated =
  | { readonly kind: 'valid' /** The source is on the link that the packet came by. */; readonly neighbour: boolean }
  | Extract<InputRoute, { kind: 'ignored' }>

/** fib_validate_source (net/ipv4/fib_frontend.c): a host's own address is never a source, and rp_filter. */
function validateSource(work: Work, flow: Flow, device: DeviceName, out: DeviceName | undefined): Validated {
  const { src } = flow
  if (src === undefined) return { kind: 'valid', neighbour: false }
  const mode = conf(work, 'ipv4', device, 'rp_filter')
  const back = lookup(work.ns.fib, {
    src: flow.dst,
    dst: src,
    iif: out ?? loopbackOf(work),
    mark: conf(work, 'ipv4', device, 'src_valid_mark') ? flow.mark : 0,
  })
  const isLoopback = device === loopbackOf(work)
  if (back.kind === 'route' && back.found.route.type !== 'unicast' && !isLoopback) {
    const acceptable = back.found.route.type === 'local' && conf(work, 'ipv4', device, 'accept_local') !== 0
    if (!acceptable) {
      return { kind: 'ignored', reason: 'martian-source', detail: `source ${src} is an address of this host` }
    }
  }
  const returns = back.kind === 'route' && back.found.route.type === 'unicast' ? back.found : undefined
  if (returns?.device === device) return { kind: 'valid', neighbour: returns.route.via === undefined }
  if (mode === 0 || isLoopback) return { kind: 'valid', neighbour: false }
  // A device without addresses cannot be loose (no_addr in __fib_validate_source).
  const numbered = addressesOf(work.ns.addresses, device, 'ipv4').length > 0
  if (mode === 2 && returns && numbered) return { kind: 'valid', neighbour: false }
  const effect = `replies to ${src} ${returns ? `leave by ${returns.device}` : 'have no route'}, not by ${device}`
  work.emit({ kind: 'sysctl', key: `net.ipv4.conf.${device}.rp_filter`, value: String(mode), effect })
  return { kind: 'ignored', reason: 'rp-filter', detail: `rp_filter ${mode} on ${device}: ${effect}` }
}

/** ip6_route_input, and what ip6_rcv_core refuses. There is no reverse path filter for IPv6. */
function routeInputIpv6(work: Work, flow: Flow, device: DeviceName): InputRoute {
  const onLoopback = device === loopbackOf(work)
  if (flow.src !== undefined && isMulticastIp(flow.src)) return ignored('martian-source', `${flow.src} is a group`)
  if (!onLoopback && isLoopbackIp(flow.dst)) return ignored('martian-destination', `::1 came in on ${device}`)
  if (!onLoopback && flow.src === '::1') return ignored('martian-source', `::1 came in on ${device}`)
  if (isMulticastIp(flow.dst)) return multicastInput(work, flow, device)
  const scoped = isLinkLocal(flow.dst)
  if (scoped && !addressesOf(work.ns.addresses, device, 'ipv6').some((a) => a.ip === flow.dst)) {
    return ignored('other-host', `${flow.dst} is no address of ${device}`)
  }
  const result = find(work, flow)
  if (result.kind === 'route' && result.found.route.type === 'local') {
    const { route } = result.found
    tellRoute(work, 'input', flow, { kind: 'local', route, device: route.dev ?? device })
    return { kind: 'local', broadcast: false }
  }
  if (result.kind !== 'route') {
    tellRoute(work, 'forward', flow, refusedOutcome(work, result, flow.dst))
    return { kind: 'error', cause: result.kind === 'none' ? 'none' : result.type }
  }
  return forwardIpv6(work, flow, device, result)
}

function forwardIpv6(
  work: Work,
  flow: Flow,
  device: DeviceName,
  result: Extract<FibResult, { kind: 'route' }>,
): InputRoute {
  const dst = dstOf(work, result.found, flow.dst)
  if (!dst) return { kind: 'error', cause: 'none' }
  tellRoute(work, 'forward', flow, outcomeOf({ dst, src: undefined }))
  if (!isForwarding(work, 'ipv6', device)) {
    const effect = `${device} does not forward: a packet for another host ends here`
    work.emit({ kind: 'sysctl', key: 'net.ipv6.conf.all.forwarding', value: '0', effect })
    return ignored('ip-forward-off', `${flow.dst} is not local and net.ipv6.conf.all.forwarding is 0`)
  }
  return { kind: 'forward', dst, redirect: false }
}
