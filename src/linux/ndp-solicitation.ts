import { addressesOf } from './addresses.ts'
import type { NeighbourEntry } from './neighbour.ts'
import { solicitedNode } from './route-input.ts'
import { type Skb, skbOf } from './skb.ts'
import { linkOf, type Work } from './work.ts'

/** ndisc_solicit (net/ipv6/ndisc.c): from the packet's source where it is of this device, else link-local. */
export function neighbourSolicitation(work: Work, entry: NeighbourEntry, skb: Skb | undefined): void {
  const link = linkOf(work, entry.dev)
  const own = addressesOf(work.ns.addresses, entry.dev, 'ipv6')
  const src = own.find((a) => a.ip === skb?.packet.src)?.ip ?? own.find((a) => a.scope === 'link')?.ip
  if (!link || src === undefined) return
  const dst = solicitedNode(entry.ip)
  const packet = {
    src,
    dst,
    ttl: 255,
    tos: 0,
    id: 0,
    df: true,
    payload: {
      kind: 'icmp',
      message: { kind: 'neighbour-solicitation', target: entry.ip, sourceMac: link.mac },
    },
  } as const
  const route = { kind: 'multicast', device: link.name, nexthop: dst, mtu: link.mtu, route: undefined } as const
  work.next.push({ kind: 'local-out', skb: skbOf(packet), dst: route })
}
