import type { Labels } from '../kube/objects/meta.ts'
import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Ip, parseIp } from '../net/ip.ts'
import { type DeclaredPort, type End, nodeEnd, type PolicyNode, type PolicyPod, podEnd } from './end.ts'
import { parseAdminPolicy } from './parse-admin-policy.ts'
import { parseNetworkPolicy, parseProtocol } from './parse-network-policy.ts'
import type { Policy } from './policy.ts'

/** A cluster as policy sees it. */
export interface PolicyCluster {
  readonly policies: readonly Policy[]
  /** Pods with a network of their own that have not ended, in the order of the objects. */
  readonly pods: readonly PolicyPod[]
  /** Host-network pods, each as an end at its node. */
  readonly hostNetworkPods: readonly (End & { kind: 'node' })[]
  readonly nodes: readonly PolicyNode[]
  /** Also for a namespace that no object describes: every namespace has its name as a label. */
  labelsOfNamespace(name: string): Labels
  /** Undefined for a pod that does not exist, or has ended. */
  endOfPod(namespace: string, name: string): End | undefined
  /** Whoever has the address: pods that have ended gave theirs back. */
  endAt(ip: Ip): End
}

export function policyCluster(reader: Pick<ObjectReader, 'list'>): PolicyCluster {
  const namespaces = new Map(reader.list('Namespace').map((n) => [n.metadata.name, n.metadata.labels]))
  const labelsOfNamespace = (name: string): Labels => ({
    ...namespaces.get(name),
    // The API server sets this one over whatever a manifest says.
    'kubernetes.io/metadata.name': name,
  })
  const running = reader.list('Pod').filter((pod) => !hasEnded(pod))
  const nodes = policyNodes(reader.list('Node'), running)
  const pods = running.filter((p) => !p.spec.hostNetwork).map((pod) => policyPod(pod, labelsOfNamespace))
  const hostNetworkPods = running.filter((p) => p.spec.hostNetwork).map((pod) => hostNetworkEnd(pod, nodes))
  const byName = new Map<string, End>([
    ...hostNetworkPods.map((end) => [end.hostNetworkPod ?? '', end] as const),
    ...pods.map((pod) => [`${pod.namespace}/${pod.name}`, podEnd(pod)] as const),
  ])
  const byIp = endsByAddress(pods, nodes)
  return {
    ...{ policies: readPolicies(reader), pods, hostNetworkPods, nodes, labelsOfNamespace },
    endOfPod: (namespace, name) => byName.get(`${namespace}/${name}`),
    endAt: (ip) => byIp.get(ip) ?? { kind: 'address', ip },
  }
}

function readPolicies(reader: Pick<ObjectReader, 'list'>): readonly Policy[] {
  const admin = [
    ...reader.list('AdminNetworkPolicy'),
    ...reader.list('BaselineAdminNetworkPolicy'),
    ...reader.list('ClusterNetworkPolicy'),
  ]
  const parsed = admin.map(parseAdminPolicy).filter((p): p is Policy => p !== undefined)
  return [...reader.list('NetworkPolicy').map(parseNetworkPolicy), ...parsed]
}

/** The containers are done, and the address belongs to whoever has it now. A terminating pod is still a pod. */
const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed'

export function policyPod(pod: Pod, labelsOfNamespace: (name: string) => Labels): PolicyPod {
  const { name, namespace = 'default', labels = {} } = pod.metadata
  return {
    ...{ namespace, name, labels, namespaceLabels: labelsOfNamespace(namespace) },
    ...{ node: pod.spec.nodeName, ips: addressesOf(pod), ports: declaredPorts(pod), virtual: false },
  }
}

function addressesOf({ status }: Pod): readonly Ip[] {
  const texts = [...(status?.podIPs ?? []).map(({ ip }) => ip), ...(status?.podIP ? [status.podIP] : [])]
  return [...new Set(texts.map(parseIp).filter((ip): ip is Ip => ip !== undefined))]
}

/** Of all containers, and of sidecars: init containers that go on running. */
function declaredPorts({ spec }: Pod): readonly DeclaredPort[] {
  const sidecars = (spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always')
  return [...sidecars, ...(spec.containers ?? [])].flatMap((container) =>
    (container.ports ?? []).flatMap(({ name, containerPort, protocol = 'TCP' }) => {
      const transport = parseProtocol(protocol)
      return name && transport ? [{ name, protocol: transport, port: containerPort }] : []
    }),
  )
}

/** The Node objects, and nodes that only a pod tells of. */
function policyNodes(objects: readonly Node[], pods: readonly Pod[]): readonly PolicyNode[] {
  const known = objects.map(({ metadata, status }) => ({
    name: metadata.name,
    labels: metadata.labels ?? {},
    ips: (status?.addresses ?? []).map(({ address }) => parseIp(address)).filter((ip): ip is Ip => ip !== undefined),
  }))
  const names = new Set(known.map(({ name }) => name))
  const told = new Map<string, PolicyNode>()
  for (const { spec, status } of pods) {
    const { nodeName } = spec
    if (nodeName === undefined || names.has(nodeName) || told.has(nodeName)) continue
    const texts = [...(status?.hostIPs ?? []).map(({ ip }) => ip), ...(status?.hostIP ? [status.hostIP] : [])]
    const ips = [...new Set(texts.map(parseIp).filter((ip): ip is Ip => ip !== undefined))]
    told.set(nodeName, { name: nodeName, labels: {}, ips })
  }
  return [...known, ...told.values()]
}

function hostNetworkEnd(pod: Pod, nodes: readonly PolicyNode[]): End & { kind: 'node' } {
  const { name, namespace = 'default' } = pod.metadata
  const unscheduled: PolicyNode = { name: '', labels: {}, ips: addressesOf(pod) }
  const node = nodes.find((n) => n.name === pod.spec.nodeName) ?? unscheduled
  return { kind: 'node', node, ip: addressesOf(pod)[0] ?? node.ips[0], hostNetworkPod: `${namespace}/${name}` }
}

function endsByAddress(pods: readonly PolicyPod[], nodes: readonly PolicyNode[]): ReadonlyMap<Ip, End> {
  const ends = new Map<Ip, End>()
  for (const node of nodes) for (const ip of node.ips) ends.set(ip, { ...nodeEnd(node), ip })
  for (const pod of pods) for (const ip of pod.ips) if (!ends.has(ip)) ends.set(ip, { ...podEnd(pod), ip })
  return ends
}

/** A pod that no object describes: what would be if there were one. */
export function virtualPod(
  cluster: Pick<PolicyCluster, 'labelsOfNamespace'>,
  pod: Pick<PolicyPod, 'namespace'> & Partial<Omit<PolicyPod, 'virtual' | 'namespace'>>,
): PolicyPod {
  const namespaceLabels = { ...cluster.labelsOfNamespace(pod.namespace), ...pod.namespaceLabels }
  return {
    ...{ name: '(virtual)', labels: {}, node: undefined, ips: [], ports: [] },
    ...{ ...pod, namespaceLabels, virtual: true },
  }
}
