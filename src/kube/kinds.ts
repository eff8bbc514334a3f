import type { CalicoKind } from './objects/calico.ts'
import type { KnownKind } from './objects/kinds.ts'
import type { KubeObject } from './objects/meta.ts'

/** A resource type as `kubectl api-resources` lists it. */
export interface ResourceType {
  readonly kind: string
  /** API group; empty for the core group. */
  readonly group: string
  readonly plural: string
  readonly shortNames: readonly string[]
  readonly namespaced: boolean
}

const resource = (
  kind: string,
  group: string,
  plural: string,
  shortNames: string,
  namespaced: boolean,
): ResourceType => ({ kind, group, plural, shortNames: shortNames === '' ? [] : shortNames.split(' '), namespaced })

/** The kinds that are read, each in its group of today. */
export const knownResources: Readonly<Record<KnownKind, ResourceType>> = {
  Pod: resource('Pod', '', 'pods', 'po', true),
  Node: resource('Node', '', 'nodes', 'no', false),
  Namespace: resource('Namespace', '', 'namespaces', 'ns', false),
  ConfigMap: resource('ConfigMap', '', 'configmaps', 'cm', true),
  Service: resource('Service', '', 'services', 'svc', true),
  EndpointSlice: resource('EndpointSlice', 'discovery.k8s.io', 'endpointslices', '', true),
  Endpoints: resource('Endpoints', '', 'endpoints', 'ep', true),
  Deployment: resource('Deployment', 'apps', 'deployments', 'deploy', true),
  ReplicaSet: resource('ReplicaSet', 'apps', 'replicasets', 'rs', true),
  ReplicationController: resource('ReplicationController', '', 'replicationcontrollers', 'rc', true),
  StatefulSet: resource('StatefulSet', 'apps', 'statefulsets', 'sts', true),
  DaemonSet: resource('DaemonSet', 'apps', 'daemonsets', 'ds', true),
  Job: resource('Job', 'batch', 'jobs', '', true),
  CronJob: resource('CronJob', 'batch', 'cronjobs', 'cj', true),
  NetworkPolicy: resource('NetworkPolicy', 'networking.k8s.io', 'networkpolicies', 'netpol', true),
  AdminNetworkPolicy: resource('AdminNetworkPolicy', 'policy.networking.k8s.io', 'adminnetworkpolicies', 'anp', false),
  BaselineAdminNetworkPolicy: resource(
    'BaselineAdminNetworkPolicy',
    'policy.networking.k8s.io',
    'baselineadminnetworkpolicies',
    'banp',
    false,
  ),
  ClusterNetworkPolicy: resource(
    'ClusterNetworkPolicy',
    'policy.networking.k8s.io',
    'clusternetworkpolicies',
    '',
    false,
  ),
  Underlay: resource('Underlay', 'kubehop.dev', 'underlays', '', false),
  NodeState: resource('NodeState', 'kubehop.dev', 'nodestates', '', false),
  Expectation: resource('Expectation', 'kubehop.dev', 'expectations', '', true),
}

const calicoGroups = ['crd.projectcalico.org', 'projectcalico.org']

const calicoResources = calicoGroups.flatMap((group) => [
  resource('IPPool', group, 'ippools', 'ippool', false),
  resource('IPAMBlock', group, 'ipamblocks', '', false),
  resource('BlockAffinity', group, 'blockaffinities', '', false),
  resource('IPAMConfig', group, 'ipamconfigs', '', false),
  resource('IPReservation', group, 'ipreservations', '', false),
  resource('BGPConfiguration', group, 'bgpconfigurations', 'bgpconfig', false),
  resource('BGPPeer', group, 'bgppeers', 'bgppeer', false),
  resource('BGPFilter', group, 'bgpfilters', '', false),
  resource('FelixConfiguration', group, 'felixconfigurations', 'felixconfig', false),
  resource('GlobalNetworkPolicy', group, 'globalnetworkpolicies', 'gnp', false),
  resource('GlobalNetworkSet', group, 'globalnetworksets', '', false),
  resource('HostEndpoint', group, 'hostendpoints', 'hep', false),
  resource('Tier', group, 'tiers', '', false),
  resource('NetworkPolicy', group, 'networkpolicies', 'cnp', true),
  resource('NetworkSet', group, 'networksets', 'netsets', true),
])

const calicoKinds: ReadonlySet<string> = new Set(calicoResources.map((r) => r.kind))

/** The kind under which one of Calico's objects is read, in either of its groups. */
export function calicoKindOf(apiVersion: string, kind: string): CalicoKind | undefined {
  return calicoGroups.includes(groupOf(apiVersion)) && calicoKinds.has(kind) ? (kind as CalicoKind) : undefined
}

