import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import { type ControllerContext, isFromCluster } from './context.ts'
import { hostPortsConflict, hostPortsOf } from './host-ports.ts'
import { avoidedTaints, isSelectedNode, isTolerated, untoleratedTaint } from './node-fit.ts'
import { controllerOf, ownerKey } from './owner.ts'
import { isFinished } from './pod-state.ts'

/** Binds pods to nodes, in the order in which they came. What the input has as pending stays so. */
export function runScheduler(context: ControllerContext): void {
  const { store } = context
  const nodes = store.list('Node')
  const load = loadOf(nodes, store.list('Pod'))
  for (const pod of store.list('Pod')) {
    if (pod.spec.nodeName || isFinished(pod) || isMeantToWait(pod)) continue
    const reasons = nodes.map((node) => misfit(pod, node, load))
    const best = leastLoaded(
      pod,
      nodes.filter((_, i) => reasons[i] === undefined),
      load,
    )
    if (best) {
      load.add(pod, best.metadata.name)
      store.update(bound(pod, best))
    } else
      unschedulable(
        pod,
        reasons.filter((r) => r !== undefined),
        nodes.length,
        context,
      )
  }
}

/** Pending as the input has it, rather than for want of a node in an earlier run. */
const isMeantToWait = (pod: Pod): boolean =>
  isFromCluster(pod) ||
  (pod.status?.phase === 'Pending' && !(pod.status.conditions ?? []).some((c) => c.reason === 'Unschedulable'))

/** Why the node does not fit, in the words of the scheduler's plugins and in their order; undefined when it does. */
function misfit(pod: Pod, node: Node, load: Load): string | undefined {
  if (node.spec?.unschedulable && !isTolerated(pod.spec, unschedulableTaint)) return 'node(s) were unschedulable'
  const taint = untoleratedTaint(pod.spec, node)
  if (taint) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`
  if (!isSelectedNode(pod.spec, node)) return "node(s) didn't match Pod's node affinity/selector"
  const wanted = hostPortsOf(pod)
  const conflict = wanted.length > 0 && hostPortsConflict(wanted, load.hostPorts(node.metadata.name))
  return conflict ? "node(s) didn't have free ports for the requested pod ports" : undefined
}

const unschedulableTaint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' as const }

/** Fewest taints to be avoided, then fewest pods of the same owner, then fewest pods, then the first. */
function leastLoaded(pod: Pod, nodes: readonly Node[], load: Load): Node | undefined {
  let best: Node | undefined
  let least: readonly number[] = []
  for (const node of nodes) {
    const { name } = node.metadata
    const cost = [avoidedTaints(pod.spec, node), load.ofOwner(pod, name), load.total(name)]
    if (best === undefined || isLess(cost, least)) [best, least] = [node, cost]
  }
  return best
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((n, i) => n !== b[i])
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0)
}

function bound(pod: Pod, node: Node): Pod {
  const { status: { phase, conditions = [], ...status } = {} } = pod
  const kept = conditions.filter((c) => c.type !== 'PodScheduled')
  const scheduled = [...kept, { type: 'PodScheduled', status: 'True' }]
  const stays = phase !== undefined && phase !== 'Pending' ? { phase } : {}
  return {
    ...pod,
    spec: { ...pod.spec, nodeName: node.metadata.name },
    status: { ...status, ...stays, conditions: scheduled },
  }
}

/** Leaves the pod Pending, with the message that `kubectl describe` would show. */
function unschedulable(
  pod: Pod,
  reasons: readonly string[],
  total: number,
  { store, report }: ControllerContext,
): void {
  const counts = [...new Set(reasons)].map((r) => `${reasons.filter((other) => other === r).length} ${r}`)
  const message = `0/${total} nodes are available: ${counts.sort().join(', ')}.`
  const kept = (pod.status?.conditions ?? []).filter((c) => c.type !== 'PodScheduled')
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }
  store.update({ ...pod, status: { ...pod.status, phase: 'Pending', conditions: [...kept, condition] } })
  report('UNSCHEDULABLE', pod, ['spec'], { message })
}

type Load = ReturnType<typeof loadOf>

/** What runs where. */
function loadOf(nodes: readonly Node[], pods: readonly Pod[]) {
  const perNode = new Map(nodes.map((n) => [n.metadata.name, [] as Pod[]]))
  const perOwner = new Map<string, number>()
  const ownerOn = (pod: Pod, node: string): string => `${ownerKey(pod) ?? 'nobody'}@${node}`
  const add = (pod: Pod, node: string): void => {
    perNode.get(node)?.push(pod)
    if (controllerOf(pod)) perOwner.set(ownerOn(pod, node), (perOwner.get(ownerOn(pod, node)) ?? 0) + 1)
  }
  for (const pod of pods) if (pod.spec.nodeName && !isFinished(pod)) add(pod, pod.spec.nodeName)
  return {
    add,
    total: (node: string) => perNode.get(node)?.length ?? 0,
    ofOwner: (pod: Pod, node: string) => perOwner.get(ownerOn(pod, node)) ?? 0,
    hostPorts: (node: string) => (perNode.get(node) ?? []).flatMap(hostPortsOf),
  }
}
