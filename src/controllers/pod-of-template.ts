import type { KubeObject, Labels } from '../kube/objects/meta.ts'
import type { Pod, PodSpec } from '../kube/objects/pod.ts'
import type { PodTemplate } from '../kube/objects/workload.ts'
import { ownerReference } from './owner.ts'

/** What a controller adds to its template for one pod. */
export interface PodDetails {
  readonly name: string
  readonly generateName?: string
  readonly labels?: Labels
  readonly annotations?: Readonly<Record<string, string>>
  readonly spec?: Partial<PodSpec>
}

/** A pod as `owner` makes it from its template: labels, annotations and the whole spec are carried. */
export function podOfTemplate(owner: KubeObject, template: PodTemplate, details: PodDetails): Pod {
  const { name, generateName, spec } = details
  const labels = { ...template.metadata?.labels, ...details.labels }
  const annotations = { ...template.metadata?.annotations, ...details.annotations }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      ...(generateName === undefined ? {} : { generateName }),
      ...(owner.metadata.namespace === undefined ? {} : { namespace: owner.metadata.namespace }),
      labels,
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ownerReferences: [ownerReference(owner)],
    },
    spec: { ...template.spec, ...spec },
  }
}
