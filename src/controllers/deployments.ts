import type { Pod } from '../kube/objects/pod.ts'
import type { Deployment, ReplicaSet } from '../kube/objects/workload.ts'
import { matchesLabelSelector } from '../kube/selector.ts'
import { type ControllerContext, isGenerated, keyOf, reconcile } from './context.ts'
import { templateHash } from './generated-name.ts'
import { groupBy } from './group-by.ts'
import { controllerOf, isOwnedBy, ownerKey, ownerReference } from './owner.ts'

export const hashLabel = 'pod-template-hash'

/** Each Deployment has the one ReplicaSet of its template, unless a dump holds its ReplicaSets or their pods. */
export function runDeployments({ store }: ControllerContext): void {
  const replicaSets = store.list('ReplicaSet')
  const given = groupBy(
    replicaSets.filter((rs) => !isGenerated(store, rs)),
    (rs) => ownerKey(rs) ?? '',
  )
  const pods = groupBy(
    store.list('Pod').filter((p) => !isGenerated(store, p)),
    deploymentKeyOf,
  )
  const hasGiven = (deployment: Deployment): boolean =>
    (given.get(keyOf(deployment)) ?? []).some((rs) => isOwnedBy(rs, deployment)) ||
    (pods.get(keyOf(deployment)) ?? []).some((p) =>
      matchesLabelSelector(deployment.spec.selector ?? {}, p.metadata.labels),
    )
  const desired = store.list('Deployment').filter((d) => !hasGiven(d))
  const generated = replicaSets.filter((rs) => controllerOf(rs)?.kind === 'Deployment')
  reconcile(store, generated, desired.map(replicaSetOf))
}

/**
 * The Deployment that a pod's ReplicaSet is named after; the ReplicaSet itself may not have been dumped. Where references
 * were stripped, the pod's own name tells.
 */
function deploymentKeyOf(pod: Pod): string | undefined {
  const { name, namespace = '', labels = {}, ownerReferences = [] } = pod.metadata
  const owner = controllerOf(pod)
  const replicaSet = ownerReferences.length === 0 ? name.replace(/-[^-]+$/, '') : owner?.name
  const tail = `-${labels[hashLabel]}`
  if (replicaSet === undefined || (owner && owner.kind !== 'ReplicaSet') || !replicaSet.endsWith(tail)) return undefined
  return `Deployment/${namespace}/${replicaSet.slice(0, -tail.length)}`
}

function replicaSetOf(deployment: Deployment): ReplicaSet {
  const { metadata, spec } = deployment
  const hash = templateHash(spec.template)
  const labels = { ...spec.template.metadata?.labels, [hashLabel]: hash }
  const { matchLabels = spec.template.metadata?.labels ?? {}, ...selector } = spec.selector ?? {}
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${metadata.name}-${hash}`,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels,
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      replicas: spec.replicas ?? 1,
      selector: { ...selector, matchLabels: { ...matchLabels, [hashLabel]: hash } },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  }
}
