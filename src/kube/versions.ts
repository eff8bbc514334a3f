import { groupOf, isKnownKind, knownResources } from './kinds.ts'
import type { KnownKind } from './objects/kinds.ts'

/** The version that a kind is read as. */
const currentVersions: Readonly<Record<KnownKind, string>> = {
  Pod: 'v1',
  Node: 'v1',
  Namespace: 'v1',
  ConfigMap: 'v1',
  Service: 'v1',
  EndpointSlice: 'discovery.k8s.io/v1',
  Endpoints: 'v1',
  Deployment: 'apps/v1',
  ReplicaSet: 'apps/v1',
  ReplicationController: 'v1',
  StatefulSet: 'apps/v1',
  DaemonSet: 'apps/v1',
  Job: 'batch/v1',
  CronJob: 'batch/v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  AdminNetworkPolicy: 'policy.networking.k8s.io/v1alpha1',
  BaselineAdminNetworkPolicy: 'policy.networking.k8s.io/v1alpha1',
  ClusterNetworkPolicy: 'policy.networking.k8s.io/v1alpha2',
  Underlay: 'kubehop.dev/v1alpha1',
  NodeState: 'kubehop.dev/v1alpha1',
  Expectation: 'kubehop.dev/v1alpha1',
}

/** Versions that were removed from the API (kubernetes.io, "Deprecated API Migration Guide") and mean the same. */
const removedVersions: Partial<Readonly<Record<KnownKind, readonly string[]>>> = {
  EndpointSlice: ['discovery.k8s.io/v1beta1', 'discovery.k8s.io/v1alpha1'],
  Deployment: ['extensions/v1beta1', 'apps/v1beta1', 'apps/v1beta2'],
  ReplicaSet: ['extensions/v1beta1', 'apps/v1beta2'],
  StatefulSet: ['apps/v1beta1', 'apps/v1beta2'],
  DaemonSet: ['extensions/v1beta1', 'apps/v1beta2'],
  CronJob: ['batch/v1beta1', 'batch/v2alpha1'],
  NetworkPolicy: ['extensions/v1beta1'],
}

/** Groups that Kubernetes itself serves, where a kind that is read can't be somebody else's. */
const ownGroups = new Set([
  '',
  'apps',
  'batch',
  'extensions',
  'networking.k8s.io',
  'policy.networking.k8s.io',
  'discovery.k8s.io',
  'kubehop.dev',
])

export type ReadAs =
  /** A kind that is read, with the version to read it as. */
  | { readonly kind: 'known'; readonly known: KnownKind; readonly apiVersion: string }
  | { readonly kind: 'unread' }
  /** A kind that is read, in a version that never was. */
  | { readonly kind: 'unsupported'; readonly supported: readonly string[] }

export function readAs(apiVersion: string, kind: string): ReadAs {
  if (!isKnownKind(kind)) return { kind: 'unread' }
  const current = currentVersions[kind]
  if (apiVersion === current) return { kind: 'known', known: kind, apiVersion }
  if (removedVersions[kind]?.includes(apiVersion)) return { kind: 'known', known: kind, apiVersion: current }
  return ownGroups.has(groupOf(apiVersion)) ? { kind: 'unsupported', supported: [current] } : { kind: 'unread' }
}

/** Kinds of a group, to suggest one for a kind that is not known. */
export const kindsOfGroup = (group: string): readonly string[] =>
  Object.values(knownResources).flatMap((r) => (r.group === group ? [r.kind] : []))

type Fields = Readonly<Record<string, unknown>>

/** Rewrites what an old version spelled otherwise. Everything else in old versions reads as it does today. */
export function modernised(object: Fields, apiVersion: string): Fields {
  const old = object.apiVersion
  if (old === apiVersion) return object
  const current = { ...object, apiVersion }
  return typeof old === 'string' && old.startsWith('discovery.k8s.io/') ? withoutTopology(current) : current
}

/** EndpointSlice v1beta1 kept node and zone in a `topology` map; v1alpha1 also had `addressType: IP`. */
function withoutTopology(slice: Fields): Fields {
  const endpoints = Array.isArray(slice.endpoints) ? slice.endpoints.map(endpointWithoutTopology) : slice.endpoints
  return { ...slice, endpoints, ...(slice.addressType === 'IP' ? { addressType: 'IPv4' } : {}) }
}

function endpointWithoutTopology(endpoint: unknown): unknown {
  if (typeof endpoint !== 'object' || endpoint === null || !('topology' in endpoint)) return endpoint
  const { topology, ...rest } = endpoint
  if (typeof topology !== 'object' || topology === null) return rest
  const labels = topology as Readonly<Record<string, unknown>>
  const node = labels['kubernetes.io/hostname']
  const zone = labels['topology.kubernetes.io/zone']
  return { ...(node === undefined ? {} : { nodeName: node }), ...(zone === undefined ? {} : { zone }), ...rest }
}
