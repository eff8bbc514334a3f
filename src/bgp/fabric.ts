import type { Ip } from '../net/ip.ts'
import { bestOf, type Candidate } from './best-path.ts'
import { exportRoute, type Learned } from './export-route.ts'
import type { Network } from './network.ts'
import { SpeakerNode, sessionAt } from './node.ts'
import type { PeerClass } from './peer-class.ts'
import { none } from './rib.ts'
import { preferences, type Speaker } from './speaker.ts'
import { emptyTables, type Route, type Tables } from './tables.ts'
import { emptyTally, type Tally } from './tally.ts'

/** The state of a convergence: speakers, their addresses, what they share, and how a speaker chooses and passes on. */
export class Fabric {
  network: Network
  readonly nodes: SpeakerNode[] = []
  readonly numbers = new Map<string, number>()
  readonly tables: Tables = emptyTables()
  tally: Tally = emptyTally()
  /** Speaker number by address. */
  readonly owners = new Map<Ip, number>()
  /** Sessions to be told the whole table. */
  readonly feeds: { readonly node: SpeakerNode; readonly session: number }[] = []
  /** Sessions that came back, with the prefixes that they had from before. */
  readonly restarted: { readonly node: SpeakerNode; readonly session: number; readonly stale: readonly number[] }[] = []
  readonly imports = new Map<PeerClass['settings']['importFilter'], ImportCache[]>()
  prefixesSent = 0
  established = 0

  constructor(network: Network) {
    this.network = network
  }

  add(speaker: Speaker, expectedPrefixes: number): SpeakerNode {
    if (this.numbers.has(speaker.id)) throw new Error(`two speakers have the id ${speaker.id}`)
    const node = new SpeakerNode(speaker, expectedPrefixes)
    this.numbers.set(speaker.id, this.nodes.push(node) - 1)
    node.classify(this.network)
    this.own(node)
    return node
  }

  /** A speaker that was gone starts anew. */
  restart(speaker: Speaker, expectedPrefixes: number): void {
    const number = this.numbers.get(speaker.id)
    const before = number === undefined ? undefined : this.nodes[number]
    if (number === undefined || !before) throw new Error(`no speaker has the id ${speaker.id}`)
    this.disown(before)
    const node = new SpeakerNode(speaker, expectedPrefixes)
    this.nodes[number] = node
    node.classify(this.network)
    this.own(node)
  }

  /** Takes the addresses and routes of the speaker's configuration into use. The first speaker keeps a doubled address. */
  own(node: SpeakerNode): void {
    const number = this.numberOf(node)
    for (const address of node.speaker.addresses) if (!this.owners.has(address)) this.owners.set(address, number)
    node.speaker.routes.forEach((route, i) => {
      const { prefix, source, target, metric, protocol } = route
      const made: Route = { source, target, metric, protocol, preference: preferences[source] }
      node.rib.put(this.tables.prefixes.numberOf(prefix), localSource(i), this.tables.routes.numberOf(made))
    })
  }

  /** Gives up the addresses. */
  disown(node: SpeakerNode): void {
    const number = this.numberOf(node)
    for (const address of node.speaker.addresses) if (this.owners.get(address) === number) this.owners.delete(address)
  }

  numberOf(node: SpeakerNode): number {
    const number = this.numbers.get(node.speaker.id)
    if (number === undefined) throw new Error(`no speaker has the id ${node.speaker.id}`)
    return number
  }

  /** The session is told the whole table in the next round. */
  feed(node: SpeakerNode, session: number): void {
    this.feeds.push({ node, session })
  }

  /** Number of the attributes that a class of sessions is told, or `none`. */
  exported(node: SpeakerNode, to: PeerClass, prefix: number, path: number): number {
    const source = node.rib.sourceOf(path)
    const learned = source >= 0 ? this.learned(node, source) : undefined
    if (learned && to.internal && learned.from.internal && !to.settings.rrClient && !learned.from.settings.rrClient)
      return none
    const route = this.tables.routes.at(node.rib.routeOf(path))
    const attributes = exportRoute(to, this.tables.prefixes.at(prefix), route, learned)
    return attributes ? this.tables.attributes.numberOf(attributes) : none
  }

  /** The session a path came from. */
  learned(node: SpeakerNode, session: number): Learned {
    const remote = this.nodes[node.remote[session] ?? -1]
    return { from: node.classAt(session), routerId: remote?.speaker.routerId ?? this.#lastRouterId(node, session) }
  }

  // While a neighbour restarts its identifier is still known by its address.
  #lastRouterId(node: SpeakerNode, session: number): Ip {
    const { address } = sessionAt(node.speaker, session).neighbor
    const owner = this.owners.get(address)
    return (owner === undefined ? undefined : this.nodes[owner]?.speaker.routerId) ?? address
  }

  /** The best path of a prefix, or `none`. */
  best(node: SpeakerNode, prefix: number): number {
    const first = node.rib.first(prefix)
    if (first === none || node.rib.next(first) === none) return first
    const best = bestOf(this.candidates(node, prefix))
    return best ? node.rib.find(prefix, best.source) : none
  }

  candidates(node: SpeakerNode, prefix: number): readonly Candidate[] {
    const found: Candidate[] = []
    for (let path = node.rib.first(prefix); path !== none; path = node.rib.next(path))
      found.push(this.candidate(node, path))
    return found
  }

  candidate(node: SpeakerNode, path: number): Candidate {
    const source = node.rib.sourceOf(path)
    const route = this.tables.routes.at(node.rib.routeOf(path))
    const { attributes } = route
    if (source < 0 || !attributes) return { source, route }
    const { routerId, from } = this.learned(node, source)
    const { address } = sessionAt(node.speaker, source).neighbor
    const resolution = node.resolve(attributes.nextHop, this.network)
    return { source, route, bgp: { attributes, internal: from.internal, routerId, address, resolution } }
  }
}

/** Numbers of a speaker's own routes among the sources: -2, -3, … */
export const localSource = (index: number): number => none - 1 - index
export const localIndex = (source: number): number => none - 1 - source

/** Outcomes of an import filter that looks at attributes only, by attribute number. */
export interface ImportCache {
  readonly internal: boolean
  readonly localPref: number | undefined
  readonly byPrefix: boolean
  routes: Int32Array
}
