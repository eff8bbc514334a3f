import type { Labels } from '../kube/objects/meta.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { PodTemplate, ReplicaSet, ReplicationController } from '../kube/objects/workload.ts'
import { matchesLabelSelector, matchesSelectorMap } from '../kube/selector.ts'
import type { ControllerContext } from './context.ts'
import { generatedName } from './generated-name.ts'
import { podOfTemplate } from './pod-of-template.ts'
import { reconcilePods } from './pods-of-owner.ts'

export function runReplicaSets(context: ControllerContext): void {
  for (const owner of context.store.list('ReplicaSet')) {
    const selector = owner.spec.selector ?? { matchLabels: owner.spec.template?.metadata?.labels ?? {} }
    runReplicas(context, owner, (labels) => matchesLabelSelector(selector, labels))
  }
  for (const owner of context.store.list('ReplicationController')) {
    const selector = owner.spec.selector ?? owner.spec.template?.metadata?.labels ?? {}
    runReplicas(context, owner, (labels) => matchesSelectorMap(selector, labels))
  }
}

function runReplicas(
  context: ControllerContext,
  owner: ReplicaSet | ReplicationController,
  matches: (labels: Labels | undefined) => boolean,
): void {
  const { template, replicas = 1 } = owner.spec
  reconcilePods(context, owner, matches, (isTaken) => (template ? podsOf(owner, template, replicas, isTaken) : []))
}

function podsOf(
  owner: ReplicaSet | ReplicationController,
  template: PodTemplate,
  replicas: number,
  isTaken: (name: string) => boolean,
): readonly Pod[] {
  const generateName = `${owner.metadata.name}-`
  const names = new Set<string>()
  return Array.from({ length: replicas }, (_, index) => {
    const seed = `${owner.metadata.namespace}/${generateName}${index}`
    const name = generatedName(generateName, seed, (n) => names.has(n) || isTaken(n))
    names.add(name)
    return podOfTemplate(owner, template, { name, generateName })
  })
}
