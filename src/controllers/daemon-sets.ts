import type { Node } from '../kube/objects/node.ts'
import type { NodeSelectorTerm, Pod, PodSpec, Toleration } from '../kube/objects/pod.ts'
import type { DaemonSet } from '../kube/objects/workload.ts'
import { matchesLabelSelector } from '../kube/selector.ts'
import type { ControllerContext } from './context.ts'
import { generatedName, templateHash } from './generated-name.ts'
import { isSelectedNode, untoleratedTaint } from './node-fit.ts'
import { podOfTemplate } from './pod-of-template.ts'
import { podIndex, reconcilePods } from './pods-of-owner.ts'

/** One pod per node that the template fits (`pkg/controller/daemon`, NodeShouldRunDaemonPod). */
export function runDaemonSets({ store }: ControllerContext): void {
  const index = podIndex(store)
  const nodes = store.list('Node')
  for (const owner of store.list('DaemonSet')) {
    reconcilePods(
      store,
      index,
      owner,
      (pod) => isRevised(pod, owner),
      (isTaken) => podsOf(owner, nodes, isTaken),
    )
  }
}

/** Selected, with the labels and the name that the controller gives: a pod of the set whatever its references. */
function isRevised({ metadata }: Pod, { metadata: { name }, spec: { selector } }: DaemonSet): boolean {
  const isMade = metadata.name.startsWith(`${name}-`) && metadata.labels?.['controller-revision-hash'] !== undefined
  return isMade && selector !== undefined && matchesLabelSelector(selector, metadata.labels)
}

function podsOf(owner: DaemonSet, nodes: readonly Node[], isTaken: (name: string) => boolean): readonly Pod[] {
  const { template } = owner.spec
  const hash = templateHash(template)
  const tolerating = { ...template.spec, tolerations: tolerationsOf(template.spec) }
  const names = new Set<string>()
  return nodes
    .filter((node) => shouldRun(tolerating, node))
    .map((node) => {
      const base = `${owner.metadata.name}-`
      const seed = `${owner.metadata.namespace}/${base}${node.metadata.name}`
      const name = generatedName(base, seed, (n) => names.has(n) || isTaken(n))
      names.add(name)
      return podOfTemplate(owner, template, {
        name,
        generateName: base,
        labels: { 'controller-revision-hash': hash, 'pod-template-generation': '1' },
        spec: { tolerations: tolerating.tolerations, affinity: pinnedTo(node, template.spec) },
      })
    })
}

/** A taint with PreferNoSchedule does not keep a DaemonSet away. */
const shouldRun = (spec: PodSpec, node: Node): boolean =>
  (spec.nodeName === undefined || spec.nodeName === node.metadata.name) &&
  isSelectedNode(spec, node) &&
  untoleratedTaint(spec, node) === undefined

/** `AddOrUpdateDaemonPodTolerations`. */
function tolerationsOf(spec: PodSpec): readonly Toleration[] {
  const pressure = ['disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable']
  const noSchedule = spec.hostNetwork ? [...pressure, 'network-unavailable'] : pressure
  const added: readonly Toleration[] = [
    ...['not-ready', 'unreachable'].map((key) => toleration(key, 'NoExecute')),
    ...noSchedule.map((key) => toleration(key, 'NoSchedule')),
  ]
  const given = spec.tolerations ?? []
  const isGiven = (t: Toleration) =>
    given.some((g) => g.key === t.key && g.effect === t.effect && g.operator === 'Exists')
  return [...given, ...added.filter((t) => !isGiven(t))]
}

const toleration = (key: string, effect: string): Toleration => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect,
})

/** The scheduler places the pod, by an affinity for this one node in place of the template's required terms. */
function pinnedTo(node: Node, { affinity }: PodSpec): NonNullable<PodSpec['affinity']> {
  const matchFields = [{ key: 'metadata.name', operator: 'In' as const, values: [node.metadata.name] }]
  const required: { readonly nodeSelectorTerms: readonly NodeSelectorTerm[] } = { nodeSelectorTerms: [{ matchFields }] }
  const nodeAffinity = { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: required }
  return { ...affinity, nodeAffinity }
}
