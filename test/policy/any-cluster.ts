import fc from 'fast-check'
import type {
  AdminNetworkPolicy,
  AdminPolicyPeer,
  BaselineAdminNetworkPolicy,
  ClusterNetworkPolicy,
} from '../../src/kube/objects/admin-network-policy.ts'
import type { KubeObject, LabelSelector, Labels } from '../../src/kube/objects/meta.ts'
import type { NetworkPolicy, PolicyPeer, PolicyPort } from '../../src/kube/objects/network-policy.ts'
import type { Namespace, Node } from '../../src/kube/objects/node.ts'
import type { ContainerPort, KubeProtocol, Pod } from '../../src/kube/objects/pod.ts'
import { ObjectStore } from '../../src/kube/store.ts'
import { ip } from '../../src/net/ip.ts'
import type { Protocol } from '../../src/net/port.ts'
import { type PolicyCluster, policyCluster } from '../../src/policy/cluster.ts'
import type { Connection } from '../../src/policy/connection.ts'
import { type End, nodeEnd, podEnd } from '../../src/policy/end.ts'

/** Few words, so that policies and pods often meet. */
const namespaces = ['x', 'y', 'z']
const keys = ['app', 'tier']
const values = ['a', 'b', '']
const portNumbers = [80, 81, 8080]
const portNames = ['web', 'dns']
const blocks = [
  '10.0.0.0/8',
  '10.244.0.0/16',
  '10.244.1.0/24',
  '10.244.1.0/28',
  '10.244.2.0/23',
  '0.0.0.0/0',
  '203.0.113.0/24',
]

export const anyLabels = (): fc.Arbitrary<Labels> =>
  fc.dictionary(fc.constantFrom(...keys), fc.constantFrom(...values), { maxKeys: 2 })

export function anySelector(): fc.Arbitrary<LabelSelector> {
  const key = fc.constantFrom(...keys)
  const some = fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 })
  const withValues = fc.record({ key, operator: fc.constantFrom('In' as const, 'NotIn' as const), values: some })
  const without = fc.record({ key, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const) })
  return fc.oneof(
    fc.constant({}),
    fc.record({ matchLabels: anyLabels() }),
    fc.record({ matchExpressions: fc.array(fc.oneof(withValues, without), { minLength: 1, maxLength: 2 }) }),
    fc.record({
      matchLabels: anyLabels(),
      matchExpressions: fc.array(fc.oneof(withValues, without), { maxLength: 1 }),
    }),
  )
}

const protocols: readonly KubeProtocol[] = ['TCP', 'UDP', 'SCTP']
const kubeProtocol = () => fc.constantFrom(...protocols)

const anyContainerPort = (): fc.Arbitrary<ContainerPort> =>
  fc.record({
    name: fc.constantFrom(...portNames),
    containerPort: fc.constantFrom(...portNumbers),
    protocol: kubeProtocol(),
  })

const anyPodSpec = () =>
  fc.record({
    namespace: fc.constantFrom(...namespaces),
    labels: anyLabels(),
    node: fc.constantFrom('n1', 'n2'),
    ports: fc.array(anyContainerPort(), { maxLength: 2 }),
    phase: fc.constantFrom('Running' as const, 'Running' as const, 'Running' as const, 'Succeeded' as const),
    host: fc.nat(5),
  })

/** Pods p0, p1, ... at addresses of their own; one in six is of the host's network. */
export const anyPods = (): fc.Arbitrary<readonly Pod[]> =>
  fc.array(anyPodSpec(), { minLength: 1, maxLength: 8 }).map((specs) =>
    specs.map((s, i): Pod => {
      const hostNetwork = s.host === 0
      const nodeIp = s.node === 'n1' ? '172.18.0.1' : '172.18.0.2'
      const podIP = hostNetwork ? nodeIp : `10.244.${s.node === 'n1' ? 1 : 2}.${i * 7 + 2}`
      return {
        ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: `p${i}`, namespace: s.namespace, labels: s.labels } },
        spec: { nodeName: s.node, hostNetwork, containers: [{ name: 'c', ports: s.ports }] },
        status: { phase: s.phase, podIP, podIPs: [{ ip: podIP }] },
      }
    }),
  )

