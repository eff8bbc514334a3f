import type { KubeObject } from '../kube/objects/meta.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Ip, ipAt, ipToBigInt } from '../net/ip.ts'
import { formatPrefix, isHostPrefix, lastAddress, type Prefix, prefixContains, prefixFamily } from '../net/prefix.ts'
import type { PolicyCluster } from '../policy/cluster.ts'
import type { End } from '../policy/end.ts'
import { blocksOf } from '../policy/end-class.ts'
import type { Policy } from '../policy/policy.ts'

export type Grouping = 'pod' | 'workload' | 'namespace'

/** An end that can stand in a matrix. A pod's object is at hand where it is one. */
export interface MatrixEnd {
  readonly end: End
  readonly pod?: Pod
}

/** Ends that a person calls by one name. */
export interface MatrixGroup {
  readonly name: string
  readonly kind: Grouping | 'outside'
  readonly ends: readonly MatrixEnd[]
}

/** Running pods by what they belong to, in the order of the objects. */
export function podGroups(
  objects: ObjectReader,
  cluster: PolicyCluster,
  grouping: Grouping,
  selected: (pod: Pod) => boolean,
): readonly MatrixGroup[] {
  const groups = new Map<string, { kinds: Set<string>; ends: Map<string, MatrixEnd[]> }>()
  for (const pod of objects.list('Pod')) {
    const end = cluster.endOfPod(pod.metadata.namespace ?? 'default', pod.metadata.name)
    if (!end || !selected(pod)) continue
    const { name, kind } = nameOf(pod, grouping, objects)
    const group = groups.get(name) ?? { kinds: new Set(), ends: new Map() }
    groups.set(name, group)
    const members = group.ends.get(kind) ?? []
    group.ends.set(kind, members)
    members.push({ end, pod })
  }
  return [...groups].flatMap(([name, { ends }]) =>
    [...ends].map(([kind, members]): MatrixGroup => {
      const clash = ends.size > 1
      return { name: clash ? `${name} (${kind})` : name, kind: grouping, ends: members }
    }),
  )
}

function nameOf(pod: Pod, grouping: Grouping, objects: ObjectReader): { readonly name: string; readonly kind: string } {
  const { name, namespace = 'default' } = pod.metadata
  switch (grouping) {
    case 'pod':
      return { name: `${namespace}/${name}`, kind: 'Pod' }
    case 'namespace':
      return { name: namespace, kind: 'Namespace' }
    case 'workload': {
      const owner = workloadOf(pod, objects)
      return { name: `${namespace}/${owner.name}`, kind: owner.kind }
    }
  }
}

/** The workload that a person made: the Deployment behind a ReplicaSet, the CronJob behind a Job, or the bare pod. */
export function workloadOf(pod: Pod, objects: ObjectReader): { readonly kind: string; readonly name: string } {
  const { namespace = 'default', labels = {} } = pod.metadata
  const owner = ownerOf(pod)
  if (!owner) return { kind: 'Pod', name: pod.metadata.name }
  if (owner.kind !== 'ReplicaSet' && owner.kind !== 'Job') return owner
  const between = objects.get(owner.kind, owner.name, namespace)
  const above = between && ownerOf(between)
  if (above) return above
  // A dump of pods alone: a Deployment's ReplicaSet is called after it and its pod template's hash.
  const hash = labels['pod-template-hash']
  const suffix = `-${hash}`
  return !between && hash !== undefined && owner.name.endsWith(suffix)
    ? { kind: 'Deployment', name: owner.name.slice(0, -suffix.length) }
    : owner
}

function ownerOf({ metadata }: KubeObject): { readonly kind: string; readonly name: string } | undefined {
  const owners = metadata.ownerReferences ?? []
  const owner = owners.find((o) => o.controller) ?? owners[0]
  return owner && { kind: owner.kind, name: owner.name }
}

/** One group for each address or block. A block stands for one address of each of its parts that policies tell apart. */
export function outsideGroups(
  blocks: readonly { readonly name: string; readonly prefixes: readonly Prefix[] }[],
  policies: readonly Policy[],
): readonly MatrixGroup[] {
  return blocks.map(({ name, prefixes }) => ({
    ...{ name, kind: 'outside' as const },
    ends: prefixes.flatMap((p) => partsOf(p, policies)).map((ip) => ({ end: { kind: 'address' as const, ip } })),
  }))
}

export const blockName = (p: Prefix): string => (isHostPrefix(p) ? p.address : formatPrefix(p))

function partsOf(block: Prefix, policies: readonly Policy[]): readonly Ip[] {
  const family = prefixFamily(block)
  const cuts = blocksOf(policies).flatMap((p) => {
    if (prefixFamily(p) !== family) return []
    const after = ipToBigInt(lastAddress(p)) + 1n
    return [p.address, ...(after <= ipToBigInt(lastAddress(block)) ? [ipAt(after, family)] : [])]
  })
  return [...new Set([block.address, ...cuts.filter((ip) => prefixContains(block, ip))])]
}