/** Kinds that are kept unread, but whose scope and short names people expect `get` to know. */
const otherResources: readonly ResourceType[] = [
  ...calicoResources,
  resource('ServiceAccount', '', 'serviceaccounts', 'sa', true),
  resource('Secret', '', 'secrets', '', true),
  resource('Event', '', 'events', 'ev', true),
  resource('PersistentVolume', '', 'persistentvolumes', 'pv', false),
  resource('PersistentVolumeClaim', '', 'persistentvolumeclaims', 'pvc', true),
  resource('LimitRange', '', 'limitranges', 'limits', true),
  resource('ResourceQuota', '', 'resourcequotas', 'quota', true),
  resource('PodTemplate', '', 'podtemplates', '', true),
  resource('ControllerRevision', 'apps', 'controllerrevisions', '', true),
  resource('Ingress', 'networking.k8s.io', 'ingresses', 'ing', true),
  resource('IngressClass', 'networking.k8s.io', 'ingressclasses', '', false),
  resource('IPAddress', 'networking.k8s.io', 'ipaddresses', 'ip', false),
  resource('ServiceCIDR', 'networking.k8s.io', 'servicecidrs', '', false),
  resource('HorizontalPodAutoscaler', 'autoscaling', 'horizontalpodautoscalers', 'hpa', true),
  resource('PodDisruptionBudget', 'policy', 'poddisruptionbudgets', 'pdb', true),
  resource('PodSecurityPolicy', 'policy', 'podsecuritypolicies', 'psp', false),
  resource('Role', 'rbac.authorization.k8s.io', 'roles', '', true),
  resource('RoleBinding', 'rbac.authorization.k8s.io', 'rolebindings', '', true),
  resource('ClusterRole', 'rbac.authorization.k8s.io', 'clusterroles', '', false),
  resource('ClusterRoleBinding', 'rbac.authorization.k8s.io', 'clusterrolebindings', '', false),
  resource('Lease', 'coordination.k8s.io', 'leases', '', true),
  resource('StorageClass', 'storage.k8s.io', 'storageclasses', 'sc', false),
  resource('PriorityClass', 'scheduling.k8s.io', 'priorityclasses', 'pc', false),
  resource('CustomResourceDefinition', 'apiextensions.k8s.io', 'customresourcedefinitions', 'crd crds', false),
  // The extension API that GKE, EKS and older clusters still hand out.
  resource('Ingress', 'extensions', 'ingresses', '', true),
]

const allResources: readonly ResourceType[] = [...Object.values(knownResources), ...otherResources]
const byGroupKind = new Map(allResources.map((r) => [`${r.group}/${r.kind}`, r]))

export const isKnownKind = (kind: string): kind is KnownKind => Object.hasOwn(knownResources, kind)

/** `apps` of `apps/v1`; empty for `v1`. */
export const groupOf = (apiVersion: string): string => {
  const slash = apiVersion.indexOf('/')
  return slash < 0 ? '' : apiVersion.slice(0, slash)
}

export const resourceOf = (apiVersion: string, kind: string): ResourceType | undefined =>
  byGroupKind.get(`${groupOf(apiVersion)}/${kind}`)

/** The kind under which an object is read; undefined for one of another group that only shares the name. */
export function knownKindOf(object: { readonly apiVersion: string; readonly kind: string }): KnownKind | undefined {
  const { kind } = object
  return isKnownKind(kind) && knownResources[kind].group === groupOf(object.apiVersion) ? kind : undefined
}

/**
 * What tells resource types apart: the bare kind for the kinds that are read, `Kind.group` for every other, as kubectl
 * spells it. So Calico's `NetworkPolicy.projectcalico.org` is never taken for a `NetworkPolicy`.
 */
export const resourceKey = (object: Pick<KubeObject, 'apiVersion' | 'kind'>): string => {
  const known = knownKindOf(object)
  if (known !== undefined) return known
  const group = groupOf(object.apiVersion)
  return group === '' ? object.kind : `${object.kind}.${group}`
}

/** Whether objects of this type live in a namespace; undefined for a type that nobody told us of. */
export const isNamespaced = (apiVersion: string, kind: string): boolean | undefined =>
  resourceOf(apiVersion, kind)?.namespaced

/** What `kubectl get` takes as a type: `po`, `pod`, `Pods`, `deployments.apps`, `networkpolicies.v3.projectcalico.org`. */
export function findResource(text: string): ResourceType | undefined {
  const [name = '', ...rest] = text.toLowerCase().split('.')
  const group = (/^v\d+((alpha|beta)\d+)?$/.test(rest[0] ?? '') ? rest.slice(1) : rest).join('.')
  const named = allResources.filter((r) => namesOf(r).includes(name))
  return group === '' ? named[0] : named.find((r) => r.group === group || r.group.startsWith(`${group}.`))
}

/** Every name that `findResource` takes, for suggestions. */
export const resourceNames = (): readonly string[] => [...new Set(allResources.flatMap(namesOf))]

const namesOf = (r: ResourceType): readonly string[] => [r.plural, r.kind.toLowerCase(), ...r.shortNames]
