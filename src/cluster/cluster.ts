import type { Convergence } from '../bgp/converge.ts'
import type { Uplink } from '../cni/result.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectReader } from '../kube/store.ts'
import type { Family, Ip } from '../net/ip.ts'
import type { Network } from './loop.ts'
import type { NetnsId } from './machine.ts'
import type { UnderlayPlan } from './underlay.ts'
import type { OutsideTarget } from './underlay-machines.ts'

/** A whole cluster, worked out: every namespace's artefacts and the cables between them. */
export interface Cluster {
  readonly objects: ObjectReader
  readonly settings: ClusterSettings
  readonly underlay: UnderlayPlan
  readonly uplinks: ReadonlyMap<string, readonly Uplink[]>
  /** `flannel vxlan`, as a person would say it. */
  readonly cni: string
  /** Whether the CNI turns network policies into rules; where not, they have no effect on packets. */
  readonly enforcesPolicy: boolean
  readonly proxy: string
  /** Its speakers after they have told each other everything; absent where the pod network has none. */
  readonly bgp?: (family: Family) => Convergence
  /** The namespaces and cables, with addresses beyond the cluster that a question names. */
  network(outside?: readonly OutsideTarget[]): Network
  /** Whether something in the cluster or its underlay answers for the address, or should: it lies in a cluster network. */
  isInside(ip: Ip): boolean
  /** The outside host that `external` means. */
  readonly external: NetnsId | undefined
}
