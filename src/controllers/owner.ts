import type { KubeObject, OwnerReference } from '../kube/objects/meta.ts'

/** The reference by which a controller marks what it made. */
export function ownerReference(owner: KubeObject): OwnerReference {
  const { name, uid } = owner.metadata
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name,
    ...(uid === undefined ? {} : { uid }),
    controller: true,
  }
}

/** The owner that manages the object: the one marked as its controller, else a lone one. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  const references = object.metadata.ownerReferences ?? []
  return references.find((r) => r.controller) ?? (references.length === 1 ? references[0] : undefined)
}

/** Whether `owner` manages the object. An edited dump may have lost a uid; then kind and name decide. */
export function isOwnedBy(object: KubeObject, owner: KubeObject): boolean {
  const reference = controllerOf(object)
  if (reference?.kind !== owner.kind || reference.name !== owner.metadata.name) return false
  if (object.metadata.namespace !== owner.metadata.namespace) return false
  const { uid } = owner.metadata
  return reference.uid === undefined || uid === undefined || reference.uid === uid
}

/** One key per managing owner, for counting: `ReplicaSet/shop/web-7c9f`; undefined for an object that nobody manages. */
export function ownerKey(object: KubeObject): string | undefined {
  const owner = controllerOf(object)
  return owner && `${owner.kind}/${object.metadata.namespace ?? ''}/${owner.name}`
}
