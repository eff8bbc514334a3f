import { connectedRoutes } from '../artefact/connected.ts'
import { type IpvsService, serviceName } from '../artefact/ipvs.ts'
import { type DeviceName, deviceName, type Link } from '../artefact/link.ts'
import type { ConntrackEntry, FdbEntry, Neighbour, NetnsState } from '../artefact/netns.ts'
import type { Route } from '../artefact/route.ts'
import type { Ip } from '../net/ip.ts'
import { type Mac, zeroMac } from '../net/mac.ts'
import { type AddressBook, addressBook } from './addresses.ts'
import type { Chance, Clock } from './chance.ts'
import { derivedOnce } from './derived-once.ts'
import { createFib, type Fib } from './fib.ts'
import type { Reassembly } from './fragment.ts'
import { createSets } from './ipset.ts'
import { createIpvs, type Ipvs } from './ipvs/table.ts'
import { createNeighbours, type NeighbourTable, neighbourOf } from './neighbour.ts'
import { connectionsOf, createNetfilter, type Netfilter, replaceRulesets } from './netfilter/netfilter.ts'
import { createSockets, replaceListeners, type Sockets } from './socket-table.ts'

export interface NetnsOptions {
  readonly clock: Clock
  readonly chance: Chance
  /** Tell of rules that did not match as well. */
  readonly everyRule?: boolean
  /** Compare rule by rule, without the index of long chains: slower, and no other in what it tells. */
  readonly linear?: boolean
  /** Send the third packet of a TCP handshake. A trace ends at the SYN,ACK, so by default it is not sent. */
  readonly completeHandshake?: boolean
}

/** One network namespace: the artefacts, what the kernel derives of them, and what it learned since. */
export interface Netns {
  readonly options: NetnsOptions
  state: NetnsState
  /** In order of creation, the loopback device first. */
  links: ReadonlyMap<DeviceName, Link>
  addresses: AddressBook
  fib: Fib
  bridges: ReadonlyMap<DeviceName, Bridge>
  /** Per VXLAN device: MAC to remote VTEPs, as programmed. */
  vxlanFdb: ReadonlyMap<DeviceName, ReadonlyMap<Mac, readonly FdbEntry[]>>
  neighbours: NeighbourTable
  readonly learned: Learned
  readonly netfilter: Netfilter
  ipvs: Ipvs
  readonly sockets: Sockets
  readonly reassembly: Map<string, Reassembly>
  /** Redirects sent to a host: how many, and when the last (ms). */
  readonly redirects: Map<Ip, { readonly sent: number; readonly at: number }>
}

/** What frames taught. */
export interface Learned {
  readonly bridge: Map<DeviceName, Map<Mac, DeviceName>>
  readonly vxlan: Map<DeviceName, Map<Mac, Ip>>
}

export interface Bridge {
  readonly link: Link
  /** Newest first: the order in which the kernel floods (list_add_rcu in br_add_if). */
  readonly ports: readonly Link[]
  /** MACs of the bridge and its ports: frames to them go up. */
  readonly localMacs: ReadonlySet<Mac>
  readonly fdb: ReadonlyMap<Mac, DeviceName>
}

export function createNetns(state: NetnsState, options: NetnsOptions): Netns {
  const netfilter = createNetfilter(state.iptables, state.conntrack, options.clock, state.nftables)
  netfilter.sets = state.ipsets && createSets(state.ipsets)
  return {
    options,
    ...derive(state, new Map()),
    learned: { bridge: new Map(), vxlan: new Map() },
    netfilter,
    ipvs: createIpvs(state.ipvs ?? [], drawStart(options.chance)),
    sockets: createSockets(state.sockets),
    reassembly: new Map(),
    redirects: new Map(),
  }
}

/** New artefacts; connections, learned neighbours and learned FDB entries stay, as on a node whose agents re-sync. */
export function updateNetns(ns: Netns, state: NetnsState): void {
  if (state.iptables !== ns.state.iptables || state.nftables !== ns.state.nftables) {
    replaceRulesets(ns.netfilter, state.iptables, state.nftables)
  }
  if (state.ipsets !== ns.state.ipsets) ns.netfilter.sets = state.ipsets && createSets(state.ipsets)
  if (state.ipvs !== ns.state.ipvs) ns.ipvs = createIpvs(state.ipvs ?? [], drawStart(ns.options.chance), ns.ipvs)
  Object.assign(ns, derive(state, ns.neighbours))
  replaceListeners(ns.sockets, state.sockets)
  for (const [bridge, entries] of ns.learned.bridge) {
    const ports = new Set(ns.bridges.get(bridge)?.ports.map((p) => p.name))
    for (const [mac, port] of entries) if (!ports.has(port)) entries.delete(mac)
  }
}

/** Where a scheduler's round stands before the first connection that we see. */
const drawStart =
  (chance: Chance) =>
  (n: number, service: IpvsService): number =>
    chance.pick(n, { what: `ipvs ${service.scheduler} ${serviceName(service)}` })

