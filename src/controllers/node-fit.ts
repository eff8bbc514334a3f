import type { Labels } from '../kube/objects/meta.ts'
import type { Node, Taint } from '../kube/objects/node.ts'
import type { NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Toleration } from '../kube/objects/pod.ts'

/** nodeSelector and the required node affinity together (`component-helpers/scheduling/corev1/nodeaffinity`). */
export function isSelectedNode({ nodeSelector = {}, affinity }: PodSpec, node: Node): boolean {
  const labels = node.metadata.labels ?? {}
  if (!Object.entries(nodeSelector).every(([key, value]) => labelOf(labels, key) === value)) return false
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node))
}

/** Terms are alternatives; within one, everything must hold. An empty term matches nothing. */
function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, node: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false
  const fields = { 'metadata.name': node.metadata.name }
  return (
    matchExpressions.every((r) => matchesRequirement(r, node.metadata.labels ?? {})) &&
    matchFields.every((r) => matchesRequirement(r, fields))
  )
}

function matchesRequirement({ key, operator, values = [] }: NodeSelectorRequirement, labels: Labels): boolean {
  const found = labelOf(labels, key)
  switch (operator) {
    case 'In':
      return found !== undefined && values.includes(found)
    case 'NotIn':
      return found === undefined || !values.includes(found)
    case 'Exists':
      return found !== undefined
    case 'DoesNotExist':
      return found === undefined
    case 'Gt':
      return compared(found, values, (a, b) => a > b)
    case 'Lt':
      return compared(found, values, (a, b) => a < b)
  }
}

function compared(
  found: string | undefined,
  [bound]: readonly string[],
  holds: (a: bigint, b: bigint) => boolean,
): boolean {
  const isInteger = (text: string | undefined): text is string => text !== undefined && /^[+-]?\d+$/.test(text)
  return isInteger(found) && isInteger(bound) && holds(BigInt(found.replace('+', '')), BigInt(bound.replace('+', '')))
}

const labelOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined

/** The first taint that keeps the pod away. PreferNoSchedule keeps nobody away. */
export const untoleratedTaint = (spec: PodSpec, node: Node): Taint | undefined =>
  (node.spec?.taints ?? []).find((taint) => taint.effect !== 'PreferNoSchedule' && !isTolerated(spec, taint))

/** Taints that make the node a second choice for the pod. */
export const avoidedTaints = (spec: PodSpec, node: Node): number =>
  (node.spec?.taints ?? []).filter((taint) => taint.effect === 'PreferNoSchedule' && !isTolerated(spec, taint)).length

export const isTolerated = ({ tolerations = [] }: PodSpec, taint: Taint): boolean =>
  tolerations.some((t) => tolerates(t, taint))

/** `Toleration.ToleratesTaint`: an absent key, with Exists, tolerates every key; an absent effect, every effect. */
function tolerates({ key, operator = 'Equal', value = '', effect }: Toleration, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false
  if (key && key !== taint.key) return false
  if (!key && operator !== 'Exists') return false
  return operator === 'Exists' || value === (taint.value ?? '')
}
