import type { DeviceName } from '../artefact/link.ts'
import { familyOf, type Ip } from '../net/ip.ts'
import { broadcastMac, zeroMac } from '../net/mac.ts'
import { cause } from './action.ts'
import { arpRequest } from './arp-request.ts'
import { isMulticastIp, multicastMac } from './device/ethernet.ts'
import { addressType } from './hooks.ts'
import type { Timer } from './kernel.ts'
import { neighbourSolicitation } from './ndp-solicitation.ts'
import {
  enqueue,
  findNeighbour,
  makeIncomplete,
  maxProbes,
  type NeighbourEntry,
  neighbourOf,
  retransTime,
} from './neighbour.ts'
import type { Skb } from './skb.ts'
import { drop, linkOf, type Work } from './work.ts'

/** ip_finish_output2 and neigh_output: the Ethernet header of the next hop, asked for where it is not known. */
export function neighbourOutput(work: Work, skb: Skb, device: DeviceName, nexthop: Ip): void {
  const link = linkOf(work, device)
  if (!link) {
    drop(work, 'link-down', skb.packet, `${device} does not exist`, device)
    return
  }
  const { kind } = link.kind
  if (kind === 'tun' || kind === 'ipip') {
    work.next.push({ kind: 'transmit-ip', device, skb, nexthop })
    return
  }
  const group = groupMac(work, nexthop)
  const dst = kind === 'loopback' ? zeroMac : kind === 'dummy' ? link.mac : group
  const payload = { kind: 'ip', skb } as const
  if (dst) {
    work.next.push({ kind: 'transmit', device, ethernet: { dst, src: link.mac, payload } })
    return
  }
  const entry = findNeighbour(work.ns.neighbours, device, nexthop)
  const known = entry && neighbourOf(entry)
  if (!entry || !known) {
    wait(work, skb, device, nexthop, entry)
    return
  }
  entry.headerCached = true
  work.emit({ kind: 'neighbour', device, ip: nexthop, entry: known })
  work.next.push({ kind: 'transmit', device, ethernet: { dst: known.mac, src: link.mac, payload } })
}

function groupMac(work: Work, nexthop: Ip) {
  if (isMulticastIp(nexthop)) return multicastMac(nexthop)
  if (familyOf(nexthop) === 'ipv4' && addressType(work, nexthop) === 'BROADCAST') return broadcastMac
  return undefined
}

function wait(work: Work, skb: Skb, device: DeviceName, nexthop: Ip, known: NeighbourEntry | undefined): void {
  const asking = known?.state === 'incomplete'
  const entry = asking ? known : makeIncomplete(work.ns.neighbours, device, nexthop)
  work.emit({ kind: 'neighbour-wait', device, ip: nexthop })
  const lost = enqueue(entry, { skb })
  if (lost) drop(work, 'neigh-missing', lost.skb.packet, `the queue for ${nexthop} on ${device} is full`, device)
  if (!asking) solicit(work, entry, skb)
}

/** neigh_probe, and the timer that asks again. */
export function solicit(work: Work, entry: NeighbourEntry, skb: Skb | undefined): void {
  entry.probes += 1
  if (familyOf(entry.ip) === 'ipv4') arpRequest(work, entry, skb)
  else neighbourSolicitation(work, entry, skb)
  const timer: Timer = { kind: 'neighbour', device: entry.dev, ip: entry.ip, probe: entry.probes }
  work.outputs.push({ kind: 'set-timer', after: retransTime, timer })
}

/** neigh_timer_handler: the next question, or the end of what waited. */
export function neighbourTimer(work: Work, timer: Timer): void {
  const entry = findNeighbour(work.ns.neighbours, timer.device, timer.ip)
  if (entry?.state !== 'incomplete' || entry.probes !== timer.probe) return
  if (entry.probes < maxProbes) {
    solicit(work, entry, entry.queue[0]?.skb)
    return
  }
  entry.state = 'failed'
  work.emit({ kind: 'neighbour-failed', device: entry.dev, ip: entry.ip, probes: entry.probes })
  const family = familyOf(entry.ip)
  const why = `${entry.ip} did not answer on ${entry.dev}`
  for (const { skb } of entry.queue.splice(0)) {
    drop(work, 'neigh-missing', skb.packet, why, entry.dev)
    // arp_error_report, ndisc_error_report: ipv4_link_failure.
    work.next.push({ kind: 'icmp-error', about: skb, error: cause(family, 'hostUnreachable', why) })
  }
}

/** neigh_update with a new address: what waited goes out, in order. */
export function release(work: Work, entry: NeighbourEntry): void {
  entry.probes = 0
  const { mac, dev } = entry
  if (mac === undefined) return
  for (const { skb, bridged } of entry.queue.splice(0)) {
    if (!bridged) {
      work.next.push({ kind: 'neighbour-output', skb, device: dev, nexthop: entry.ip })
      continue
    }
    const ethernet = { ...bridged.ethernet, dst: mac }
    entry.headerCached = true
    work.next.push({ kind: 'bridge-resume', bridge: dev, port: bridged.port, ethernet })
  }
}
