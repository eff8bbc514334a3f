import type { Cluster } from '../cluster/cluster.ts'
import type { Labels } from '../kube/objects/meta.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { Ip } from '../net/ip.ts'
import { type PolicyCluster, virtualPod } from '../policy/cluster.ts'
import { type DeclaredPort, type End, nodeEnd, podEnd } from '../policy/end.ts'
import { type EndProblem, type EndText, findNode, findPod, findWorkloadPods, isEndProblem, parseEnd } from './end.ts'

/** What questions about policy read: objects and the outside world, no data plane. */
export type PolicyInput = Pick<Cluster, 'objects' | 'settings' | 'underlay'>

/** A pod that does not exist: what would be if it did. */
export interface VirtualPodText {
  readonly labels: Labels
  readonly namespace: string
  readonly namespaceLabels?: Labels
  readonly ports?: readonly DeclaredPort[]
}

/** An end as it was asked for, found. */
export interface PolicyEnds {
  /** `pod shop/web`, `deploy web.shop`, `a pod with app=web in shop`. */
  readonly label: string
  readonly ends: readonly End[]
  /** The one pod, or the first of a workload: the one that looks names up. */
  readonly pod?: Pod
}

export const formatVirtualPod = ({ labels, namespace }: VirtualPodText): string => {
  const said = Object.entries(labels).map(([k, v]) => `${k}=${v}`)
  return `a pod with ${said.length > 0 ? said.join(',') : 'no labels'} in ${namespace}`
}

export const virtualEnds = (pod: VirtualPodText, cluster: PolicyCluster): PolicyEnds => ({
  label: formatVirtualPod(pod),
  ends: [podEnd(virtualPod(cluster, pod))],
})

/** Who opens the connection. */
export function policySource(
  text: string | VirtualPodText,
  input: PolicyInput,
  cluster: PolicyCluster,
  namespace: string,
): PolicyEnds | EndProblem {
  if (typeof text !== 'string') return virtualEnds(text, cluster)
  const parsed = parseEnd(text)
  if (isEndProblem(parsed)) return parsed
  switch (parsed.kind) {
    case 'service':
      return { problem: `${text}: a Service sends nothing; name a pod, a workload, a node or external` }
    case 'name':
      return { problem: `${text}: write pod/${parsed.name} or deploy/${parsed.name} for a source` }
    case 'pod':
    case 'workload':
      return podEnds(parsed, input, cluster, namespace)
    case 'node': {
      const node = policyNode(parsed.name, input, cluster)
      return isEndProblem(node) ? node : { label: `node ${parsed.name}`, ends: [node] }
    }
    case 'external':
      return outsideEnds(input, cluster)
    case 'address':
      return { label: parsed.name, ends: [cluster.endAt(parsed.name as Ip)] }
  }
}

export function outsideEnds(input: PolicyInput, cluster: PolicyCluster): PolicyEnds | EndProblem {
  const [host] = input.underlay.hosts
  if (!host) return { problem: 'the Underlay has no outside host' }
  return { label: `host ${host.name}`, ends: host.addresses.map((ip) => cluster.endAt(ip)) }
}

export function policyNode(name: string, { objects }: PolicyInput, cluster: PolicyCluster): End | EndProblem {
  const known = cluster.nodes.find((n) => n.name === name)
  if (known) return nodeEnd(known)
  const found = findNode(objects, name)
  return isEndProblem(found) ? found : { problem: `node ${name} has no address` }
}

/** Pods of an end by their objects; those that have ended are no ends any more. */
export function podEnds(
  text: EndText,
  { objects }: PolicyInput,
  cluster: PolicyCluster,
  namespace: string,
): (PolicyEnds & { readonly pods: readonly Pod[] }) | EndProblem {
  const found =
    text.kind === 'pod'
      ? findPod(objects, text.name, namespace)
      : findWorkloadPods(objects, text.workload ?? 'Deployment', text.name, namespace)
  if (isEndProblem(found)) return found
  const all = 'metadata' in found ? [found] : found
  const [first] = all
  const label = text.kind === 'pod' && first ? `pod ${nameOf(first)}` : `${text.workload ?? 'workload'} ${text.name}`
  const pods = all.filter((p) => cluster.endOfPod(p.metadata.namespace ?? 'default', p.metadata.name))
  const ends = pods.flatMap((p) => cluster.endOfPod(p.metadata.namespace ?? 'default', p.metadata.name) ?? [])
  const [pod] = pods
  return pod ? { label, ends, pods, pod } : { problem: `${label} has ended: it opens and takes no connections` }
}

const nameOf = ({ metadata }: Pod): string => `${metadata.namespace ?? 'default'}/${metadata.name}`
