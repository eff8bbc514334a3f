import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import type { DeviceName } from '../artefact/link.ts'
import type { NetnsAdditions, NetnsState } from '../artefact/netns.ts'
import type { ObjectRef } from '../kube/objects/meta.ts'
import type { Family, Ip } from '../net/ip.ts'
import type { InterfaceAddress, Prefix } from '../net/prefix.ts'
import type { NetworkProblem } from './problem.ts'

/** The device by which a node reaches the others, as the underlay gives it. */
export interface Uplink {
  readonly device: DeviceName
  readonly addresses: readonly InterfaceAddress[]
  readonly mtu: number
  /** Of the node's default routes, where they leave by this device. */
  readonly gateways?: readonly Ip[]
}

/** What the network agents add to one node's root namespace. */
export interface NodeNetwork {
  readonly additions: NetnsAdditions
  /** In the order in which the agents make them. */
  readonly edits: Readonly<Record<Family, readonly IptablesEdit[]>>
  /** What user-space processes do with the packets of the node's TUN devices. */
  readonly tunnels?: readonly UserTunnel[]
  /** Chains in the form of `nft list chain`, where the agent writes nftables rules. */
  readonly nftables?: readonly string[]
}

/** flannel's udp backend: a process reads packets from a TUN device and sends each as the payload of a UDP datagram. */
export interface UserTunnel {
  readonly device: DeviceName
  /** The socket of the process. */
  readonly local: Ip
  readonly port: number
  /** Owner of that socket. */
  readonly owner: string
  /** Searched in order; the first subnet that holds the destination is taken. */
  readonly peers: readonly TunnelPeer[]
}

export interface TunnelPeer {
  readonly subnet: Prefix
  readonly address: Ip
  readonly port: number
}

/** One pod's own namespace, and the two ends of the cable to its node. */
export interface PodWiring {
  readonly pod: ObjectRef
  readonly node: string
  readonly netns: NetnsState
  readonly podDevice: DeviceName
  readonly hostDevice: DeviceName
}

export interface FabricRoute {
  readonly to: Prefix
  readonly via: Ip
}

export interface CniResult {
  /** What it is called: `flannel vxlan`. */
  readonly name?: string
  /** Whether its agents turn network policies into rules. Absent for no. */
  readonly enforcesPolicy?: boolean
  readonly nodes: ReadonlyMap<string, NodeNetwork>
  readonly pods: readonly PodWiring[]
  /** What the agents write into the routers between the nodes, as a cloud's route table takes it. */
  readonly fabricRoutes?: readonly FabricRoute[]
  /** What the agents would have complained about. */
  readonly problems?: readonly NetworkProblem[]
}
