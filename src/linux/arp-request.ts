import type { Ip } from '../net/ip.ts'
import { broadcastMac, zeroMac } from '../net/mac.ts'
import type { Arp } from '../packet/packet.ts'
import { addressesOf, onLink } from './addresses.ts'
import type { NeighbourEntry } from './neighbour.ts'
import { sourceAddress } from './routing.ts'
import type { Skb } from './skb.ts'
import { conf, isLocalIp, linkOf, type Work } from './work.ts'

/** arp_solicit (net/ipv4/arp.c). */
export function arpRequest(work: Work, entry: NeighbourEntry, skb: Skb | undefined): void {
  const link = linkOf(work, entry.dev)
  const senderIp = senderFor(work, entry, skb)
  if (!link || senderIp === undefined) return
  const arp: Arp = { op: 'request', senderMac: link.mac, senderIp, targetMac: zeroMac, targetIp: entry.ip }
  const ethernet = { dst: broadcastMac, src: link.mac, payload: { kind: 'arp', arp } } as const
  work.next.push({ kind: 'transmit', device: entry.dev, ethernet })
}

/** arp_announce: 0 the packet's own source where it is local, 1 only if it is of the target's subnet, 2 never. */
function senderFor(work: Work, entry: NeighbourEntry, skb: Skb | undefined): Ip | undefined {
  const announce = conf(work, 'ipv4', entry.dev, 'arp_announce')
  const src = skb?.packet.src
  if (src !== undefined && isLocalIp(work, src) && announce < 2) {
    const near = addressesOf(work.ns.addresses, entry.dev, 'ipv4').some((a) => onLink(a, entry.ip) && onLink(a, src))
    if (announce === 0 || near) return src
  }
  return sourceAddress(work, entry.dev, entry.ip, 'link')
}
