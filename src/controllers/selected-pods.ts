import type { Labels } from '../kube/objects/meta.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { Service } from '../kube/objects/service.ts'
import { matchesSelectorMap } from '../kube/selector.ts'

/** Whether the endpoints of the Service come from pods at all. An empty selector is none. */
export const hasSelector = ({ spec }: Service): boolean => Object.keys(spec.selector ?? {}).length > 0

/** The pods that a Service selects, in their order. Indexed by label: many Services ask. */
export function podSelection(pods: readonly Pod[]): (service: Service) => readonly Pod[] {
  const byLabel = new Map<string, Pod[]>()
  const keyOf = (namespace: string | undefined, key: string, value: string): string => `${namespace}\n${key}\n${value}`
  for (const pod of pods) {
    for (const [key, value] of Object.entries(pod.metadata.labels ?? {})) {
      const place = keyOf(pod.metadata.namespace, key, value)
      const there = byLabel.get(place)
      if (there) there.push(pod)
      else byLabel.set(place, [pod])
    }
  }
  return ({ metadata, spec }) => {
    const selector: Labels = spec.selector ?? {}
    const [first] = Object.entries(selector)
    if (first === undefined) return []
    const candidates = byLabel.get(keyOf(metadata.namespace, ...first)) ?? []
    return candidates.filter((p) => matchesSelectorMap(selector, p.metadata.labels))
  }
}
