import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import type { NetnsAdditions } from '../artefact/netns.ts'
import type { Convergence } from '../bgp/converge.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Family, families, familyOf, widthOf } from '../net/ip.ts'
import { mergeAdditions } from './additions.ts'
import { birdRoutes, type CanConnect, convergeCalico, type OtherSpeakers } from './calico/bgp/routing.ts'
import { podNetworkKind } from './calico/environment.ts'
import { type NodeRules, nodeRules } from './calico/felix/node-rules.ts'
import { clusterRoutes } from './calico/felix-routes.ts'
import { caliName } from './calico/names.ts'
import { type CalicoNode, type CalicoPlan, hasEncap, planCalico, podMtu } from './calico/plan.ts'
import { ipipOnNode, podGateways, podNamespace, podsOnNode, vxlanOnNode } from './calico/wiring.ts'
import { type CniConf, parseCniConf } from './cni-conf.ts'
import { sandboxId } from './digest.ts'
import { byFamily, type FamilyRules, noRules } from './family-rules.ts'
import type { Uplinks } from './flannel/plan.ts'
import { renderFlannel } from './flannel.ts'
import { lazy } from './lazy.ts'
import { pluginsVersionFor } from './plugins-version.ts'
import { podRef, podsByNode, statusIps } from './pod-addresses.ts'
import { portmapOf, portmapOfPods } from './portmap/pods.ts'
import type { NetworkProblem } from './problem.ts'
import type { CniResult, NodeNetwork } from './result.ts'
import type { Sandbox } from './sandbox.ts'
import { podSockets } from './sockets.ts'
import { wiring } from './wiring.ts'

export interface CalicoOptions {
  /** Whether TCP gets from a node to an address, as BGP needs it; default: it does. */
  readonly canConnect?: CanConnect
  /** Routers beyond the nodes. */
  readonly routers?: OtherSpeakers
  /** kube-proxy's mode is ipvs. */
  readonly ipvs?: boolean
}

export interface CalicoResult extends CniResult {
  /** Speakers of one family after they have told each other everything. */
  readonly bgp: (family: Family) => Convergence
}

/** What calico-node and the CNI plugin `calico` install on every node and in every pod. */
export function renderCalico(
  objects: ObjectReader,
  settings: ClusterSettings,
  uplinks: Uplinks,
  options: CalicoOptions = {},
): CalicoResult {
  const plan = planCalico(objects, settings, uplinks)
  const converged = byFamily((family) => lazy(() => convergeCalico(plan, family, options.canConnect, options.routers)))
  const routes = (self: CalicoNode): NetnsAdditions => ({
    routes: self.felix.programClusterRoutes
      ? clusterRoutes(plan, self)
      : families.flatMap((f) =>
          plan.backend === 'bird' && self.addresses[f] ? birdRoutes(converged[f](), self.name) : [],
        ),
  })
  const rendered = renderNodes(plan, options, (self) => [
    ...(hasEncap(plan, 'ipip', 'ipv4') ? [ipipOnNode(self)] : []),
    ...families.filter((f) => hasEncap(plan, 'vxlan', f)).map((f) => vxlanOnNode(plan, self, f)),
    routes(self),
  ])
  return { ...rendered, name: calicoName(plan), bgp: (family) => converged[family]() }
}

function calicoName({ pools, backend }: CalicoPlan): string {
  const modes = pools.map((p) => {
    if (p.vxlan !== 'Never') return `VXLAN ${p.vxlan}`
    return p.ipip === 'Never' ? 'no encapsulation' : `IPIP ${p.ipip}`
  })
  return ['calico', [...new Set(modes)].join(', '), backend === 'bird' ? 'BGP' : ''].filter((t) => t !== '').join(' ')
}

/** flannel's network between the nodes, Calico's wiring and policy on each. */
export function renderCanal(
  objects: ObjectReader,
  settings: ClusterSettings,
  uplinks: Uplinks,
  options: CalicoOptions = {},
): CniResult {
  const plan = { ...planCalico(objects, settings, uplinks), backend: 'none' as const, pools: [] }
  const flannel = renderFlannel(objects, settings, uplinks, { withoutPods: true })
  const calico = renderNodes(plan, options, () => [])
  const nodes = new Map([...calico.nodes].map(([name, own]) => [name, both(flannel.nodes.get(name), own)]))
  return {
    name: 'canal (flannel with Calico policy)',
    enforcesPolicy: true,
    nodes,
    pods: calico.pods,
    problems: [...(flannel.problems ?? []), ...(calico.problems ?? [])],
  }
}

/** flanneld starts beside calico-node; its rules are appended, so that the order of both hardly matters. */
function both(flannel: NodeNetwork | undefined, calico: NodeNetwork): NodeNetwork {
  if (!flannel) return calico
  const edits = lazy(() => byFamily((f): readonly IptablesEdit[] => [...flannel.edits[f], ...calico.edits[f]]))
  const additions = lazy(() => mergeAdditions([flannel.additions, calico.additions]))
  return {
    get additions() {
      return additions()
    },
    get edits() {
      return edits()
    },
    get tunnels() {
      return flannel.tunnels ?? []
    },
    get nftables() {
      return flannel.nftables ?? []
    },
  }
}

