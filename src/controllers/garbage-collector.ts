import { type ControllerContext, isGenerated, keyOf } from './context.ts'
import { ownerKey } from './owner.ts'

/** Generated pods whose owner is gone go too. Given ones stay: a dump often leaves owners out. */
export function runGarbageCollector({ store }: ControllerContext): void {
  const owners = new Set(ownerKinds.flatMap((kind) => store.list(kind)).map(keyOf))
  for (const pod of store.list('Pod')) {
    const owner = ownerKey(pod)
    if (owner !== undefined && isGenerated(store, pod) && !owners.has(owner)) store.delete(pod)
  }
}

const ownerKinds = ['ReplicaSet', 'ReplicationController', 'StatefulSet', 'DaemonSet', 'Job'] as const
