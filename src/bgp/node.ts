import type { Ip } from '../net/ip.ts'
import type { Network, Resolution } from './network.ts'
import type { KernelRoute } from './outcome.ts'
import { type PeerClass, peerClass, sameClass } from './peer-class.ts'
import { Rib } from './rib.ts'
import type { EndStatus } from './session.ts'
import type { Neighbor, PeerGroup, PeerSettings, Speaker } from './speaker.ts'

/** State of a session as the engine needs it. `restarting`: the neighbour vanished, its routes are kept. */
export const sessionStates = { down: 0, up: 1, restarting: 2 } as const

/** What a class of sessions was last told about a prefix. */
export interface Advert {
  /** Source of the announced path. It is not told where it came from. */
  from: number
  /** Attribute numbers by class; `none` where nothing was announced. */
  readonly values: number[]
}

/** A speaker at work. Sessions are numbered through its groups; numbers of passed-over neighbours stay unused. */
export class SpeakerNode {
  speaker: Speaker
  running: 'up' | 'stopped' | 'killed' = 'up'
  readonly rib: Rib
  /** Number of the speaker at the other end, and of the session there; -1 for none. */
  remote: Int32Array
  remoteSession: Int32Array
  state: Uint8Array
  classOf: Uint16Array
  readonly classes: PeerClass[] = []
  /** Sessions that are not simply established. */
  readonly status = new Map<number, EndStatus>()
  readonly disabled = new Set<number>()
  readonly adverts = new Map<number, Advert>()
  /** UPDATE messages sent so far. */
  updatesSent = 0
  /** Kernel routes left behind by a killed or stopped process. */
  leftBehind: readonly KernelRoute[] = []
  #resolutions = new Map<Ip, Resolution | undefined>()

  constructor(speaker: Speaker, prefixes: number) {
    this.speaker = speaker
    this.rib = new Rib(prefixes, prefixes)
    const n = sessionCount(speaker)
    this.remote = new Int32Array(n).fill(-1)
    this.remoteSession = new Int32Array(n).fill(-1)
    this.state = new Uint8Array(n)
    this.classOf = new Uint16Array(n)
  }

  get sessions(): number {
    return this.state.length
  }

  isUp = (session: number): boolean => this.state[session] === sessionStates.up

  classNumber = (session: number): number => this.classOf[session] ?? 0

  classAt(session: number): PeerClass {
    const found = this.classes[this.classNumber(session)]
    if (!found) throw new RangeError(`${this.speaker.id} has no session ${session}`)
    return found
  }

  /** Sorts the sessions into classes. Known classes keep their numbers. */
  classify(network: Network): void {
    forEachSession(this.speaker, (session, { settings }, neighbor) => {
      const wanted = peerClass(this.speaker, settings, neighbor, network)
      const known = this.classes.findIndex((c) => sameClass(c, wanted))
      this.classOf[session] = known >= 0 ? known : this.classes.push(wanted) - 1
    })
  }

  /** Whether routes learned from others can go anywhere: the speaker reflects or has eBGP sessions. */
  get passesOn(): boolean {
    return this.classes.some((c) => !c.internal || c.settings.rrClient)
  }

  resolve(nextHop: Ip, network: Network): Resolution | undefined {
    if (!this.#resolutions.has(nextHop)) this.#resolutions.set(nextHop, network.resolve(this.speaker, nextHop))
    return this.#resolutions.get(nextHop)
  }

  forgetResolutions(): void {
    this.#resolutions = new Map()
  }
}

export const sessionCount = (speaker: Speaker): number => speaker.peers.reduce((n, g) => n + g.neighbors.length, 0)

export function forEachSession(
  speaker: Speaker,
  visit: (session: number, group: PeerGroup, neighbor: Neighbor) => void,
): void {
  let session = 0
  for (const group of speaker.peers) {
    for (const neighbor of group.neighbors) {
      if (!speaker.addresses.includes(neighbor.address)) visit(session, group, neighbor)
      session++
    }
  }
}

export interface ConfiguredSession {
  readonly settings: PeerSettings
  readonly neighbor: Neighbor
}

/** The configuration of one session by its number. */
export function sessionAt(speaker: Speaker, session: number): ConfiguredSession {
  let first = 0
  for (const { settings, neighbors } of speaker.peers) {
    const neighbor = neighbors[session - first]
    if (neighbor) return { settings, neighbor }
    first += neighbors.length
  }
  throw new RangeError(`${speaker.id} has no session ${session}`)
}

const indexes = new WeakMap<readonly Neighbor[], ReadonlyMap<Ip, number>>()

/** Number of the first session towards an address. Neighbour lists shared by many speakers are indexed once. */
export function sessionTowards(speaker: Speaker, address: Ip): number | undefined {
  let first = 0
  for (const { neighbors } of speaker.peers) {
    const at = indexOf(neighbors).get(address)
    if (at !== undefined) return first + at
    first += neighbors.length
  }
  return undefined
}

function indexOf(neighbors: readonly Neighbor[]): ReadonlyMap<Ip, number> {
  const known = indexes.get(neighbors)
  if (known) return known
  const made = new Map<Ip, number>()
  neighbors.forEach((n, i) => {
    if (!made.has(n.address)) made.set(n.address, i)
  })
  indexes.set(neighbors, made)
  return made
}