type Derived = Pick<Netns, 'state' | 'links' | 'addresses' | 'fib' | 'bridges' | 'vxlanFdb'>

function derive(state: NetnsState, learned: NeighbourTable): Derived & Pick<Netns, 'neighbours'> {
  const derived = deriveAlone(state)
  const kept = [...learned.values()].filter((e) => derived.links.has(e.dev))
  return { ...derived, neighbours: createNeighbours(state.neighbours, kept) }
}

/** All that no packet changes. */
const deriveAlone = derivedOnce((state: NetnsState): Derived => {
  const links = new Map(withLoopback(state.links).map((l) => [l.name, l]))
  const addresses = addressBook(state, [...links.values()])
  const own = connectedRoutes([...links.values()], [...addresses.byDevice.values()].flat())
  const programmed = state.routes.filter((r) => r.dev === undefined || links.has(r.dev))
  const fib = createFib([...own, ...programmed.filter((r) => !own.some((o) => sameRoute(o, r)))], state.rules, links)
  return {
    state,
    links,
    addresses,
    fib,
    bridges: bridgesOf(state, [...links.values()]),
    vxlanFdb: vxlanFdbOf(state, links),
  }
})

/** A dump of a real node lists the kernel's own routes among the others. */
const sameRoute = (own: Route, r: Route): boolean =>
  own.dst.address === r.dst.address &&
  own.dst.length === r.dst.length &&
  own.dev === r.dev &&
  own.table === r.table &&
  own.type === r.type &&
  r.via === undefined &&
  (r.metric === undefined || own.metric === undefined || own.metric === r.metric)

/** Every namespace has one; artefacts need not say so. */
function withLoopback(links: readonly Link[]): readonly Link[] {
  if (links.some((l) => l.kind.kind === 'loopback')) return links
  return [{ name: deviceName('lo'), mac: zeroMac, mtu: 65536, up: true, kind: { kind: 'loopback' } }, ...links]
}

function bridgesOf(state: NetnsState, links: readonly Link[]): ReadonlyMap<DeviceName, Bridge> {
  const bridges = new Map<DeviceName, Bridge>()
  for (const link of links) {
    if (link.kind.kind !== 'bridge') continue
    const ports = links.filter((l) => l.master === link.name).reverse()
    const names = new Set(ports.map((p) => p.name))
    const onPorts = state.fdb.filter((e) => names.has(e.dev) && isBridgeEntry(e))
    bridges.set(link.name, {
      link,
      ports,
      localMacs: new Set([link.mac, ...ports.map((p) => p.mac)]),
      fdb: new Map(onPorts.map((e) => [e.mac, e.dev])),
    })
  }
  return bridges
}

/** `self` entries of a port are its own filter, `permanent` ones of a bridge its local addresses; neither forwards. */
const isBridgeEntry = (e: FdbEntry): boolean =>
  e.dst === undefined && !(e.flags.includes('self') && !e.flags.includes('master')) && !e.flags.includes('permanent')

function vxlanFdbOf(
  state: NetnsState,
  links: ReadonlyMap<DeviceName, Link>,
): ReadonlyMap<DeviceName, ReadonlyMap<Mac, readonly FdbEntry[]>> {
  const tables = new Map<DeviceName, Map<Mac, FdbEntry[]>>()
  for (const entry of state.fdb) {
    if (entry.dst === undefined || links.get(entry.dev)?.kind.kind !== 'vxlan') continue
    const table = tables.get(entry.dev) ?? new Map<Mac, FdbEntry[]>()
    table.set(entry.mac, [...(table.get(entry.mac) ?? []), entry])
    tables.set(entry.dev, table)
  }
  return tables
}

/** `ip neigh`: programmed and learned. */
export const listNeighbours = (ns: Netns): readonly Neighbour[] =>
  [...ns.neighbours.values()].flatMap((entry) => neighbourOf(entry) ?? [])

/** `ip route show table all`: the kernel's own included, those of downed devices left out. */
export const listRoutes = (ns: Netns): readonly Route[] => ns.fib.routes

/** `bridge fdb`: programmed and learned. */
export function listFdb(ns: Netns): readonly FdbEntry[] {
  const bridge = [...ns.learned.bridge.values()].flatMap((entries) =>
    [...entries].map(([mac, dev]): FdbEntry => ({ mac, dev, flags: ['master'] })),
  )
  const vxlan = [...ns.learned.vxlan].flatMap(([dev, entries]) =>
    [...entries].map(([mac, dst]): FdbEntry => ({ mac, dev, dst, flags: ['self'] })),
  )
  const moved = new Set(bridge.map((e) => e.mac))
  return [...ns.state.fdb.filter((e) => e.dst !== undefined || !moved.has(e.mac)), ...bridge, ...vxlan]
}

/** `conntrack -L`. */
export const listConntrack = (ns: Netns): readonly ConntrackEntry[] => connectionsOf(ns.netfilter)