export const anyNamespaces = (): fc.Arbitrary<readonly Namespace[]> =>
  fc.tuple(...namespaces.map(() => anyLabels())).map((labels) =>
    namespaces.map((name, i) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: labels[i] ?? {} },
    })),
  )

const nodes: readonly Node[] = ['n1', 'n2'].map((name, i) => ({
  ...{ apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { app: values[i] ?? '' } } },
  status: { addresses: [{ type: 'InternalIP', address: `172.18.0.${i + 1}` }] },
}))

function anyPeer(): fc.Arbitrary<PolicyPeer> {
  const cidr = fc.constantFrom(...blocks)
  const except = fc.array(fc.constantFrom('10.244.1.0/28', '10.244.2.0/24', '203.0.113.0/25'), { maxLength: 2 })
  return fc.oneof(
    fc.record({ podSelector: anySelector() }),
    fc.record({ namespaceSelector: anySelector() }),
    fc.record({ podSelector: anySelector(), namespaceSelector: anySelector() }),
    fc.record({ ipBlock: fc.record({ cidr, except }) }),
  )
}

const anyPort = (): fc.Arbitrary<PolicyPort> =>
  fc.oneof(
    fc.record({ protocol: kubeProtocol(), port: fc.constantFrom(...portNumbers) }),
    fc.record({ protocol: kubeProtocol(), port: fc.constantFrom(...portNames) }),
    fc.record({ port: fc.constant(80), endPort: fc.constantFrom(80, 81, 9000) }),
    fc.record({ protocol: kubeProtocol() }),
  )

const anyTypes = () =>
  fc.constantFrom<readonly ('Ingress' | 'Egress')[] | undefined>(
    undefined,
    ['Ingress'],
    ['Egress'],
    ['Ingress', 'Egress'],
  )

const peers = () => fc.array(anyPeer(), { maxLength: 3 })
const ports = () => fc.array(anyPort(), { maxLength: 2 })

export const anyNetworkPolicy = (name: string): fc.Arbitrary<NetworkPolicy> =>
  fc
    .record({
      namespace: fc.constantFrom(...namespaces),
      podSelector: anySelector(),
      policyTypes: anyTypes(),
      ingress: fc.array(fc.record({ from: peers(), ports: ports() }), { maxLength: 3 }),
      egress: fc.array(fc.record({ to: peers(), ports: ports() }), { maxLength: 3 }),
    })
    .map(({ namespace, policyTypes, ...spec }) => ({
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace } },
      spec: { ...spec, ...(policyTypes && { policyTypes }) },
    }))

function anyAdminPeer(egress: boolean): fc.Arbitrary<AdminPolicyPeer> {
  const common = [
    fc.record({ namespaces: anySelector() }),
    fc.record({ pods: fc.record({ namespaceSelector: anySelector(), podSelector: anySelector() }) }),
  ]
  const networks = fc.record({ networks: fc.uniqueArray(fc.constantFrom(...blocks), { minLength: 1, maxLength: 2 }) })
  return egress ? fc.oneof(...common, networks, fc.record({ nodes: anySelector() })) : fc.oneof(...common)
}

const anyProtocols = () =>
  fc.array(
    fc.oneof(
      fc.constantFrom(...portNumbers).map((number) => ({ tcp: { destinationPort: { number } } })),
      fc.constant({ udp: { destinationPort: { range: { start: 80, end: 81 } } } }),
      fc.constantFrom(...portNames).map((destinationNamedPort) => ({ destinationNamedPort })),
    ),
    { maxLength: 2 },
  )

function adminSpec<A extends string>(actions: readonly A[]) {
  const action = fc.constantFrom(...actions)
  const list = (egress: boolean) => fc.array(anyAdminPeer(egress), { minLength: 1, maxLength: 2 })
  return fc.record({
    subject: anyAdminPeer(false),
    ingress: fc.array(fc.record({ action, from: list(false), protocols: anyProtocols() }), { maxLength: 2 }),
    egress: fc.array(fc.record({ action, to: list(true), protocols: anyProtocols() }), { maxLength: 2 }),
  })
}

