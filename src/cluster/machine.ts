import type { DeviceName } from '../artefact/link.ts'
import type { NetnsState } from '../artefact/netns.ts'
import type { UserTunnel } from '../cni/result.ts'
import type { Branded } from '../net/ip.ts'
import type { Process } from './process.ts'

/** Names one network namespace of the whole cluster: `node-a`, `shop/cart-6f`, `external`, `switch lan`. */
export type NetnsId = Branded<string, 'NetnsId'>

export type MachineKind = 'node' | 'pod' | 'host' | 'router' | 'load-balancer' | 'switch'

/** One network namespace and what it stands for. */
export interface Machine {
  readonly id: NetnsId
  readonly kind: MachineKind
  readonly name: string
  /** Of a pod. */
  readonly namespace?: string
  /** The node that a pod runs on; the node itself for a node. */
  readonly node?: string
  /** What is programmed into it. Worked out when first asked for: a trace visits few of many. */
  readonly state: () => NetnsState
  /** Programs that packets pass through. Those that only listen are sockets of the state. */
  readonly processes?: readonly Process[]
  /** What those processes carry, and where to. */
  readonly tunnels?: readonly UserTunnel[]
}

/** One end of a cable. */
export interface Port {
  readonly netns: NetnsId
  readonly device: DeviceName
}

export interface Wire {
  readonly a: Port
  readonly b: Port
}

export const nodeNetns = (node: string): NetnsId => node as NetnsId
export const podNetns = (namespace: string, name: string): NetnsId => `${namespace}/${name}` as NetnsId
export const hostNetns = (name: string): NetnsId => `host ${name}` as NetnsId
export const routerNetns = (name: string): NetnsId => `router ${name}` as NetnsId
export const balancerNetns = (name: string): NetnsId => `load-balancer ${name}` as NetnsId
export const switchNetns = (segment: string): NetnsId => `switch ${segment}` as NetnsId

/** Both directions of every cable. */
export class Cabling {
  readonly #peers = new Map<string, Port>()

  constructor(wires: readonly Wire[]) {
    for (const { a, b } of wires) {
      this.#peers.set(key(a), b)
      this.#peers.set(key(b), a)
    }
  }

  /** What is at the other end; undefined for a device without a cable. */
  peerOf(port: Port): Port | undefined {
    return this.#peers.get(key(port))
  }
}

const key = (port: Port): string => `${port.netns} ${port.device}`
