import type { DeviceName, Link } from '../../artefact/link.ts'
import { familyOf, type Ip } from '../../net/ip.ts'
import { packetFamily } from '../../packet/packet.ts'
import { defragment, throughHook, tracks } from '../hooks.ts'
import { enqueue, findNeighbour, makeIncomplete } from '../neighbour.ts'
import { solicit } from '../neighbour-output.ts'
import type { Bridge } from '../netns.ts'
import { routeInput } from '../route-input.ts'
import { type Dst, routeOutput } from '../routing.ts'
import type { Skb } from '../skb.ts'
import { drop, isForwarding, isOn, type Work } from '../work.ts'
import type { Ethernet } from './ethernet.ts'

interface Passed {
  readonly ethernet: Ethernet
  /** The IP hooks have the packet, so FORWARD and POSTROUTING follow. */
  readonly netfilter: boolean
}

/** br_nf_pre_routing (net/bridge/br_netfilter_hooks.c). Undefined: it ended, waits, or goes its own way. */
export function bridgePreRouting(work: Work, bridge: Bridge, port: Link, ethernet: Ethernet): Passed | undefined {
  if (ethernet.payload.kind !== 'ip') return { ethernet, netfilter: false }
  const { skb: arrived } = ethernet.payload
  const family = packetFamily(arrived.packet)
  if (!isOn(work, `net.bridge.bridge-nf-call-${family === 'ipv4' ? 'iptables' : 'ip6tables'}`)) {
    return { ethernet, netfilter: false }
  }
  const before = lend(arrived, bridge, port, ethernet)
  const whole = tracks(work, before) ? defragment(work, `bridge ${bridge.link.name}`, before) : before
  const after = whole && throughHook(work, 'prerouting', whole, { bridged: ethernet })
  if (!after) return undefined
  const kept: Ethernet = { ...ethernet, payload: { kind: 'ip', skb: { ...after, packetType: arrived.packetType } } }
  if (after.packet.dst === arrived.packet.dst) return { ethernet: kept, netfilter: true }
  return bridgedDnat(work, bridge, port, kept, after)
}

/** The bridge stands for the port, and a frame for another MAC looks as if it were for this host (setup_pre_routing). */
function lend(skb: Skb, bridge: Bridge, port: Link, ethernet: Ethernet): Skb {
  return {
    ...skb,
    inDevice: bridge.link.name,
    physIn: port.name,
    sourceMac: ethernet.src,
    packetType: skb.packetType === 'otherhost' ? 'host' : skb.packetType,
  }
}

/** br_nf_pre_routing_finish: the destination changed, so the routing table says whether it stays on this bridge. */
function bridgedDnat(work: Work, bridge: Bridge, port: Link, ethernet: Ethernet, skb: Skb): Passed | undefined {
  const device = bridge.link.name
  const towards = sameBridge(work, bridge, skb)
  if (towards === 'dropped') return undefined
  if (towards === 'elsewhere') {
    // Up to this host's IP stack, whoever the frame was for.
    const up: Skb = { ...skb, packetType: 'host' }
    return { ethernet: { ...ethernet, dst: bridge.link.mac, payload: { kind: 'ip', skb: up } }, netfilter: true }
  }
  const neighbour = findNeighbour(work.ns.neighbours, device, towards.nexthop)
  if (neighbour?.mac !== undefined && neighbour.state !== 'incomplete' && neighbour.state !== 'failed') {
    const entry = neighbour.artefact ?? { ip: neighbour.ip, dev: device, mac: neighbour.mac, state: neighbour.state }
    work.emit({ kind: 'neighbour', device, ip: towards.nexthop, entry })
    const rewritten: Ethernet = { ...ethernet, dst: neighbour.mac }
    // NUD_CONNECTED: an address that was only heard of (stale) is not taken for certain.
    if (neighbour.headerCached && neighbour.state !== 'stale') return { ethernet: rewritten, netfilter: true }
    // Until the header was built once, the frame passes the bridge device itself (neigh_resolve_output).
    neighbour.headerCached = true
    work.next.push({ kind: 'bridge-resume', bridge: device, port: port.name, ethernet: rewritten })
    return undefined
  }
  const waiting = neighbour ?? makeIncomplete(work.ns.neighbours, device, towards.nexthop)
  enqueue(waiting, { skb, bridged: { port: port.name, ethernet } })
  work.emit({ kind: 'neighbour-wait', device, ip: towards.nexthop })
  if (waiting.queue.length === 1) solicit(work, waiting, skb)
  return undefined
}

type Towards = Dst | 'elsewhere' | 'dropped'

function sameBridge(work: Work, bridge: Bridge, skb: Skb): Towards {
  const device = bridge.link.name
  const route = routeInput(work, { ...skb, packetType: 'host' }, device)
  if (route.kind === 'forward') return route.dst.device === device ? route.dst : 'elsewhere'
  if (route.kind !== 'ignored') return 'elsewhere'
  if (route.reason === 'ip-forward-off' && !isForwarding(work, familyOf(skb.packet.dst), device)) {
    // ip_route_input_slow makes a route that fails of it, by another device; ip6_route_input does not ask.
    const out = packetFamily(skb.packet) === 'ipv6' ? byOutput(work, device, skb.packet.dst) : 'elsewhere'
    if (out) return out
  }
  drop(work, route.reason, skb.packet, route.detail, device)
  return 'dropped'
}

function byOutput(work: Work, device: DeviceName, dst: Ip): Dst | undefined {
  const out = routeOutput(work, { src: undefined, dst, mark: 0 }, 'forward')
  return out.kind === 'ok' && out.dst.device === device ? out.dst : undefined
}

/** br_nf_forward_ip and br_nf_post_routing: FORWARD with the bridge on both sides, POSTROUTING with no way in. */
export function bridgePostRouting(
  work: Work,
  bridge: Bridge,
  from: Link,
  to: Link,
  ethernet: Ethernet,
): Ethernet | undefined {
  if (ethernet.payload.kind !== 'ip') return ethernet
  const device = bridge.link.name
  const { skb } = ethernet.payload
  const { packetType } = skb
  const seen: Skb = {
    ...skb,
    inDevice: device,
    outDevice: device,
    physIn: from.name,
    physOut: to.name,
    packetType: packetType === 'otherhost' ? 'host' : packetType,
  }
  const forwarded = throughHook(work, 'forward', seen, { bridged: ethernet })
  const out =
    forwarded && throughHook(work, 'postrouting', { ...forwarded, inDevice: undefined }, { bridged: ethernet })
  return out && { ...ethernet, payload: { kind: 'ip', skb: { ...out, packetType } } }
}
