import type { DeviceName } from '../../artefact/link.ts'
import { packetLength } from '../../packet/length.ts'
import { packetFamily } from '../../packet/packet.ts'
import type { Errno } from '../event.ts'
import { fragment } from '../fragment.ts'
import { defragment, throughHook, tracks } from '../hooks.ts'
import { reroutesOutput } from '../netfilter/netfilter.ts'
import { type Dst, isLoopbackIp, routeAgain } from '../routing.ts'
import type { Skb } from '../skb.ts'
import { fail } from '../socket-error.ts'
import { drop, type Work } from '../work.ts'
import { tooBig } from './forward.ts'

/** ip_local_out: OUTPUT, the way again where the hook changed the packet, then POSTROUTING. Returns the error. */
export function localOut(work: Work, skb: Skb, dst: Dst, from?: DeviceName): Errno | undefined {
  const made: Skb = { ...skb, inDevice: undefined, outDevice: dst.device, packetType: 'outgoing' }
  const whole = tracks(work, made) ? defragment(work, 'output', made) : made
  if (!whole) return undefined
  let to: Dst | Errno = dst
  const reroute = (moved: Skb): boolean => {
    to = newRoute(work, moved)
    return typeof to !== 'string'
  }
  let isStolen = false
  const onStolen = (): void => {
    isStolen = true
  }
  const after = throughHook(work, 'output', whole, { nexthop: dst.nexthop, reroute, onStolen })
  if (isStolen) return undefined
  if (after && isMangled(work, whole, after)) to = newRoute(work, after)
  if (typeof to === 'string') return to
  if (!after) return 'EPERM'
  // A tunnel's packet comes in by the tunnel, as far as POSTROUTING can see.
  work.next.push({ kind: 'output', skb: { ...after, inDevice: from }, dst: to })
  return undefined
}

/** ip_route_me_harder: netfilter changed the packet on its way out. */
function newRoute(work: Work, skb: Skb): Dst | Errno {
  const again = routeAgain(work, skb.packet, skb.mark)
  if (again.kind === 'ok') return again.dst
  const { src, dst } = skb.packet
  const loopback = again.errno === 'EINVAL' && isLoopbackIp(src)
  const detail = loopback ? `${src} may not leave this host towards ${dst}: route_localnet is 0` : `no way to ${dst}`
  drop(work, loopback ? 'martian-source' : 'no-route', skb.packet, detail)
  return again.errno
}

/** The mangle table re-routes for another mark or TOS (ipt_mangle_out); the nat table for another destination alone. */
function isMangled(work: Work, before: Skb, after: Skb): boolean {
  const changed = after.mark !== before.mark || after.packet.tos !== before.packet.tos
  return changed && after.packet.dst === before.packet.dst && manglesOutput(work, after)
}

function manglesOutput(work: Work, skb: Skb): boolean {
  const family = packetFamily(skb.packet)
  if (reroutesOutput(work.ns.netfilter, family)) return true
  const { tables } = work.ns.state.iptables[family]
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
  const mtu = Math.min(dst.mtu, skb.fragMaxSize ?? skb.pieceSize ?? dst.mtu)
  if (!mayFragment(skb, dst)) {
    tooBig(work, skb, dst, length)
    // ip_fragment: netfilter has led it to a smaller MTU than the system call knew of.
    if (skb.sender !== undefined) fail(work, skb.sender, 'EMSGSIZE', `${length} bytes, MTU ${dst.mtu}`)
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