/** Pods, policy and what `network` adds, on every node. */
function renderNodes(
  plan: CalicoPlan,
  options: CalicoOptions,
  network: (self: CalicoNode) => readonly NetnsAdditions[],
): CniResult {
  const { objects, settings } = plan
  const byNode = lazy(() => podsByNode(objects))
  const socketsOf = lazy(() => podSockets(objects))
  const pluginsVersion = pluginsVersionFor(settings.kubeVersion)
  const { conf, problems: confProblems } = cniConfOf(objects)
  const portmap = conf ? portmapOf(conf) : { portmap: undefined }
  const problems: NetworkProblem[] = [...plan.problems, ...confProblems]
  const nodes = new Map<string, NodeNetwork>()
  const wirings: CniResult['pods'][number][] = []
  for (const self of plan.nodes.values()) {
    const sandboxes = (byNode().get(self.name) ?? []).flatMap((pod) => sandboxOf(pod, self, problems))
    const mtu = podMtu(plan, self)
    const chained: FamilyRules =
      conf && 'portmap' in portmap && portmap.portmap
        ? portmapOfPods(conf.name, portmap.portmap, pluginsVersion, sandboxes)
        : noRules
    nodes.set(
      self.name,
      nodeNetwork(plan, self, options, sandboxes, chained, () => network(self)),
    )
    wirings.push(...sandboxes.map((s) => wiring(s, () => podNamespace(mtu, s, socketsOf()(s.pod)))))
  }
  return { nodes, pods: wirings, problems, enforcesPolicy: true }
}

function nodeNetwork(
  plan: CalicoPlan,
  self: CalicoNode,
  options: CalicoOptions,
  sandboxes: readonly Sandbox[],
  chained: FamilyRules,
  network: () => readonly NetnsAdditions[],
): NodeNetwork {
  const enabled = (family: Family): boolean => family === 'ipv4' || self.felix.ipv6
  const nothing: NodeRules = { edits: [], ipsets: [] }
  const rules = lazy(() =>
    byFamily((f) => (enabled(f) ? nodeRules(plan, self, f, { ipvs: options.ipvs ?? false }) : nothing)),
  )
  const additions = lazy(() =>
    mergeAdditions([
      podsOnNode(plan, self, sandboxes),
      ...network(),
      { ipsets: families.flatMap((f) => rules()[f].ipsets) },
    ]),
  )
  const edits = lazy(() => byFamily((f) => [...chained.edits[f], ...rules()[f].edits]))
  return {
    get additions() {
      return additions()
    },
    get edits() {
      return edits()
    },
    nftables: chained.nftables,
  }
}

/** calico-ipam has given the addresses: a pod without one has no sandbox. */
function sandboxOf(pod: Pod, self: CalicoNode, problems: NetworkProblem[]): readonly Sandbox[] {
  const ips = statusIps(pod)
  if (ips.length === 0) {
    const message = 'no pool gives the pod an address; it stays without a network'
    problems.push({ by: 'calico-ipam', message, object: podRef(pod), node: self.name })
    return []
  }
  const { name, namespace = 'default' } = pod.metadata
  return [
    {
      pod,
      node: self.node,
      id: sandboxId(pod),
      addresses: ips.map((ip) => ({ ip, length: widthOf(familyOf(ip)), gateway: podGateways[familyOf(ip)] })),
      hostDevice: caliName(namespace, name),
    },
  ]
}

/** `cni_network_config` of calico-config or canal-config; placeholders that the installer fills are taken out. */
function cniConfOf(objects: ObjectReader): {
  readonly conf: CniConf | undefined
  readonly problems: readonly NetworkProblem[]
} {
  const map = objects.list('ConfigMap').find((c) => c.data?.cni_network_config !== undefined)
  const text = map?.data?.cni_network_config
  if (!map || text === undefined) return { conf: defaultConf, problems: [] }
  const parsed = parseCniConf(text.replace(/:\s*__CNI_MTU__/g, ': 0'))
  if ('conf' in parsed) return { conf: parsed.conf, problems: [] }
  const { namespace = 'default', name } = map.metadata
  const object = { kind: 'ConfigMap', namespace, name }
  const field = 'data["cni_network_config"]'
  return { conf: undefined, problems: parsed.errors.map((message) => ({ by: 'calico', message, object, field })) }
}

const defaultConf: CniConf = {
  name: 'k8s-pod-network',
  plugins: [
    { type: 'calico', options: { type: 'calico' } },
    { type: 'portmap', options: { type: 'portmap', snat: true, capabilities: { portMappings: true } } },
  ],
}

/** The pod network that the objects tell of. */
export function renderPodNetwork(
  objects: ObjectReader,
  settings: ClusterSettings,
  uplinks: Uplinks,
  options: CalicoOptions = {},
): CniResult & Partial<Pick<CalicoResult, 'bgp'>> {
  switch (podNetworkKind(objects)) {
    case 'flannel':
      return renderFlannel(objects, settings, uplinks)
    case 'calico':
      return renderCalico(objects, settings, uplinks, options)
    case 'canal':
      return renderCanal(objects, settings, uplinks, options)
  }
}
