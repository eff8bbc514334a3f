import type { Pod } from '../kube/objects/pod.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectReader } from '../kube/store.ts'
import { ownParts } from './flannel/backend/backend.ts'
import { usesCloudRoutes } from './flannel/backend/select.ts'
import { type RenderedNode, renderNode } from './flannel/node.ts'
import { type FlannelOptions, type FlannelPlan, type NodePlan, planFlannel, type Uplinks } from './flannel/plan.ts'
import { lazy } from './lazy.ts'
import { pluginsVersionFor } from './plugins-version.ts'
import { podRef, podsByNode } from './pod-addresses.ts'
import type { NetworkProblem } from './problem.ts'
import type { CniResult, FabricRoute, NodeNetwork } from './result.ts'
import { podSockets } from './sockets.ts'

/**
 * What flanneld, and the CNI plugins or docker behind it, install on every node and in every pod. A node is worked out
 * when it is first looked at. A node whose flanneld would not run has no entry, and its pods no network; `problems`
 * says why.
 */
export function renderFlannel(
  objects: ObjectReader,
  settings: ClusterSettings,
  uplinks: Uplinks,
  options: FlannelOptions = {},
): CniResult {
  const plan = planFlannel(objects, settings, uplinks, options)
  const pods = lazy(() => podsByNode(objects))
  const socketsOf = lazy(() => podSockets(objects))
  const pluginsVersion = pluginsVersionFor(settings.kubeVersion)
  const rendered = new Map(
    [...plan.nodes].map(([name, self]) => {
      const given = { pods: () => pods().get(name) ?? [], pluginsVersion, sockets: (pod: Pod) => socketsOf()(pod) }
      return [name, renderNode(plan, self, given)] as const
    }),
  )
  return {
    nodes: new Map([...rendered].map(([name, node]) => [name, lazyNetwork(node)])),
    get pods() {
      return [...rendered.values()].flatMap((node) => node.podNetwork().pods)
    },
    fabricRoutes: [...plan.nodes.values()].flatMap(cloudRoutes),
    get problems() {
      const found = [...rendered.values()].flatMap((n) => [...n.overlay().problems, ...n.podNetwork().problems])
      return counted(once([...plan.problems, ...strandedPods(objects, plan), ...found]))
    },
  }
}

const cloudRoutes = ({ conf, lease }: NodePlan): readonly FabricRoute[] =>
  usesCloudRoutes(conf.backend.type)
    ? ownParts(lease).map(([, { subnet, publicIp }]) => ({ to: subnet, via: publicIp }))
    : []

/** What every node says about one object is said once, for all of them. */
function once(problems: readonly NetworkProblem[]): readonly NetworkProblem[] {
  const said = new Map<string, NetworkProblem>()
  for (const problem of problems) {
    const { node, ...rest } = problem
    const key = JSON.stringify(rest)
    const before = said.get(key)
    said.set(key, before === undefined || before.node === node ? problem : rest)
  }
  return [...said.values()]
}

/** Of those that one cause has, the first, and how many more pairs of a node and an object there are. */
function counted(problems: readonly NetworkProblem[]): readonly NetworkProblem[] {
  const pairs = new Map<string, Set<string>>()
  for (const { alike, node, object } of problems) {
    if (alike === undefined) continue
    pairs.set(alike, (pairs.get(alike) ?? new Set()).add(`${node} ${object?.name}`))
  }
  return problems.flatMap((problem) => {
    const { alike, node: _, ...rest } = problem
    if (alike === undefined) return [problem]
    const more = (pairs.get(alike)?.size ?? 0) - 1
    if (!pairs.delete(alike)) return []
    return [more <= 0 ? problem : { ...rest, message: `${problem.message} (and ${more} more ${alike})` }]
  })
}

const lazyNetwork = ({ network }: RenderedNode): NodeNetwork => ({
  get additions() {
    return network().additions
  },
  get edits() {
    return network().edits
  },
  get tunnels() {
    return network().tunnels ?? []
  },
  get nftables() {
    return network().nftables ?? []
  },
})

/** Pods on a node that is not among the objects; those on one without flanneld are told with its own problem. */
function strandedPods(objects: ObjectReader, plan: FlannelPlan): readonly NetworkProblem[] {
  const known = new Set([...plan.nodes.keys(), ...objects.list('Node').map((n) => n.metadata.name)])
  return [...podsByNode(objects)].flatMap(([node, pods]) =>
    known.has(node)
      ? []
      : pods.map((pod) => ({
          by: 'kubelet',
          message: `there is no Node ${JSON.stringify(node)}: the pod has no network; add the Node or change spec.nodeName`,
          object: podRef(pod),
          field: 'spec.nodeName',
          node,
        })),
  )
}
