import type { Chance, Clock } from '../linux/chance.ts'
import type { Emit } from '../linux/emit.ts'
import type { Input, Output, SendRequest } from '../linux/kernel.ts'
import { createNetns, type Netns } from '../linux/netns.ts'
import { step } from '../linux/step.ts'
import type { IpPacket } from '../packet/packet.ts'
import type { Cabling, Machine, NetnsId } from './machine.ts'
import type { ClusterEvent, Process, Reaction } from './process.ts'

/**
 * One input to one namespace, and all that it did there until the packet left, ended or waited. Visits form a tree:
 * the parent is the visit whose output this one takes in, so a packet's journey is a path from a root.
 */
export interface Visit {
  readonly id: number
  readonly parent: number | undefined
  readonly netns: NetnsId
  readonly input: Input
  /** Virtual time in ms. */
  readonly at: number
  readonly events: readonly ClusterEvent[]
  readonly outputs: readonly Output[]
}

export interface WorldOptions {
  readonly chance: Chance
  /** Tell of rules that did not match as well. */
  readonly everyRule?: boolean
  /** Compare rule by rule, without an index. */
  readonly linear?: boolean
  /** What a process does with what reaches its socket. */
  readonly serve?: (packet: IpPacket, owner: string, listening: boolean) => SendRequest | undefined
  /** Clients answer the SYN,ACK with the third packet of the handshake. */
  readonly completeHandshake?: boolean
  /** Bound on visits: a bridge loop must end. */
  readonly limit?: number
}

export interface Network {
  readonly machines: ReadonlyMap<NetnsId, Machine>
  readonly cabling: Cabling
}

/** The one loop that moves frames between namespaces, on a virtual clock. */
export class World {
  readonly visits: Visit[] = []
  /** More visits were due than the limit allows. */
  overrun = false
  readonly #network: Network
  readonly #options: WorldOptions
  readonly #netnses = new Map<NetnsId, Netns>()
  readonly #queue: Pending[] = []
  readonly #timers: (Pending & { readonly due: number })[] = []
  #now = 0
  readonly #clock: Clock = { now: () => this.#now }

  constructor(network: Network, options: WorldOptions) {
    this.#network = network
    this.#options = options
  }

  now(): number {
    return this.#now
  }

  /** Lets virtual time pass; timers that fall due in it go off. */
  advance(milliseconds: number): void {
    const until = this.#now + milliseconds
    this.#run(until)
    this.#now = until
  }

  netns(id: NetnsId): Netns | undefined {
    const known = this.#netnses.get(id)
    if (known) return known
    const machine = this.#network.machines.get(id)
    if (!machine) return undefined
    const { chance, everyRule = false, linear = false, completeHandshake = false } = this.#options
    const made = createNetns(machine.state(), { clock: this.#clock, chance, everyRule, linear, completeHandshake })
    this.#netnses.set(id, made)
    return made
  }

  /** A process in `netns` sends; returns all visits that followed, the first being the sending itself. */
  send(netns: NetnsId, request: SendRequest): readonly Visit[] {
    const first = this.visits.length
    this.#queue.push({ netns, input: { kind: 'send', request }, parent: undefined })
    this.#run(Number.POSITIVE_INFINITY)
    return this.visits.slice(first)
  }

  #run(until: number): void {
    const limit = this.#options.limit ?? 20_000
    for (let count = 0; ; count++) {
      const next = this.#queue.shift() ?? this.#dueTimer(until)
      if (!next) return
      if (count >= limit) {
        this.overrun = true
        this.#queue.length = 0
        this.#timers.length = 0
        return
      }
      this.#visit(next)
    }
  }

  #dueTimer(until: number): Pending | undefined {
    this.#timers.sort((a, b) => a.due - b.due)
    const [first] = this.#timers
    if (!first || first.due > until) return undefined
    this.#timers.shift()
    this.#now = Math.max(this.#now, first.due)
    return first
  }

  #visit({ netns: id, input, parent }: Pending): void {
    const netns = this.netns(id)
    if (!netns) return
    const events: ClusterEvent[] = []
    const outputs = step(netns, input, (event) => events.push(event))
    const visit: Visit = { id: this.visits.length, parent, netns: id, input, at: this.#now, events, outputs }
    this.visits.push(visit)
    for (const output of outputs) this.#take(visit, output, (event) => events.push(event))
  }

  #processes(netns: NetnsId): readonly Process[] {
    return this.#network.machines.get(netns)?.processes ?? []
  }

  #react({ netns, id: parent }: Visit, { events, inputs }: Reaction, emit: Emit<ClusterEvent>): void {
    for (const event of events) emit(event)
    for (const input of inputs) this.#queue.push({ netns, input, parent })
  }

  #take(visit: Visit, output: Output, emit: Emit<ClusterEvent>): void {
    const { netns, id: parent } = visit
    switch (output.kind) {
      case 'transmit': {
        const peer = this.#network.cabling.peerOf({ netns, device: output.device })
        if (peer)
          this.#queue.push({
            netns: peer.netns,
            input: { kind: 'receive', device: peer.device, frame: output.frame },
            parent,
          })
        return
      }
      case 'deliver': {
        const process = this.#processes(netns).find((p) => p.owner === output.owner)
        if (process) {
          this.#react(visit, process.datagramReceived(output.packet), emit)
          return
        }
        const answer = this.#options.serve?.(output.packet, output.owner, output.listening)
        if (answer) this.#queue.push({ netns, input: { kind: 'send', request: answer }, parent })
        return
      }
      case 'set-timer':
        this.#timers.push({
          netns,
          input: { kind: 'timer', timer: output.timer },
          parent,
          due: this.#now + output.after,
        })
        return
      case 'tun': {
        const process = this.#processes(netns).find((p) => p.devices.includes(output.device))
        if (process) this.#react(visit, process.packetRead(output.device, output.packet), emit)
        return
      }
      case 'error':
        return
    }
  }
}

interface Pending {
  readonly netns: NetnsId
  readonly input: Input
  readonly parent: number | undefined
}
