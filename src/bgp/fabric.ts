import type { Ip } from '../net/ip.ts'
import { bestOf, type Candidate } from './best-path.ts'
import { exportRoute, type Learned } from './export-route.ts'
import { readsPrefix } from './filter.ts'
import { importRoute, isLoop } from './import-route.ts'
import type { Network } from './network.ts'
import { forEachSession, SpeakerNode, sessionAt, sessionStates, sessionTowards } from './node.ts'
import type { Run } from './outcome.ts'
import { localAddress, type PeerClass } from './peer-class.ts'
import { grown, none } from './rib.ts'
import { type Attempt, attempt, type End } from './session.ts'
import { preferences, type Speaker } from './speaker.ts'
import { emptyTables, type Route, type Tables } from './tables.ts'
import { emptyTally, type Tally } from './tally.ts'
import { Packing, Update, unchanged, withdrawn } from './update.ts'

export interface RunOptions {
  /** Rounds after which a network that does not come to rest is given up. Default 1000. */
  readonly maxRounds?: number
  /** Which of the speakers with news send in this round; default all. For tests of order independence. */
  readonly schedule?: (ready: readonly number[]) => readonly number[]
}

/**
 * Speakers and sessions at work. Rounds: every speaker with news sends it, all messages of a round arrive, best paths are
 * chosen anew. Nothing depends on the order of speakers.
 */
export class Fabric {
  network: Network
  readonly nodes: SpeakerNode[] = []
  readonly numbers = new Map<string, number>()
  readonly tables: Tables = emptyTables()
  tally: Tally = emptyTally()
  readonly #owners = new Map<Ip, number>()
  readonly #feeds: { readonly node: SpeakerNode; readonly session: number }[] = []
  readonly #imports = new Map<PeerClass['settings'], ImportCache[]>()
  #prefixesSent = 0
  #established = 0

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
    for (const address of node.speaker.addresses) if (!this.#owners.has(address)) this.#owners.set(address, number)
    node.speaker.routes.forEach((route, i) => {
      const { prefix, source, target, metric, protocol } = route
      const made: Route = { source, target, metric, protocol, preference: preferences[source] }
      node.rib.put(this.tables.prefixes.numberOf(prefix), localSource(i), this.tables.routes.numberOf(made))
    })
  }

  /** Gives up the addresses. */
  disown(node: SpeakerNode): void {
    const number = this.numberOf(node)
    for (const address of node.speaker.addresses) if (this.#owners.get(address) === number) this.#owners.delete(address)
  }

  numberOf(node: SpeakerNode): number {
    const number = this.numbers.get(node.speaker.id)
    if (number === undefined) throw new Error(`no speaker has the id ${node.speaker.id}`)
    return number
  }

  /** Tries every session that is not up. */
  connect(): void {
    this.nodes.forEach((node, number) => {
      if (node.running !== 'up') return
      forEachSession(node.speaker, (session) => {
        if (!node.isUp(session)) this.#tryOne(node, number, session)
      })
    })
  }

  /** Configuration of a session and of its other end, as far as there is one. */
  pair(
    node: SpeakerNode,
    session: number,
  ): { near: End; far?: End; remote?: SpeakerNode; remoteSession?: number } | undefined {
    const near = endOf(node, session)
    if (!near) return undefined
    const owner = this.#owners.get(near.neighbor.address)
    const remote = owner === undefined ? undefined : this.nodes[owner]
    if (remote?.running !== 'up') return { near }
    const remoteSession = sessionTowards(remote.speaker, near.local)
    const far = remoteSession === undefined ? undefined : endOf(remote, remoteSession)
    return far && remoteSession !== undefined ? { near, far, remote, remoteSession } : { near, remote }
  }

  #tryOne(node: SpeakerNode, number: number, session: number): void {
    const { near, far, remote, remoteSession } = this.pair(node, session) ?? {}
    if (!near) {
      node.status.set(session, { state: 'Idle', info: '', because: `${node.speaker.id} has no address of that family` })
      return
    }
    // Each pair once: from its lower number.
    if (remote && remoteSession !== undefined && this.numberOf(remote) < number && !remote.isUp(remoteSession)) return
    const outcome = attempt(near, far, remote?.speaker, this.network)
    this.#note(node, session, outcome.near)
    if (remote && remoteSession !== undefined && outcome.far) this.#note(remote, remoteSession, outcome.far)
    this.#count(outcome)
    if (outcome.near.state !== 'Established' || !remote || remoteSession === undefined) return
    this.#link(node, session, remote, remoteSession)
  }

