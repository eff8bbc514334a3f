import type { DeviceName } from '../artefact/link.ts'
import { familyOf, type Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { IcmpMessage } from '../packet/packet.ts'
import { addressesOf } from './addresses.ts'
import { findNeighbour, learn, makeIncomplete } from './neighbour.ts'
import { release } from './neighbour-output.ts'
import { type Skb, skbOf } from './skb.ts'
import { isLocalIp, linkOf, type Work } from './work.ts'

type Solicitation = Extract<IcmpMessage, { kind: 'neighbour-solicitation' }>
type Advertisement = Extract<IcmpMessage, { kind: 'neighbour-advertisement' }>

/** ndisc_recv_ns (net/ipv6/ndisc.c): answered for addresses of the device that it came in on. */
export function solicitationReceived(work: Work, skb: Skb, device: DeviceName, message: Solicitation): void {
  const link = linkOf(work, device)
  // RFC 4861, 7.1.1: from beyond the link it is no solicitation.
  if (!link || skb.packet.ttl !== 255) return
  if (!addressesOf(work.ns.addresses, device, 'ipv6').some((a) => a.ip === message.target)) return
  const { src: asker } = skb.packet
  if (message.sourceMac) learnNeighbour(work, device, asker, message.sourceMac, 'stale', true)
  const payload = {
    kind: 'icmp',
    message: {
      kind: 'neighbour-advertisement',
      target: message.target,
      targetMac: link.mac,
      solicited: true,
      override: true,
    },
  } as const
  const packet = { src: message.target, dst: asker, ttl: 255, tos: 0, id: 0, df: true, payload } as const
  const dst = { kind: 'unicast', device, nexthop: asker, mtu: link.mtu, route: undefined } as const
  work.next.push({ kind: 'local-out', skb: skbOf(packet), dst })
}

/** ndisc_recv_na: entries that exist are brought up to date, none is made. */
export function advertisementReceived(work: Work, skb: Skb, device: DeviceName, message: Advertisement): void {
  if (skb.packet.ttl !== 255 || isLocalIp(work, message.target)) return
  learnNeighbour(work, device, message.target, message.targetMac, message.solicited ? 'reachable' : 'stale', false)
}

function learnNeighbour(
  work: Work,
  device: DeviceName,
  address: Ip,
  mac: Mac,
  state: 'reachable' | 'stale',
  create: boolean,
): void {
  if (familyOf(address) !== 'ipv6' || address === '::') return
  const { neighbours } = work.ns
  const entry =
    findNeighbour(neighbours, device, address) ?? (create ? makeIncomplete(neighbours, device, address) : undefined)
  if (!entry) return
  if (learn(entry, mac, state)) work.emit({ kind: 'neighbour-learned', device, ip: address, mac })
  release(work, entry)
}
