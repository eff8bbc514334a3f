import type { Labels } from '../kube/objects/meta.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { PodTemplate, ReplicaSet, ReplicationController } from '../kube/objects/workload.ts'
import { matchesLabelSelector, matchesSelectorMap } from '../kube/selector.ts'
import type { ObjectStore } from '../kube/store.ts'
import type { ControllerContext } from './context.ts'
import { generatedName } from './generated-name.ts'
import { podOfTemplate } from './pod-of-template.ts'
import { isFinished } from './pod-state.ts'
import { type PodIndex, podIndex, reconcilePods } from './pods-of-owner.ts'

export function runReplicaSets({ store }: ControllerContext): void {
  const index = podIndex(store)
  for (const owner of store.list('ReplicaSet')) {
    const selector = owner.spec.selector ?? { matchLabels: owner.spec.template?.metadata?.labels ?? {} }
    runReplicas(store, index, owner, (labels) => matchesLabelSelector(selector, labels))
  }
  for (const owner of store.list('ReplicationController')) {
    const selector = owner.spec.selector ?? owner.spec.template?.metadata?.labels ?? {}
    runReplicas(store, index, owner, (labels) => matchesSelectorMap(selector, labels))
  }
}

function runReplicas(
  store: ObjectStore,
  index: PodIndex,
  owner: ReplicaSet | ReplicationController,
  matches: (labels: Labels | undefined) => boolean,
): void {
  const { template, replicas = 1 } = owner.spec
  // Pods that nobody manages are adopted, and count.
  const unowned = index.unowned.get(owner.metadata.namespace) ?? []
  const adopted = template ? unowned.filter((p) => matches(p.metadata.labels) && !isFinished(p)).length : 0
  const wanted = Math.max(0, replicas - adopted)
  reconcilePods(
    store,
    index,
    owner,
    () => false,
    (isTaken) => (template ? podsOf(owner, template, wanted, isTaken) : []),
  )
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