  #count({ opens, keepalives, notifications }: Attempt): void {
    this.tally.open += opens
    this.tally.keepalive += keepalives
    this.tally.notification += notifications
  }

  // A session that waits for a restarted neighbour keeps the error that it was lost with.
  #note(node: SpeakerNode, session: number, status: Attempt['near']): void {
    if (status.state === 'Established') node.status.delete(session)
    else {
      const info = status.info || (node.status.get(session)?.info ?? '')
      node.status.set(session, { ...status, info })
    }
  }

  #link(a: SpeakerNode, sessionA: number, b: SpeakerNode, sessionB: number): void {
    for (const [node, session, remote, remoteSession] of [
      [a, sessionA, b, sessionB],
      [b, sessionB, a, sessionA],
    ] as const) {
      if (node.state[session] === sessionStates.restarting)
        this.#restarted.push({ node, session, stale: node.rib.prefixesOf(session) })
      node.state[session] = sessionStates.up
      node.remote[session] = this.numberOf(remote)
      node.remoteSession[session] = remoteSession
      if (node.adverts.size > 0) this.feed(node, session)
    }
    this.#established++
    this.tally.endOfRib += 2
  }

  readonly #restarted: { readonly node: SpeakerNode; readonly session: number; readonly stale: readonly number[] }[] =
    []

  /** The session is told the whole table in the next round. */
  feed(node: SpeakerNode, session: number): void {
    this.#feeds.push({ node, session })
  }

  /** Tells a session whose class changed what it may now have, and no longer. */
  refeed(node: SpeakerNode, session: number, beforeClass: number): void {
    const now = node.classNumber(session)
    const update = new Update(now, session)
    for (const [prefix, { from, values }] of node.adverts) {
      const [had, has] = [values[beforeClass] ?? none, values[now] ?? none]
      if (had !== has) update.add(prefix, had, from, has, from)
    }
    if (update.length > 0) this.#deliver(node, update)
  }

  /** Works out what classes that came in since would have been told. */
  syncClasses(node: SpeakerNode, from: number): void {
    for (let prefix = 0; prefix < node.rib.size; prefix++) {
      const path = this.best(node, prefix)
      if (path === none) continue
      const known = node.adverts.get(prefix)
      // A prefix with news waits for the next round: what was told must stay what is written down.
      const settled = !known || known.from === node.rib.sourceOf(path)
      const added = node.classes.slice(from).map((c) => (settled ? this.exported(node, c, prefix, path) : none))
      const values = [...(known?.values ?? node.classes.slice(0, from).map(() => none)), ...added]
      const told = known?.from ?? node.rib.sourceOf(path)
      if (known || added.some((v) => v !== none)) node.adverts.set(prefix, { from: told, values })
    }
  }

  /** Ends an established session on both sides; routes learned over it go away, or stay while the neighbour restarts. */
  drop(node: SpeakerNode, session: number, keepRoutes: boolean): void {
    const remote = this.nodes[node.remote[session] ?? -1]
    const remoteSession = node.remoteSession[session] ?? -1
    this.#dropEnd(node, session, keepRoutes)
    if (remote && remoteSession >= 0) this.#dropEnd(remote, remoteSession, keepRoutes)
  }

  #dropEnd(node: SpeakerNode, session: number, keepRoutes: boolean): void {
    const keeps = keepRoutes && sessionAt(node.speaker, session).settings.gracefulRestart
    node.state[session] = keeps ? sessionStates.restarting : sessionStates.down
    node.remote[session] = -1
    node.remoteSession[session] = -1
    if (!keeps) node.rib.dropWhere((source) => source === session)
  }

  /** Sends until nobody has news. */
  run({ maxRounds = 1000, schedule = (ready) => ready }: RunOptions = {}): Run {
    let rounds = 0
    let ready = this.#ready()
    while ((ready.length > 0 || this.#restarted.length > 0) && rounds < maxRounds) {
      const updates = this.#takeFeeds()
      for (const number of schedule(ready)) {
        const node = this.nodes[number]
        if (node) updates.push(...this.#flush(node).map((update) => ({ node, update })))
      }
      for (const { node, update } of updates) this.#deliver(node, update)
      this.#forgetStale()
      if (updates.length > 0) rounds++
      ready = this.#ready()
    }
    return this.#result(rounds, ready)
  }

  #result(rounds: number, ready: readonly number[]): Run {
    const unstable = ready.flatMap((n) =>
      [...(this.nodes[n]?.rib.dirty.values() ?? [])].map((p) => ({
        speaker: this.nodes[n]?.speaker.id ?? '',
        prefix: this.tables.prefixes.at(p),
      })),
    )
    const result: Run = {
      converged: ready.length === 0,
      rounds,
      messages: this.tally,
      prefixesSent: this.#prefixesSent,
      established: this.#established,
      unstable,
    }
    this.tally = emptyTally()
    this.#prefixesSent = 0
    this.#established = 0
    return result
  }

  #ready(): readonly number[] {
    const ready: number[] = []
    this.nodes.forEach((node, n) => {
      if (node.running === 'up' && node.rib.dirty.length > 0) ready.push(n)
    })
    return ready.length === 0 && this.#feeds.length > 0 ? [-1] : ready
  }

  #takeFeeds(): { node: SpeakerNode; update: Update }[] {
    return this.#feeds.splice(0).flatMap(({ node, session }) => {
      const update = new Update(node.classNumber(session), session)
      for (const [prefix, { from, values }] of node.adverts)
        update.add(prefix, none, none, values[update.class] ?? none, from)
      return update.length > 0 && node.isUp(session) ? [{ node, update }] : []
    })
  }

  /** After a restart: what the neighbour did not announce again by its End-of-RIB is gone. */
  #forgetStale(): void {
    for (const { node, session, stale } of this.#restarted.splice(0)) {
      const remote = this.nodes[node.remote[session] ?? -1]
      const number = remote?.classNumber(node.remoteSession[session] ?? -1) ?? 0
      for (const prefix of stale) {
        const advert = remote?.adverts.get(prefix)
        if ((advert?.values[number] ?? none) === none) node.rib.drop(prefix, session)
      }
    }
  }

  /** News of a speaker, one Update for each class of sessions that it concerns. */
  #flush(node: SpeakerNode): readonly Update[] {
    const updates = node.classes.map((_, n) => new Update(n))
    for (const prefix of node.rib.takeDirty()) this.#advertise(node, prefix, updates)
    return updates.filter((u) => u.length > 0)
  }

  #advertise(node: SpeakerNode, prefix: number, updates: readonly Update[]): void {
    if (!node.passesOn && !node.adverts.has(prefix) && !hasOwn(node, prefix)) return
    const path = this.best(node, prefix)
    const known = node.adverts.get(prefix)
    const from = path === none ? none : node.rib.sourceOf(path)
    const values = node.classes.map((c) => (path === none ? none : this.exported(node, c, prefix, path)))
    if (!known && values.every((v) => v === none)) return
    values.forEach((now, n) => {
      const before = known?.values[n] ?? none
      const beforeFrom = known?.from ?? none
      if (now !== before || (now !== none && from !== beforeFrom))
        updates[n]?.add(prefix, before, beforeFrom, now, from)
    })
    if (values.every((v) => v === none)) node.adverts.delete(prefix)
    else node.adverts.set(prefix, { from, values })
  }

  exported(node: SpeakerNode, to: PeerClass, prefix: number, path: number): number {
    const source = node.rib.sourceOf(path)
    const learned = source >= 0 ? this.learned(node, source) : undefined
    if (learned && to.internal && learned.from.internal && !to.settings.rrClient && !learned.from.settings.rrClient)
      return none
    const route = this.tables.routes.at(node.rib.routeOf(path))
    const attributes = exportRoute(to, this.tables.prefixes.at(prefix), route, learned)
    return attributes ? this.tables.attributes.numberOf(attributes) : none
  }

  learned(node: SpeakerNode, session: number): Learned {
    const remote = this.nodes[node.remote[session] ?? -1]
    return { from: node.classAt(session), routerId: remote?.speaker.routerId ?? this.#lastRouterId(node, session) }
  }

  // While a neighbour restarts its identifier is still known by its address.
  #lastRouterId(node: SpeakerNode, session: number): Ip {
    const { address } = sessionAt(node.speaker, session).neighbor
    const owner = this.#owners.get(address)
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

  #deliver(node: SpeakerNode, update: Update): void {
    const packing = new Packing(update, {
      prefix: (n) => this.tables.prefixes.at(n),
      attributes: (n) => this.tables.attributes.at(n),
    })
    const [first, last] = update.only === undefined ? [0, node.sessions] : [update.only, update.only + 1]
    for (let session = first; session < last; session++) {
      if (node.state[session] !== sessionStates.up || node.classOf[session] !== update.class) continue
      const sent = packing.sentTo(session)
      this.tally.update += sent.messages
      node.updatesSent += sent.messages
      this.#prefixesSent += sent.prefixes
      if (sent.messages > 0) this.#receive(node, session, update)
    }
  }

  #receive(sender: SpeakerNode, senderSession: number, update: Update): void {
    const node = this.nodes[sender.remote[senderSession] ?? -1]
    if (!node) return
    const session = sender.remoteSession[senderSession] ?? -1
    const from = node.classAt(session)
    const cache = this.#importCache(from)
    for (let i = 0; i < update.length; i++) {
      const attributes = update.meaning(i, senderSession)
      if (attributes === unchanged) continue
      const prefix = update.prefixes.at(i)
      const route = attributes === withdrawn ? none : this.#import(node, from, cache, prefix, attributes)
      if (route === none) node.rib.drop(prefix, session)
      else node.rib.put(prefix, session, route)
    }
  }

  #import(node: SpeakerNode, from: PeerClass, cache: ImportCache, prefix: number, number: number): number {
    const attributes = this.tables.attributes.at(number)
    if (isLoop(from, node.speaker.routerId, attributes)) return none
    const known = cache.byPrefix ? unknown : (cache.routes[number] ?? unknown)
    if (known !== unknown) return known
    const made = importRoute(from, this.tables.prefixes.at(prefix), attributes)
    const route = made ? this.tables.routes.numberOf(made) : none
    if (cache.byPrefix) return route
    if (number >= cache.routes.length) cache.routes = grown(cache.routes, 2 * number + 16, unknown)
    cache.routes[number] = route
    return route
  }

  #importCache(from: PeerClass): ImportCache {
    const known = this.#imports.get(from.settings) ?? []
    const found = known.find((c) => c.internal === from.internal)
    if (found) return found
    const { importFilter } = from.settings
    const byPrefix = importFilter !== undefined && readsPrefix(importFilter)
    const made = { internal: from.internal, byPrefix, routes: new Int32Array(0) }
    this.#imports.set(from.settings, [...known, made])
    return made
  }
}

/** Whether the speaker itself has a route for the prefix. */
function hasOwn({ rib }: SpeakerNode, prefix: number): boolean {
  let path = rib.first(prefix)
  while (path !== none && rib.sourceOf(path) >= 0) path = rib.next(path)
  return path !== none
}

/** Outcomes of an import filter that looks at attributes only, by attribute number. */
interface ImportCache {
  readonly internal: boolean
  readonly byPrefix: boolean
  routes: Int32Array
}

/** Not asked for yet. */
const unknown = -2

/** Numbers of a speaker's own routes among the sources: -2, -3, … */
export const localSource = (index: number): number => none - 1 - index
export const localIndex = (source: number): number => none - 1 - source

function endOf(node: SpeakerNode, session: number): End | undefined {
  const { settings, neighbor } = sessionAt(node.speaker, session)
  const local = localAddress(node.speaker, settings, neighbor)
  if (local === undefined) return undefined
  return { speaker: node.speaker, settings, neighbor, local, disabled: node.disabled.has(session) }
}
