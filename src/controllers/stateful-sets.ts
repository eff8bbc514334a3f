import type { Pod } from '../kube/objects/pod.ts'
import type { StatefulSet } from '../kube/objects/workload.ts'
import { matchesLabelSelector } from '../kube/selector.ts'
import type { ControllerContext } from './context.ts'
import { templateHash } from './generated-name.ts'
import { podOfTemplate } from './pod-of-template.ts'
import { podIndex, reconcilePods } from './pods-of-owner.ts'

/** Pods by ordinal, whose names DNS knows below the governing Service (`pkg/controller/statefulset`). */
export function runStatefulSets({ store }: ControllerContext): void {
  const index = podIndex(store)
  for (const owner of store.list('StatefulSet')) {
    reconcilePods(
      store,
      index,
      owner,
      (pod) => isNumbered(pod, owner),
      () => podsOf(owner),
    )
  }
}

/** Selected, and named by an ordinal: a pod of the set whatever its references. */
function isNumbered({ metadata }: Pod, { metadata: { name }, spec: { selector } }: StatefulSet): boolean {
  const isNamed = metadata.name.startsWith(`${name}-`) && /^\d+$/.test(metadata.name.slice(name.length + 1))
  return isNamed && selector !== undefined && matchesLabelSelector(selector, metadata.labels)
}

function podsOf(owner: StatefulSet): readonly Pod[] {
  const { replicas = 1, ordinals, template, serviceName } = owner.spec
  const revision = `${owner.metadata.name}-${templateHash(template)}`
  return Array.from({ length: replicas }, (_, i) => {
    const ordinal = (ordinals?.start ?? 0) + i
    const name = `${owner.metadata.name}-${ordinal}`
    return podOfTemplate(owner, template, {
      name,
      generateName: `${owner.metadata.name}-`,
      labels: {
        'apps.kubernetes.io/pod-index': String(ordinal),
        'controller-revision-hash': revision,
        'statefulset.kubernetes.io/pod-name': name,
      },
      spec: { hostname: name, ...(serviceName ? { subdomain: serviceName } : {}) },
    })
  })
}
