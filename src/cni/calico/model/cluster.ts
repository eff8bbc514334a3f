import type { HostEndpoint } from '../../../kube/objects/calico.ts'
import type { LabelSelector, Labels } from '../../../kube/objects/meta.ts'
import type { Pod } from '../../../kube/objects/pod.ts'
import { matchesLabelSelector } from '../../../kube/selector.ts'
import type { ObjectReader } from '../../../kube/store.ts'
import { type Ip, parseIp } from '../../../net/ip.ts'
import { lazy } from '../../lazy.ts'
import { podsByNode } from '../../pod-addresses.ts'
import { calicoObjects } from '../objects.ts'
import { builtinTiers, convertAdminPolicy } from './convert-admin-policy.ts'
import { convertNetworkPolicy } from './convert-network-policy.ts'
import { type WorkloadEndpoint, workloadEndpoint } from './endpoint.ts'
import { type CalicoPolicy, typesOf } from './policy.ts'
import { accountProfile, namespaceProfile, type Profile } from './profile.ts'

/** Whoever a selector may select: pods, host endpoints, network sets. */
export interface Selectable {
  /** With what the profiles add. */
  readonly labels: Labels
  /** Addresses and nets. */
  readonly nets: readonly string[]
  readonly ports: readonly { readonly name?: string; readonly protocol: string; readonly port: number }[]
}

export interface Workload extends WorkloadEndpoint {
  readonly allLabels: Labels
}

export interface Tier {
  readonly name: string
  readonly order: number | undefined
  readonly defaultAction: 'Deny' | 'Pass'
  /** In the order in which they are asked. */
  readonly policies: readonly CalicoPolicy[]
}

/** What Felix on every node is told of the whole cluster. */
export interface PolicyCluster {
  readonly objects: ObjectReader
  readonly workloads: ReadonlyMap<string, readonly Workload[]>
  readonly hostEndpoints: readonly HostEndpoint[]
  readonly selectables: readonly Selectable[]
  readonly tiers: readonly Tier[]
  profile(name: string): Profile | undefined
  /** Conversion errors. */
  readonly problems: readonly { readonly policy: CalicoPolicy; readonly message: string }[]
}

export function policyCluster(objects: ObjectReader, interfacePrefix: string): PolicyCluster {
  const profileOf = profiles(objects)
  const workloads = new Map(
    [...podsByNode(objects)].map(([node, pods]) => [node, pods.map((p) => workloadOf(p, interfacePrefix, profileOf))]),
  )
  const hostEndpoints = calicoObjects(objects, 'HostEndpoint')
  const problems: { policy: CalicoPolicy; message: string }[] = []
  const policies = lazy(() => allPolicies(objects, problems))
  const tiers = lazy(() => tiersOf(objects, policies()))
  return {
    objects,
    workloads,
    hostEndpoints,
    selectables: selectables(objects, [...workloads.values()].flat(), hostEndpoints, profileOf),
    get tiers() {
      return tiers()
    },
    profile: profileOf,
    get problems() {
      policies()
      return problems
    },
  }
}

/** Every pod has a service account: the API server fills in `default`. */
const withAccount = (pod: Pod): Pod =>
  pod.spec.serviceAccountName ? pod : { ...pod, spec: { ...pod.spec, serviceAccountName: 'default' } }

function workloadOf(pod: Pod, prefix: string, profileOf: (name: string) => Profile | undefined): Workload {
  const endpoint = workloadEndpoint(withAccount(pod), prefix)
  return { ...endpoint, allLabels: { ...inherited(endpoint.profiles, profileOf), ...endpoint.labels } }
}

const inherited = (names: readonly string[], profileOf: (name: string) => Profile | undefined): Labels =>
  Object.assign({}, ...names.map((name) => profileOf(name)?.labelsToApply ?? {}))

/** `kns.NAMESPACE`, `ksa.NAMESPACE.ACCOUNT`; also of a namespace or account that no object describes. */
function profiles(objects: ObjectReader): (name: string) => Profile | undefined {
  const namespaces = new Map(objects.list('Namespace').map((n) => [n.metadata.name, n.metadata.labels]))
  const accounts = new Map(
    objects
      .listAll('ServiceAccount')
      .map((a) => [`${a.metadata.namespace ?? ''}.${a.metadata.name}`, a.metadata.labels]),
  )
  const made = new Map<string, Profile | undefined>()
  const make = (name: string): Profile | undefined => {
    const [, kind, rest = ''] = /^(kns|ksa)\.(.+)$/.exec(name) ?? []
    if (kind === 'kns') return namespaceProfile(rest, { ...namespaces.get(rest), 'kubernetes.io/metadata.name': rest })
    if (kind !== 'ksa') return name === 'projectcalico-default-allow' ? { ...namespaceProfile(''), name } : undefined
    const dot = rest.indexOf('.')
    return accountProfile(rest.slice(0, dot), rest.slice(dot + 1), accounts.get(rest))
  }
  return (name) => {
    if (!made.has(name)) made.set(name, make(name))
    return made.get(name)
  }
}

