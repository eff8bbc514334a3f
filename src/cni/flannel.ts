import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type RenderedNode, renderNode } from './flannel/node.ts'
import { type FlannelPlan, planFlannel, type Uplinks } from './flannel/plan.ts'
import { lazy } from './lazy.ts'
import { pluginsVersionFor } from './plugins-version.ts'
import { podRef, podsByNode } from './pod-addresses.ts'
import type { NetworkProblem } from './problem.ts'
import type { CniResult, NodeNetwork } from './result.ts'
import { podSockets } from './sockets.ts'

/**
 * What flanneld, and the CNI plugins or docker behind it, install on every node and in every pod. A node is worked out
 * when it is first looked at. A node whose flanneld would not run has no entry, and its pods no network; `problems`
 * says why.
 */
export function renderFlannel(objects: ObjectReader, settings: ClusterSettings, uplinks: Uplinks): CniResult {
  const plan = planFlannel(objects, settings, uplinks)
  const pods = lazy(() => podsByNode(objects))
  const sockets = lazy(() => podSockets(objects))
  const pluginsVersion = pluginsVersionFor(settings.kubeVersion)
  const rendered = new Map(
    [...plan.nodes].map(([name, self]) => {
      const make = () => ({ pods: pods().get(name) ?? [], pluginsVersion, sockets: sockets() })
      return [name, lazy(() => renderNode(plan, self, make()))] as const
    }),
  )
  const [first] = plan.nodes.values()
  return {
    name: `flannel ${first?.conf.backend.type ?? '(not running)'}`,
    nodes: new Map([...rendered].map(([name, node]) => [name, lazyNetwork(node)])),
    get pods() {
      return [...rendered.values()].flatMap((node) => node().pods)
    },
    get problems() {
      const found = [...rendered.values()].flatMap((node) => node().problems)
      return [...plan.problems, ...strandedPods(objects, plan), ...found]
    },
  }
}

const lazyNetwork = (node: () => RenderedNode): NodeNetwork => ({
  get additions() {
    return node().network.additions
  },
  get edits() {
    return node().network.edits
  },
  get tunnels() {
    return node().network.tunnels ?? []
  },
  get nftables() {
    return node().network.nftables ?? []
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
