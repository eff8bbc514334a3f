import type { LabelRequirement, LabelSelector } from '../../../kube/objects/meta.ts'

/** A Kubernetes selector in Calico's language; null is the same as absent (libcalico-go/lib/backend/k8s/conversion, k8sSelectorToCalico). */
export function calicoSelector(
  selector: LabelSelector | null | undefined,
  of: 'podSelector' | 'namespaceSelector',
): string {
  const matchLabels = selector?.matchLabels ?? {}
  const matchExpressions = selector?.matchExpressions ?? []
  const labels = Object.keys(matchLabels)
    .sort()
    .map((key) => `${key} == '${matchLabels[key] ?? ''}'`)
  const terms = [...(of === 'podSelector' ? [onlyPods] : []), ...labels, ...matchExpressions.map(expression)]
  if (terms.length > 0) return terms.join(' && ')
  return selector ? 'all()' : ''
}

function expression({ key, operator, values = [] }: LabelRequirement): string {
  const set = `{ ${values.map((v) => `'${v}'`).join(', ')} }`
  switch (operator) {
    case 'In':
      return `${key} in ${set}`
    case 'NotIn':
      return `${key} not in ${set}`
    case 'Exists':
      return `has(${key})`
    case 'DoesNotExist':
      return `! has(${key})`
  }
}

/** Not a host endpoint, nor a network set. */
export const onlyPods = "projectcalico.org/orchestrator == 'k8s'"
