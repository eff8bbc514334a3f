import type { Pod } from '../kube/objects/pod.ts'
import type { Deployment, ReplicaSet } from '../kube/objects/workload.ts'
import { matchesLabelSelector } from '../kube/selector.ts'
import { type ControllerContext, isGenerated, reconcile } from './context.ts'
import { templateHash } from './generated-name.ts'
import { controllerOf, isOwnedBy, ownerReference } from './owner.ts'

export const hashLabel = 'pod-template-hash'

/** Each Deployment has the one ReplicaSet of its template, unless a dump holds its ReplicaSets or their pods. */
export function runDeployments({ store }: ControllerContext): void {
  const deployments = store.list('Deployment')
  const replicaSets = store.list('ReplicaSet')
  const desired = deployments.filter((d) => !hasGiven(d)).map(replicaSetOf)
  const generated = replicaSets.filter((rs) => controllerOf(rs)?.kind === 'Deployment')
  reconcile(store, generated, desired)

  function hasGiven(deployment: Deployment): boolean {
    if (replicaSets.some((rs) => !isGenerated(store, rs) && isOwnedBy(rs, deployment))) return true
    const pods = store.list('Pod', { namespace: deployment.metadata.namespace ?? 'default' })
    return pods.some((p) => !isGenerated(store, p) && isPodOfDeployment(p, deployment))
  }
}

/** A pod whose ReplicaSet was not dumped: selected, and owned by a ReplicaSet of the Deployment's name. */
function isPodOfDeployment(pod: Pod, { metadata, spec }: Deployment): boolean {
  const owner = controllerOf(pod)
  const hash = pod.metadata.labels?.[hashLabel]
  if (owner?.kind !== 'ReplicaSet' || owner.name !== `${metadata.name}-${hash}`) return false
  return matchesLabelSelector(spec.selector ?? {}, pod.metadata.labels)
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
