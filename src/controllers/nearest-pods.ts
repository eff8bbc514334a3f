import type { Labels, ObjectRef } from '../kube/objects/meta.ts'
import type { Pod } from '../kube/objects/pod.ts'

/** A pod that a selector nearly matches. */
export interface NearestPod {
  readonly pod: ObjectRef
  readonly differs: readonly LabelDifference[]
}

export interface LabelDifference {
  readonly key: string
  readonly wanted: string
  /** Undefined where the pod has no such label. */
  readonly found: string | undefined
  /** A label of the pod that has the wanted value, or a key that differs in case only. */
  readonly instead?: string
}

/** More say nothing new. */
const shown = 3

/**
 * The pods that differ in the fewest labels, a wrong value before an absent key, one for each way to differ. A pod counts
 * as near where it agrees in something: in another label, in the key, or in the value.
 */
export function nearestPods(selector: Labels, pods: readonly Pod[]): readonly NearestPod[] {
  const near = pods.map((pod) => nearestOf(selector, pod)).filter((n) => isNear(n, Object.keys(selector).length))
  const least = Math.min(...near.map(distance))
  const ways = new Map<string, NearestPod>()
  for (const n of near) {
    const way = JSON.stringify(n.differs)
    if (distance(n) === least && !ways.has(way)) ways.set(way, n)
  }
  return [...ways.values()].slice(0, shown)
}

function nearestOf(selector: Labels, { metadata }: Pod): NearestPod {
  const labels = metadata.labels ?? {}
  const differs = Object.entries(selector).flatMap(([key, wanted]): readonly LabelDifference[] => {
    const found = Object.hasOwn(labels, key) ? labels[key] : undefined
    if (found === wanted) return []
    const instead = found === undefined ? similarKey(labels, key, wanted) : undefined
    return [{ key, wanted, found, ...(instead === undefined ? {} : { instead }) }]
  })
  const namespace = metadata.namespace === undefined ? {} : { namespace: metadata.namespace }
  return { pod: { kind: 'Pod', ...namespace, name: metadata.name }, differs }
}

const similarKey = (labels: Labels, key: string, wanted: string): string | undefined =>
  Object.keys(labels).find((k) => k.toLowerCase() === key.toLowerCase()) ??
  Object.keys(labels).find((k) => labels[k] === wanted)

const distance = ({ differs }: NearestPod): number =>
  differs.reduce((sum, d) => sum + (d.found !== undefined || d.instead !== undefined ? 2 : 3), 0)

const isNear = ({ differs }: NearestPod, keys: number): boolean =>
  differs.length < keys || differs.some((d) => d.instead !== undefined || isLike(d.wanted, d.found))

/** `web` and `web-v2`, `Web` and `web`, `frontend` and `fronted`. */
function isLike(wanted: string, found: string | undefined): boolean {
  if (found === undefined) return false
  const [a, b] = [wanted.toLowerCase(), found.toLowerCase()]
  if (a === '' || b === '') return false
  if (a.includes(b) || b.includes(a)) return true
  let same = 0
  while (same < Math.min(a.length, b.length) && a[same] === b[same]) same++
  return same >= 3 && same * 2 >= Math.max(a.length, b.length)
}
