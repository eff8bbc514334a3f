import type { AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy } from './admin-network-policy.ts'
import type { Expectation, NodeState, Underlay } from './kubehop.ts'
import type { KubeObject } from './meta.ts'
import type { NetworkPolicy } from './network-policy.ts'
import type { ConfigMap, Namespace, Node } from './node.ts'
import type { Pod } from './pod.ts'
import type { EndpointSlice, Endpoints, Service } from './service.ts'
import type { CronJob, DaemonSet, Deployment, Job, ReplicaSet, ReplicationController, StatefulSet } from './workload.ts'

/** The kinds that are read. Every other kind is kept as a bare `KubeObject` and ignored. */
export interface Kinds {
  readonly Pod: Pod
  readonly Node: Node
  readonly Namespace: Namespace
  readonly ConfigMap: ConfigMap
  readonly Service: Service
  readonly EndpointSlice: EndpointSlice
  readonly Endpoints: Endpoints
  readonly Deployment: Deployment
  readonly ReplicaSet: ReplicaSet
  readonly ReplicationController: ReplicationController
  readonly StatefulSet: StatefulSet
  readonly DaemonSet: DaemonSet
  readonly Job: Job
  readonly CronJob: CronJob
  readonly NetworkPolicy: NetworkPolicy
  readonly AdminNetworkPolicy: AdminNetworkPolicy
  readonly BaselineAdminNetworkPolicy: BaselineAdminNetworkPolicy
  readonly ClusterNetworkPolicy: ClusterNetworkPolicy
  readonly Underlay: Underlay
  readonly NodeState: NodeState
  readonly Expectation: Expectation
}

export type KnownKind = keyof Kinds
export type KnownObject = Kinds[KnownKind]
export type ObjectOf<K extends string> = K extends KnownKind ? Kinds[K] : KubeObject
