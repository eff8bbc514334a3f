import type { DeviceName } from '../../artefact/link.ts'
import { type IpPacket, packetFamily } from '../../packet/packet.ts'
import { cause, type IcmpCause } from '../action.ts'
import type { DropReason } from '../event.ts'
import { defragment, throughHook, tracks } from '../hooks.ts'
import { type InputRoute, routeInput } from '../route-input.ts'
import type { Skb } from '../skb.ts'
import { drop, isLocalIp, linkOf, type Work } from '../work.ts'
import { forward } from './forward.ts'

/** ip_rcv and ipv6_rcv: PREROUTING, unless br_netfilter ran it already, then the routing decision. */
export function ipReceive(work: Work, skb: Skb, device: DeviceName, prerouted: boolean): void {
  const { packet } = skb
  // ip_rcv_core clears the control block: what br_netfilter put together on the bridge counts as one packet from here on.
  const { fragMaxSize: _, ...arrived } = skb
  if (skb.packetType === 'otherhost') {
    drop(work, 'other-host', packet, `the frame is not for the MAC of ${device}`, device)
    return
  }
  const seen: Skb = { ...arrived, inDevice: device, outDevice: undefined, physIn: prerouted ? skb.physIn : undefined }
  const passed = prerouted ? seen : preroute(work, seen)
  if (!passed) return
  // On loopback the packet still has the route that it was sent by, unless DNAT took it.
  const sentHere = linkOf(work, device)?.kind.kind === 'loopback' && passed.packet.dst === packet.dst
  if (sentHere && isLocalIp(work, packet.dst)) {
    work.next.push({ kind: 'deliver', skb: passed, device, broadcast: false })
    return
  }
  take(work, passed, device, routeInput(work, passed, device))
}

function preroute(work: Work, skb: Skb): Skb | undefined {
  const whole = tracks(work, skb) ? defragment(work, 'prerouting', skb) : skb
  return whole && throughHook(work, 'prerouting', whole)
}

function take(work: Work, skb: Skb, device: DeviceName, route: InputRoute): void {
  switch (route.kind) {
    case 'local':
      work.next.push({ kind: 'deliver', skb, device, broadcast: route.broadcast })
      return
    case 'forward':
      forward(work, skb, device, route)
      return
    case 'ignored':
      // A question to another host's group is like ARP that asks for another: nothing is lost.
      if (isSolicitation(skb.packet)) return
      drop(work, route.reason, skb.packet, route.detail, device)
      return
    case 'error':
      refuse(work, skb, device, route.cause)
      return
  }
}

const isSolicitation = ({ payload }: IpPacket): boolean =>
  payload.kind === 'icmp' && payload.message.kind === 'neighbour-solicitation'

type Cause = Extract<InputRoute, { kind: 'error' }>['cause']

/** ip_error, ip6_pkt_discard: what the sender is told depends on the kind of the route. */
function refuse(work: Work, skb: Skb, device: DeviceName, why: Cause): void {
  const { reason, detail } = endOf(skb.packet, why)
  drop(work, reason, skb.packet, detail, device)
  const error = errorOf(skb.packet, why, detail)
  if (error) work.next.push({ kind: 'icmp-error', about: skb, error })
}

function endOf(packet: IpPacket, why: Cause): { readonly reason: DropReason; readonly detail: string } {
  if (why === 'none') return { reason: 'no-route', detail: `no route to ${packet.dst}` }
  return { reason: `${why}-route`, detail: `the route to ${packet.dst} is of type ${why}` }
}

function errorOf(packet: IpPacket, why: Cause, detail: string): IcmpCause | undefined {
  const family = packetFamily(packet)
  switch (why) {
    case 'blackhole':
      return undefined
    case 'none':
      return cause(family, 'noRoute', detail)
    case 'unreachable':
      // IPv6 does not tell it from no route (ip6_pkt_discard).
      return cause(family, family === 'ipv4' ? 'hostUnreachable' : 'noRoute', detail)
    case 'prohibit':
      return cause(family, 'prohibited', detail)
  }
}
