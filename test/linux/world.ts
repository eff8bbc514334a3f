import type { LinuxEvent } from '../../src/linux/event.ts'
import type { Input, Output, SendRequest } from '../../src/linux/kernel.ts'
import { createNetns, type Netns, type NetnsOptions } from '../../src/linux/netns.ts'
import { step } from '../../src/linux/step.ts'
import type { IpPacket } from '../../src/packet/packet.ts'
import type { Lab } from './lab.ts'

export type Told = { readonly ns: string; readonly event: LinuxEvent }

/** The namespaces of a lab, joined by its wires, on a virtual clock. UDP servers answer five bytes after 30 ms. */
export class World {
  readonly told: Told[] = []
  readonly outputs: Output[] = []
  readonly #lab: Lab
  readonly spaces = new Map<string, Netns>()
  readonly #serve: boolean
  #now = 0
  readonly #queue: { ns: string; input: Input }[] = []
  readonly #timers: { due: number; ns: string; input: Input }[] = []

  constructor(lab: Lab, serve: boolean, options: Partial<NetnsOptions> = {}) {
    this.#lab = lab
    this.#serve = serve
    let drawn = 1
    const chance = {
      probably: () => true,
      pick: () => 0,
      noise: (n: number): number => {
        drawn = (drawn * 48271) % 2147483647
        return drawn % n
      },
    }
    const clock = { now: () => this.#now }
    for (const [ns, state] of lab.spaces) {
      this.spaces.set(ns, createNetns({ ...state }, { clock, chance, ...options }))
    }
  }

  run(ns: string, input: Input): void {
    this.#queue.push({ ns, input })
    for (let count = 0; count < 3000; count++) {
      const next = this.#queue.shift() ?? this.#due()
      if (!next) return
      const space = this.spaces.get(next.ns)
      if (!space) throw new Error(next.ns)
      const outputs = step(space, next.input, (event) => this.told.push({ ns: next.ns, event }))
      for (const output of outputs) this.#take(next.ns, output)
    }
    throw new Error('does not end')
  }

  #due() {
    this.#timers.sort((a, b) => a.due - b.due)
    const timer = this.#timers.shift()
    if (timer) this.#now = timer.due
    return timer
  }

  #take(ns: string, output: Output): void {
    this.outputs.push(output)
    if (output.kind === 'transmit') {
      const peer = this.#lab.wires.get(`${ns} ${output.device}`)
      if (peer) this.#queue.push({ ns: peer.ns, input: { kind: 'receive', device: peer.device, frame: output.frame } })
    }
    if (output.kind === 'set-timer') {
      this.#timers.push({ due: this.#now + output.after, ns, input: { kind: 'timer', timer: output.timer } })
    }
    if (output.kind === 'deliver' && output.listening && this.#serve) this.#answer(ns, output.packet)
  }

  #answer(ns: string, packet: IpPacket): void {
    const { payload } = packet
    if (payload.kind !== 'udp') return
    const request: SendRequest = {
      src: undefined,
      dst: packet.src,
      ttl: 64,
      tos: 0,
      df: true,
      owner: 'server',
      payload: { kind: 'udp', srcPort: payload.dstPort, dstPort: payload.srcPort, data: 5 },
    }
    this.#timers.push({ due: this.#now + 30, ns, input: { kind: 'send', request } })
  }
}
