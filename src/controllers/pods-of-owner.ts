import type { KubeObject, Labels } from '../kube/objects/meta.ts'
import type { Pod } from '../kube/objects/pod.ts'
import { type ControllerContext, isGenerated, reconcile } from './context.ts'
import { canonicalJson } from './generated-name.ts'
import { controllerOf, isOwnedBy } from './owner.ts'

/**
 * Brings the generated pods of one workload to what is desired. A pod that stays keeps its node, address and status; one
 * whose template changed is made anew. Pods that were given are taken as all that there are.
 */
export function reconcilePods(
  { store }: ControllerContext,
  owner: KubeObject,
  matches: (labels: Labels | undefined) => boolean,
  desired: (isTaken: (name: string) => boolean) => readonly Pod[],
): void {
  const inNamespace = store.list('Pod', { namespace: owner.metadata.namespace ?? 'default' })
  const owned = inNamespace.filter((p) => isOwnedBy(p, owner))
  const given = inNamespace.filter((p) => !isGenerated(store, p) && isPodOf(p, owner, matches))
  if (given.length > 0) {
    reconcile(store, owned, [])
    return
  }
  const others = new Set(inNamespace.filter((p) => !isOwnedBy(p, owner)).map((p) => p.metadata.name))
  const before = new Map(owned.map((p) => [p.metadata.name, p]))
  const kept = desired((name) => others.has(name)).map((pod) => keep(before.get(pod.metadata.name), pod))
  reconcile(store, owned, kept)
}

/** Owned by reference; or, like a bare pod that a ReplicaSet adopts, selected and owned by nobody. */
const isPodOf = (pod: Pod, owner: KubeObject, matches: (labels: Labels | undefined) => boolean): boolean =>
  isOwnedBy(pod, owner) ||
  (controllerOf(pod) === undefined && pod.metadata.ownerReferences === undefined && matches(pod.metadata.labels))

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
