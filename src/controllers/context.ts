import type { KubeObject } from '../kube/objects/meta.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectStore } from '../kube/store.ts'
import type { Report } from './report.ts'

/** What every controller is given. */
export interface ControllerContext {
  readonly store: ObjectStore
  readonly settings: ClusterSettings
  readonly report: Report
}

/** Whether a controller made the object. What people wrote or dumped is never deleted or replaced. */
export const isGenerated = (store: ObjectStore, object: KubeObject): boolean => store.sourceOf(object) === undefined

/** Whether the object was read from a cluster, whose control plane has already done its work on it. */
export const isFromCluster = (object: KubeObject): boolean => object.metadata.uid !== undefined

/** Makes what is desired, and takes away what was generated before and is no longer; `existing` may hold given objects. */
export function reconcile(store: ObjectStore, existing: readonly KubeObject[], desired: readonly KubeObject[]): void {
  const wanted = new Set(desired.map(keyOf))
  for (const object of existing) {
    if (isGenerated(store, object) && !wanted.has(keyOf(object))) store.delete(object)
  }
  for (const object of desired) store.apply(object)
}

export const keyOf = (object: KubeObject): string =>
  `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`
