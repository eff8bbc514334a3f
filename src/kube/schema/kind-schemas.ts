import type { KnownKind } from '../objects/kinds.ts'
import { adminNetworkPolicy, baselineAdminNetworkPolicy, clusterNetworkPolicy } from './admin-policy-schema.ts'
import type { JsonSchema } from './json-schema.ts'
import { expectation, nodeState, underlay } from './kubehop-schema.ts'
import { networkPolicy } from './network-policy-schema.ts'
import { configMap, namespace, node } from './node-schema.ts'
import { pod } from './pod-schema.ts'
import { endpointSlice, endpoints, service } from './service-schema.ts'
import {
  cronJob,
  daemonSet,
  deployment,
  job,
  replicaSet,
  replicationController,
  statefulSet,
} from './workload-schema.ts'

/** The fields that are read, of every kind that is read. Others pass, except in kinds of kubehop.dev. */
export const kindSchemas: Readonly<Record<KnownKind, JsonSchema>> = {
  Pod: pod,
  Node: node,
  Namespace: namespace,
  ConfigMap: configMap,
  Service: service,
  EndpointSlice: endpointSlice,
  Endpoints: endpoints,
  Deployment: deployment,
  ReplicaSet: replicaSet,
  ReplicationController: replicationController,
  StatefulSet: statefulSet,
  DaemonSet: daemonSet,
  Job: job,
  CronJob: cronJob,
  NetworkPolicy: networkPolicy,
  AdminNetworkPolicy: adminNetworkPolicy,
  BaselineAdminNetworkPolicy: baselineAdminNetworkPolicy,
  ClusterNetworkPolicy: clusterNetworkPolicy,
  Underlay: underlay,
  NodeState: nodeState,
  Expectation: expectation,
}