const group = 'policy.networking.k8s.io'

export const anyClusterPolicy = (name: string): fc.Arbitrary<ClusterNetworkPolicy> =>
  fc
    .tuple(adminSpec(['Accept', 'Deny', 'Pass']), fc.constantFrom('Admin' as const, 'Baseline' as const), fc.nat(2))
    .map(([spec, tier, priority]) => ({
      ...{ apiVersion: `${group}/v1alpha2`, kind: 'ClusterNetworkPolicy', metadata: { name } },
      spec: { ...spec, tier, priority },
    }))

export const anyAdminPolicy = (name: string): fc.Arbitrary<AdminNetworkPolicy> =>
  fc.tuple(adminSpec(['Allow', 'Deny', 'Pass']), fc.nat(2)).map(([spec, priority]) => ({
    ...{ apiVersion: `${group}/v1alpha1`, kind: 'AdminNetworkPolicy', metadata: { name } },
    spec: { ...spec, priority },
  }))

export const anyBaseline = (): fc.Arbitrary<BaselineAdminNetworkPolicy> =>
  adminSpec(['Allow', 'Deny']).map((spec) => ({
    ...{ apiVersion: `${group}/v1alpha1`, kind: 'BaselineAdminNetworkPolicy', metadata: { name: 'default' } },
    spec,
  }))

export const someNetworkPolicies = (maxLength = 4): fc.Arbitrary<readonly NetworkPolicy[]> =>
  fc.nat(maxLength).chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => anyNetworkPolicy(`np${i}`))))

/** Policies of all kinds. */
export const somePolicies = (): fc.Arbitrary<readonly KubeObject[]> =>
  fc
    .tuple(
      someNetworkPolicies(),
      fc.option(anyClusterPolicy('c0')),
      fc.option(anyClusterPolicy('c1')),
      fc.option(anyAdminPolicy('a0')),
      fc.option(anyBaseline()),
    )
    .map(([network, ...others]) => [...network, ...others.filter((o) => o !== null)])

export function clusterOf(...objects: (readonly KubeObject[])[]): PolicyCluster {
  const store = new ObjectStore()
  for (const object of [...nodes, ...objects.flat()]) store.create(object)
  return policyCluster(store)
}

/** Whatever can be an end here: pods, host-network pods, nodes, outside addresses, and a finished pod's address. */
export function endsOf(cluster: PolicyCluster): readonly End[] {
  const outside = ['203.0.113.9', '203.0.113.200', '10.9.9.9', '198.51.100.1'].map((text) => cluster.endAt(ip(text)))
  return [
    ...cluster.pods.map((pod) => podEnd(pod)),
    ...cluster.hostNetworkPods,
    ...cluster.nodes.map((n) => nodeEnd(n)),
    ...outside,
  ]
}

export interface Probe {
  readonly from: number
  readonly to: number
  readonly protocol: Protocol
  readonly port: number
}

/** Positions are to be taken modulo the number of ends. */
export const anyProbe = (): fc.Arbitrary<Probe> =>
  fc.record({
    from: fc.nat(30),
    to: fc.nat(30),
    protocol: fc.constantFrom('tcp' as const, 'tcp' as const, 'udp' as const, 'sctp' as const),
    port: fc.constantFrom(80, 81, 8080, 22),
  })

export const someProbes = (): fc.Arbitrary<readonly Probe[]> => fc.array(anyProbe(), { minLength: 10, maxLength: 30 })

export function connectionOf(cluster: PolicyCluster, probe: Probe): Connection {
  const ends = endsOf(cluster)
  const at = (i: number): End => ends[i % ends.length] ?? cluster.endAt(ip('198.51.100.1'))
  return { from: at(probe.from), to: at(probe.to), protocol: probe.protocol, port: probe.port }
}
