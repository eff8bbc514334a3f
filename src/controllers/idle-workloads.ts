import type { KubeObject, Labels, ObjectRef } from '../kube/objects/meta.ts'
import type { PodTemplate } from '../kube/objects/workload.ts'
import { matchesSelectorMap } from '../kube/selector.ts'
import type { ObjectReader } from '../kube/store.ts'
import { controllerOf } from './owner.ts'

type Templated = KubeObject & { readonly spec: { readonly template?: PodTemplate } }

/** Workloads whose pods would have these labels, asked when there is no such pod: scaled to zero, suspended, or fitting no node. */
export function idleWorkloads(objects: ObjectReader, namespace: string, selector: Labels): readonly ObjectRef[] {
  const query = { namespace }
  const all: readonly Templated[] = [
    ...objects.list('Deployment', query),
    ...objects.list('ReplicaSet', query),
    ...objects.list('ReplicationController', query),
    ...objects.list('StatefulSet', query),
    ...objects.list('DaemonSet', query),
    ...objects.list('Job', query),
  ]
  return all
    .filter((w) => controllerOf(w) === undefined && matchesSelectorMap(selector, w.spec.template?.metadata?.labels))
    .map(({ kind, metadata }) => ({ kind, namespace, name: metadata.name }))
}
