import type { DeviceName } from '../artefact/link.ts'
import type { Neighbour } from '../artefact/netns.ts'
import type { Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { Ethernet } from './device/ethernet.ts'
import type { Skb } from './skb.ts'

/** struct neighbour (net/core/neighbour.c). Kernel state that packets change, hence mutable. */
export interface NeighbourEntry {
  readonly ip: Ip
  readonly dev: DeviceName
  state: 'incomplete' | 'failed' | Neighbour['state']
  mac: Mac | undefined
  /** The artefact that made it; absent for what the kernel learned. */
  artefact: Neighbour | undefined
  /** The Ethernet header was built once (neigh->hh): a bridged DNAT then need not pass the bridge device. */
  headerCached: boolean
  probes: number
  /** Packets that wait for the answer (neigh->arp_queue). */
  readonly queue: Waiting[]
}

export interface Waiting {
  readonly skb: Skb
  /** A bridged frame that br_netfilter sent by the neighbour table: where it came from. */
  readonly bridged?: { readonly port: DeviceName; readonly ethernet: Ethernet }
}

/** unres_qlen_bytes of 212992 holds 101 small packets, which is what `unres_qlen` shows. */
const queueLimit = 101
/** mcast_probes, and retrans_time in ms. */
export const maxProbes = 3
export const retransTime = 1000

export type NeighbourTable = Map<string, NeighbourEntry>

const keyOf = (dev: DeviceName, ip: Ip): string => `${dev} ${ip}`

export function createNeighbours(artefacts: readonly Neighbour[], learned: Iterable<NeighbourEntry>): NeighbourTable {
  const table: NeighbourTable = new Map()
  for (const n of artefacts) table.set(keyOf(n.dev, n.ip), fromArtefact(n))
  for (const entry of learned) {
    const key = keyOf(entry.dev, entry.ip)
    const programmed = table.get(key)
    // A packet that waits does not get lost because an agent programmed what it waits for.
    if (programmed) programmed.queue.push(...entry.queue)
    else if (!entry.artefact) table.set(key, entry)
  }
  return table
}

const fromArtefact = (n: Neighbour): NeighbourEntry => ({
  ip: n.ip,
  dev: n.dev,
  state: n.state,
  mac: n.mac,
  artefact: n,
  headerCached: false,
  probes: 0,
  queue: [],
})

export const findNeighbour = (table: NeighbourTable, dev: DeviceName, ip: Ip): NeighbourEntry | undefined =>
  table.get(keyOf(dev, ip))

export function makeIncomplete(table: NeighbourTable, dev: DeviceName, ip: Ip): NeighbourEntry {
  const entry: NeighbourEntry = {
    ip,
    dev,
    state: 'incomplete',
    mac: undefined,
    artefact: undefined,
    headerCached: false,
    probes: 0,
    queue: [],
  }
  table.set(keyOf(dev, ip), entry)
  return entry
}

/** Queues a packet; the oldest gives way when the queue is full (__neigh_event_send). */
export function enqueue(entry: NeighbourEntry, waiting: Waiting): Waiting | undefined {
  entry.queue.push(waiting)
  return entry.queue.length > queueLimit ? entry.queue.shift() : undefined
}

/** neigh_update: what an agent programmed stays. Returns whether the entry is new or its MAC changed. */
export function learn(entry: NeighbourEntry, mac: Mac, state: 'reachable' | 'stale'): boolean {
  if (entry.state === 'permanent' || entry.state === 'noarp') return false
  const changed = entry.mac !== mac
  entry.mac = mac
  if (changed || state === 'reachable' || entry.state !== 'reachable') entry.state = state
  if (changed) entry.headerCached = false
  return changed
}

/** The entry as `ip neigh` shows it; undefined while it has no MAC. */
export function neighbourOf(entry: NeighbourEntry): Neighbour | undefined {
  if (entry.artefact && entry.artefact.mac === entry.mac) return entry.artefact
  if (entry.mac === undefined || entry.state === 'incomplete' || entry.state === 'failed') return undefined
  return { ip: entry.ip, dev: entry.dev, mac: entry.mac, state: entry.state }
}
