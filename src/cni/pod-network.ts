import type { NetnsAdditions } from '../artefact/netns.ts'
import { type FamilyRules, noRules } from './family-rules.ts'
import type { NetworkProblem } from './problem.ts'
import type { PodWiring } from './result.ts'

/** What a node's container network (CNI plugins or docker) has done for the pods on the node. */
export interface PodNetworkResult extends FamilyRules {
  readonly additions: NetnsAdditions
  readonly pods: readonly PodWiring[]
  readonly problems: readonly NetworkProblem[]
}

export const noPodNetwork = (problems: readonly NetworkProblem[]): PodNetworkResult => ({
  ...noRules,
  additions: {},
  pods: [],
  problems,
})
