import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import type { NetnsAdditions } from '../artefact/netns.ts'
import type { Family } from '../net/ip.ts'
import type { NetworkProblem } from './problem.ts'
import type { PodWiring } from './result.ts'

/** What a node's container network (CNI plugins or docker) has done for the pods on the node. */
export interface PodNetworkResult {
  readonly additions: NetnsAdditions
  readonly edits: Readonly<Record<Family, readonly IptablesEdit[]>>
  readonly nftables: readonly string[]
  readonly pods: readonly PodWiring[]
  readonly problems: readonly NetworkProblem[]
}

export const noPodNetwork = (problems: readonly NetworkProblem[]): PodNetworkResult => ({
  additions: {},
  edits: { ipv4: [], ipv6: [] },
  nftables: [],
  pods: [],
  problems,
})