function selectables(
  objects: ObjectReader,
  workloads: readonly Workload[],
  hostEndpoints: readonly HostEndpoint[],
  profileOf: (name: string) => Profile | undefined,
): readonly Selectable[] {
  const sets = [...calicoObjects(objects, 'NetworkSet'), ...calicoObjects(objects, 'GlobalNetworkSet')]
  return [
    ...workloads.map(({ allLabels, ips, ports }) => ({ labels: allLabels, nets: ips, ports })),
    ...hostEndpoints.map(({ metadata, spec }) => ({
      labels: { ...inherited(spec.profiles ?? [], profileOf), ...metadata.labels },
      nets: spec.expectedIPs ?? [],
      ports: (spec.ports ?? []).map((p) => ({ ...p, protocol: String(p.protocol).toLowerCase() })),
    })),
    ...sets.map(({ kind, metadata: { namespace, labels }, spec }) => ({
      labels: {
        ...(namespace === undefined ? {} : inherited([`kns.${namespace}`], profileOf)),
        ...labels,
        ...(namespace === undefined ? {} : { 'projectcalico.org/namespace': namespace }),
        'projectcalico.org/kind': kind,
      },
      nets: spec.nets ?? [],
      ports: [],
    })),
  ]
}

/** Addresses among the nets of a selectable. */
export const addressesIn = (nets: readonly string[]): readonly Ip[] => nets.flatMap((net) => parseIp(net) ?? [])

function allPolicies(
  objects: ObjectReader,
  problems: { policy: CalicoPolicy; message: string }[],
): readonly CalicoPolicy[] {
  const kubernetes = objects.list('NetworkPolicy').map((source) => {
    const { policy, errors } = convertNetworkPolicy(source)
    for (const message of errors) problems.push({ policy, message })
    return policy
  })
  const nodeNets = (selector: LabelSelector): readonly string[] =>
    objects
      .list('Node')
      .filter((n) => matchesLabelSelector(selector, n.metadata.labels ?? {}))
      .flatMap((n) => (n.status?.addresses ?? []).flatMap((a) => parseIp(a.address) ?? []))
  const admin = [
    ...objects.list('AdminNetworkPolicy'),
    ...objects.list('BaselineAdminNetworkPolicy'),
    ...objects.list('ClusterNetworkPolicy'),
  ].flatMap((source) => convertAdminPolicy(source, nodeNets) ?? [])
  const own = (['NetworkPolicy', 'GlobalNetworkPolicy'] as const).flatMap((kind) =>
    calicoObjects(objects, kind).map((source): CalicoPolicy => {
      const { spec, metadata } = source
      const paths = (direction: 'ingress' | 'egress') => (spec[direction] ?? []).map((_, i) => ['spec', direction, i])
      return {
        kind,
        name: metadata.name,
        ...(kind === 'NetworkPolicy' ? { namespace: metadata.namespace ?? 'default' } : {}),
        tier: spec.tier ?? 'default',
        order: spec.order,
        spec,
        types: typesOf(spec),
        source,
        paths: { ingress: paths('ingress'), egress: paths('egress') },
      }
    }),
  )
  return [...kubernetes, ...admin, ...own]
}

function tiersOf(objects: ObjectReader, policies: readonly CalicoPolicy[]): readonly Tier[] {
  const given = calicoObjects(objects, 'Tier').map(({ metadata: { name }, spec }) => ({
    name,
    order: spec.order,
    defaultAction: spec.defaultAction ?? ('Deny' as const),
  }))
  const builtin = Object.values(builtinTiers).filter((tier) => !given.some((g) => g.name === tier.name))
  return [...builtin, ...given].sort(byOrder).map((tier) => ({
    ...tier,
    policies: policies.filter((p) => p.tier === tier.name).sort(byPolicyOrder),
  }))
}

const text = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** What has no order comes last. */
const byOrder = (a: { order: number | undefined; name: string }, b: { order: number | undefined; name: string }) =>
  (a.order ?? Number.MAX_VALUE) - (b.order ?? Number.MAX_VALUE) || text(a.name, b.name)

const byPolicyOrder = (a: CalicoPolicy, b: CalicoPolicy): number =>
  byOrder(a, b) || text(a.namespace ?? '', b.namespace ?? '') || text(a.kind, b.kind)
