import { type DeviceName, deviceName } from '../artefact/link.ts'
import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { Ip } from '../net/ip.ts'
import type { InterfaceAddress } from '../net/prefix.ts'
import { podKey, sha256Hex } from './digest.ts'

/** One pod as the CNI plugins meet it: its node, its addresses and the gateway of each. */
export interface Sandbox {
  readonly pod: Pod
  readonly node: Node
  /** Stands for the container ID, which is in no object. */
  readonly id: string
  readonly addresses: readonly SandboxAddress[]
  readonly hostDevice: DeviceName
}

export interface SandboxAddress extends InterfaceAddress {
  readonly gateway: Ip
}

export const podDevice = deviceName('eth0')

/** `veth` and 8 hex digits, random in reality. */
export const vethName = (pod: Pod): DeviceName => deviceName(`veth${sha256Hex(`veth ${podKey(pod)}`).slice(0, 8)}`)
