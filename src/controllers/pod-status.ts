import type { Node } from '../kube/objects/node.ts'
import type { Condition, Pod, PodStatus } from '../kube/objects/pod.ts'
import { formatPrefix } from '../net/prefix.ts'
import { type ControllerContext, isFromCluster, isGenerated } from './context.ts'
import type { MakePodIpam, PodIpam } from './host-local.ts'
import { internalIps } from './nodes.ts'
import { podCidrsOf } from './pod-cidr.ts'
import { isFinished, podIpsOf } from './pod-state.ts'

/**
 * What a kubelet tells of its pods once all has gone well: running, ready, with addresses. What a manifest or a dump says
 * already stands: a Ready condition of False, a phase, an address.
 */
export function runPodStatus(context: ControllerContext, makeIpam: MakePodIpam): void {
  const { store } = context
  const nodes = new Map(store.list('Node').map((n) => [n.metadata.name, n]))
  const ipam = makeIpam(store)
  for (const pod of store.list('Pod')) {
    if (isFinished(pod)) store.update(withoutAddress(pod))
    else if (hasStarted(pod)) start(pod, nodes.get(pod.spec.nodeName ?? ''), ipam, context)
  }
}

/** Left on a pod that could not be given an address, so that the next run tries again. */
const noSandbox: Condition = { type: 'PodReadyToStartContainers', status: 'False' }
const isNoSandbox = (c: Condition): boolean => c.type === noSandbox.type && c.status === noSandbox.status

/** A pod that is said to be Pending, on a node or not, has no sandbox yet. */
function hasStarted(pod: Pod): boolean {
  if (!pod.spec.nodeName) return false
  if (pod.status?.phase !== 'Pending') return true
  return !isFromCluster(pod) && (pod.status.conditions ?? []).some(isNoSandbox)
}

function start(pod: Pod, node: Node | undefined, ipam: PodIpam, context: ControllerContext): void {
  // A pod of a dump may be on a node that was left out of it.
  if (node === undefined) {
    if (podIpsOf(pod).length === 0) unknownNode(pod, context)
    return
  }
  const ips = addressesOf(pod, node, ipam)
  if (ips) context.store.update({ ...pod, status: running(pod, ips, internalIps(node)) })
  else noAddress(pod, node, context)
}

function addressesOf(pod: Pod, node: Node, ipam: PodIpam): readonly string[] | undefined {
  const had = podIpsOf(pod)
  if (had.length > 0) return had
  return pod.spec.hostNetwork ? internalIps(node) : ipam(pod, node)
}

function running(pod: Pod, podIPs: readonly string[], hostIPs: readonly string[]): PodStatus {
  const { spec } = pod
  const status = withoutBlock(pod.status ?? {})
  const gates = (spec.readinessGates ?? []).map((g) => g.conditionType)
  return {
    phase: 'Running',
    ...address('hostIP', 'hostIPs', hostIPs),
    ...address('podIP', 'podIPs', podIPs),
    ...status,
    conditions: conditions(status.conditions ?? [], gates),
  }
}

function address<One extends string, All extends string>(one: One, all: All, ips: readonly string[]) {
  const [first] = ips
  if (first === undefined) return {}
  return { [one]: first, [all]: ips.map((ip) => ({ ip })) } as Record<One, string> &
    Record<All, readonly { ip: string }[]>
}

/** Conditions that are missing hold. A pod whose readiness gate or containers are said not to be ready is not ready. */
function conditions(given: readonly Condition[], gates: readonly string[]): readonly Condition[] {
  const isFalse = (type: string): boolean => given.some((c) => c.type === type && c.status === 'False')
  const ready = [...gates, 'ContainersReady'].some(isFalse) ? 'False' : 'True'
  const wanted = [
    ...['PodScheduled', 'Initialized', ...gates].map((type) => ({ type, status: 'True' })),
    { type: 'ContainersReady', status: isFalse('Ready') ? 'False' : 'True' },
    { type: 'Ready', status: ready },
  ]
  return [...given, ...wanted.filter((w) => !given.some((c) => c.type === w.type))]
}

/** The status of a pod that now gets the address which it had to wait for. */
function withoutBlock(given: PodStatus): PodStatus {
  const { phase, conditions = [], ...status } = given
  if (phase !== 'Pending') return given
  return { ...status, conditions: conditions.filter((c) => !isNoSandbox(c)) }
}

function blocked(pod: Pod): Pod {
  const conditions = (pod.status?.conditions ?? []).filter((c) => c.type !== noSandbox.type)
  return { ...pod, status: { ...pod.status, phase: 'Pending', conditions: [...conditions, noSandbox] } }
}

function withoutAddress(pod: Pod): Pod {
  const { podIP: _, podIPs: __, ...status } = pod.status ?? {}
  return { ...pod, status }
}

/** Pods of the input were held against its nodes when it was read. */
function unknownNode(pod: Pod, { store, report }: ControllerContext): void {
  const node = pod.spec.nodeName ?? ''
  if (isGenerated(store, pod)) report('UNKNOWN_NODE', pod, ['spec', 'nodeName'], { node, nearest: undefined })
  if (!isFromCluster(pod)) store.update(blocked(pod))
}

function noAddress(pod: Pod, node: Node, { store, report }: ControllerContext): void {
  const ranges = podCidrsOf(node).map(formatPrefix)
  report('POD_ADDRESSES_EXHAUSTED', pod, ['status', 'podIP'], { node: node.metadata.name, ranges })
  if (!isFromCluster(pod)) store.update(blocked(pod))
}
