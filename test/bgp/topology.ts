import { acceptAll, type Filter } from '../../src/bgp/filter.ts'
import type { Network } from '../../src/bgp/network.ts'
import type { LocalRoute, Neighbor, PeerGroup, PeerSettings, Speaker } from '../../src/bgp/speaker.ts'
import { type Ip, ip, ipAt, ipToBigInt } from '../../src/net/ip.ts'
import { networkOf, type Prefix, prefix } from '../../src/net/prefix.ts'

/** Routers on one link, `eth0`: everybody reaches everybody. Other addresses lie behind 10.0.0.1. */
export const oneLink: Network = {
  canConnect: () => undefined,
  linkTo: () => 'eth0',
  resolve: () => ({ device: 'eth0', metric: 0 }),
}

export const nodeAddress = (i: number): Ip => ipAt(ipToBigInt(ip('10.0.0.10')) + BigInt(i), 'ipv4')
export const nodeName = (i: number): string => `node-${i}`

/** The `b`-th /26 of node `i`. */
export const blockOf = (i: number, b = 0, perNode = 1): Prefix =>
  networkOf(ipAt(ipToBigInt(ip('10.128.0.0')) + BigInt((i * perNode + b) * 64), 'ipv4'), 26)

export const blackhole = (p: Prefix | string): LocalRoute => ({
  prefix: typeof p === 'string' ? prefix(p) : p,
  source: 'static',
  target: { kind: 'blackhole' },
})

export const neighborOf = (address: Ip, as = 64512, kind = 'Mesh'): Neighbor => ({
  name: `${kind}_${address.replace(/[.:]/g, '_')}`,
  address,
  as,
})

export interface Shape {
  readonly blocks?: number
  readonly settings?: PeerSettings
  readonly importFilter?: Filter
}

export const speakerAt = (i: number, peers: readonly PeerGroup[], blocks = 1): Speaker => ({
  id: nodeName(i),
  routerId: nodeAddress(i),
  as: 64512,
  addresses: [nodeAddress(i)],
  peers,
  routes: Array.from({ length: blocks }, (_, b) => blackhole(blockOf(i, b, blocks))),
  kernel: { exportFilter: acceptAll, mergePaths: true },
})

export const meshSettings: PeerSettings = { passive: 'by address', gracefulRestart: true }

/** Every node with every other. */
export function mesh(n: number, { blocks = 1, settings = meshSettings }: Shape = {}): readonly Speaker[] {
  const group: PeerGroup = { settings, neighbors: Array.from({ length: n }, (_, i) => neighborOf(nodeAddress(i))) }
  return Array.from({ length: n }, (_, i) => speakerAt(i, [group], blocks))
}

/** The first `r` nodes reflect for all others and are meshed among themselves. */
export function reflected(n: number, r: number, { blocks = 1 }: Shape = {}): readonly Speaker[] {
  const towards = (from: number, to: number): readonly Neighbor[] =>
    Array.from({ length: to - from }, (_, i) => neighborOf(nodeAddress(from + i), 64512, 'Node'))
  const reflectors: PeerGroup = { settings: { passive: 'by address' }, neighbors: towards(0, r) }
  const clients = towards(r, n)
  return Array.from({ length: n }, (_, i) => {
    if (i >= r) return speakerAt(i, [reflectors], blocks)
    const clientGroup: PeerGroup = {
      settings: { rrClient: true, clusterId: nodeAddress(i), passive: 'by address' },
      neighbors: clients,
    }
    return speakerAt(i, [reflectors, clientGroup], blocks)
  })
}
