import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import type { DeviceName } from '../artefact/link.ts'
import type { NetnsAdditions, NetnsState } from '../artefact/netns.ts'
import type { ObjectRef } from '../kube/objects/meta.ts'
import type { Family } from '../net/ip.ts'
import type { InterfaceAddress } from '../net/prefix.ts'

/** The device by which a node reaches the others, as the underlay gives it. */
export interface Uplink {
  readonly device: DeviceName
  readonly addresses: readonly InterfaceAddress[]
  readonly mtu: number
}

/** What the network agents add to one node's root namespace. */
export interface NodeNetwork {
  readonly additions: NetnsAdditions
  /** In the order in which the agents make them. */
  readonly edits: Readonly<Record<Family, readonly IptablesEdit[]>>
}

/** One pod's own namespace, and the two ends of the cable to its node. */
export interface PodWiring {
  readonly pod: ObjectRef
  readonly node: string
  readonly netns: NetnsState
  readonly podDevice: DeviceName
  readonly hostDevice: DeviceName
}

export interface CniResult {
  readonly nodes: ReadonlyMap<string, NodeNetwork>
  readonly pods: readonly PodWiring[]
}
