import type { KubeObject } from '../kube/objects/meta.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { ObjectStore } from '../kube/store.ts'
import { isGenerated, keyOf, reconcile } from './context.ts'
import { canonicalJson } from './generated-name.ts'
import { groupBy } from './group-by.ts'
import { isOwnedBy, ownerKey } from './owner.ts'

/** The pods of a store by who manages them, made once for all workloads of a kind. */
export interface PodIndex {
  readonly byOwner: ReadonlyMap<string, readonly Pod[]>
  /** Given pods that nobody manages, by namespace. */
  readonly unowned: ReadonlyMap<string | undefined, readonly Pod[]>
  /** Owner of the pod of each `namespace/name`; names made meanwhile are added. */
  readonly names: Map<string, string | undefined>
}

export function podIndex(store: ObjectStore): PodIndex {
  const pods = store.list('Pod')
  const unowned = pods.filter((p) => (p.metadata.ownerReferences ?? []).length === 0 && !isGenerated(store, p))
  return {
    byOwner: groupBy(pods, (p) => ownerKey(p) ?? ''),
    unowned: groupBy(unowned, (p) => p.metadata.namespace),
    names: new Map(pods.map((p) => [nameOf(p.metadata.namespace, p.metadata.name), ownerKey(p)])),
  }
}

const nameOf = (namespace: string | undefined, name: string): string => `${namespace}/${name}`

/**
 * Brings the generated pods of one workload to what is desired. A pod that stays keeps its node, address and status; one
 * whose template changed is made anew. Pods that were given are taken as all that there are: those owned by reference, and
 * those that `isOwn` knows although their references were stripped.
 */
export function reconcilePods(
  store: ObjectStore,
  index: PodIndex,
  owner: KubeObject,
  isOwn: (pod: Pod) => boolean,
  desired: (isTaken: (name: string) => boolean) => readonly Pod[],
): void {
  const { namespace } = owner.metadata
  const owned = (index.byOwner.get(keyOf(owner)) ?? []).filter((p) => isOwnedBy(p, owner))
  const stripped = (index.unowned.get(namespace) ?? []).some(isOwn)
  if (stripped || owned.some((p) => !isGenerated(store, p))) {
    reconcile(store, owned, [])
    return
  }
  const isTaken = (name: string): boolean => {
    const place = nameOf(namespace, name)
    return index.names.has(place) && index.names.get(place) !== keyOf(owner)
  }
  const before = new Map(owned.map((p) => [p.metadata.name, p]))
  const kept = desired(isTaken).map((pod) => keep(before.get(pod.metadata.name), pod))
  reconcile(store, owned, kept)
  for (const pod of kept) index.names.set(nameOf(namespace, pod.metadata.name), keyOf(owner))
}

/** The pod as it is, where the controller would make it the same; its spec and labels are compared without what came later. */
function keep(before: Pod | undefined, pod: Pod): Pod {
  if (before === undefined) return pod
  const { nodeName: _, ...madeSpec } = before.spec
  const { nodeName: __, ...spec } = pod.spec
  const same =
    canonicalJson([madeSpec, before.metadata.labels, before.metadata.annotations]) ===
    canonicalJson([spec, pod.metadata.labels, pod.metadata.annotations])
  return same ? before : pod
}
