import type { CalicoKind, CalicoKinds } from '../../kube/objects/calico.ts'
import type { KubeObject } from '../../kube/objects/meta.ts'
import type { ObjectReader } from '../../kube/store.ts'

/** In the order in which they are looked for: what the datastore keeps, and what the aggregated API shows of it. */
const groups = ['projectcalico.org', 'crd.projectcalico.org']

/** Objects of one of Calico's kinds, in either group; one that is there twice (as both APIs show it) counts once. */
export function calicoObjects<K extends CalicoKind>(objects: ObjectReader, kind: K): readonly CalicoKinds[K][] {
  const byName = new Map<string, KubeObject>()
  for (const object of groups.flatMap((group) => objects.listAll(`${kind}.${group}`))) {
    const key = `${object.metadata.namespace ?? ''}/${object.metadata.name}`
    if (!byName.has(key)) byName.set(key, object)
  }
  return [...byName.values()] as readonly KubeObject[] as readonly CalicoKinds[K][]
}
