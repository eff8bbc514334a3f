import type { DeviceName } from '../../artefact/link.ts'
import { packetLength } from '../../packet/length.ts'
import { packetFamily } from '../../packet/packet.ts'
import type { Errno } from '../event.ts'
import { fragment } from '../fragment.ts'
import { defragment, throughHook, tracks } from '../hooks.ts'
import { type Dst, isLoopbackIp, routeAgain } from '../routing.ts'
import type { Skb } from '../skb.ts'
import { drop, type Work } from '../work.ts'
import { tooBig } from './forward.ts'

/** ip_local_out: OUTPUT, the way again where the hook changed the packet, then POSTROUTING. Returns the error. */
export function localOut(work: Work, skb: Skb, dst: Dst, from?: DeviceName): Errno | undefined {
  const made: Skb = { ...skb, inDevice: undefined, outDevice: dst.device, packetType: 'outgoing' }
  const whole = tracks(work, made) ? defragment(work, 'output', made) : made
  if (!whole) return undefined
  const after = throughHook(work, 'output', whole, { nexthop: dst.nexthop })
  if (!after) return 'EPERM'
  const to = reroute(work, whole, after, dst)
  if (typeof to === 'string') return to
  // A tunnel's packet comes in by the tunnel, as far as POSTROUTING can see.
  work.next.push({ kind: 'output', skb: { ...after, inDevice: from }, dst: to })
  return undefined
}

/** ip_route_me_harder, after DNAT (nf_nat_ipv4_local_fn) and after the mangle table (ipt_mangle_out). */
function reroute(work: Work, before: Skb, after: Skb, dst: Dst): Dst | Errno {
  const moved = after.packet.dst !== before.packet.dst
  const mangled = after.mark !== before.mark || after.packet.tos !== before.packet.tos
  if (!moved && !(mangled && manglesOutput(work, after))) return dst
  const again = routeAgain(work, after.packet, after.mark)
  if (again.kind === 'ok') return again.dst
  const loopback = again.errno === 'EINVAL' && isLoopbackIp(after.packet.src)
  const detail = loopback
    ? `${after.packet.src} may not leave this host towards ${after.packet.dst}: route_localnet is 0`
    : `no way to ${after.packet.dst} after DNAT`
  drop(work, loopback ? 'martian-source' : 'no-route', after.packet, detail)
  return again.errno
}

function manglesOutput(work: Work, skb: Skb): boolean {
  const { tables } = work.ns.state.iptables[packetFamily(skb.packet)]
  const mangle = tables.find((t) => t.name === 'mangle')
  return mangle?.chains.some((c) => c.name === 'OUTPUT' && c.rules.length > 0) ?? false
}

/** ip_output, ip6_output: POSTROUTING, then what fits the MTU. */
export function output(work: Work, skb: Skb, dst: Dst): void {
  const place = { nexthop: dst.nexthop }
  const after = throughHook(work, 'postrouting', { ...skb, outDevice: dst.device }, place)
  if (after) finishOutput(work, after, dst)
}

/** ip_finish_output: what came as fragments leaves as such fragments, even where it would fit. */
function finishOutput(work: Work, skb: Skb, dst: Dst): void {
  const { device, nexthop } = dst
  const length = packetLength(skb.packet)
  if (length <= dst.mtu && skb.fragMaxSize === undefined) {
    work.next.push({ kind: 'neighbour-output', skb, device, nexthop })
    return
  }
  const mtu = Math.min(dst.mtu, skb.fragMaxSize ?? dst.mtu)
  if (!mayFragment(skb, dst)) {
    tooBig(work, skb, dst, length)
    return
  }
  const packets = fragment(skb.packet, mtu, work.ns.options.chance)
  work.emit({ kind: 'mtu', device, mtu, length, outcome: 'fragmented' })
  for (const packet of packets) work.next.push({ kind: 'neighbour-output', skb: { ...skb, packet }, device, nexthop })
}

/** ip_fragment: DF forbids it, unless all fragments that it was made of fit. IPv6 lets the sender alone fragment. */
function mayFragment(skb: Skb, dst: Dst): boolean {
  if (skb.fragMaxSize !== undefined) return !skb.packet.df || skb.fragMaxSize <= dst.mtu
  return packetFamily(skb.packet) === 'ipv4' ? !skb.packet.df : skb.packetType === 'outgoing'
}
