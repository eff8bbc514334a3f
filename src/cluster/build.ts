import { applyEdits } from '../artefact/iptables/apply.ts'
import { addToNetns, type NetnsState } from '../artefact/netns.ts'
import type { NftCommand } from '../artefact/nft/command.ts'
import { applyNft } from '../artefact/nft/draft.ts'
import { runNft } from '../artefact/nft/read.ts'
import { emptyNft, type NftRuleset } from '../artefact/nft/ruleset.ts'
import type { Route } from '../artefact/route.ts'
import type { Convergence } from '../bgp/converge.ts'
import { birdRoutes } from '../cni/calico/bgp/routing.ts'
import { renderPodNetwork } from '../cni/calico.ts'
import { lazy } from '../cni/lazy.ts'
import type { CniResult, FabricRoute, PodWiring } from '../cni/result.ts'
import { nodeSockets, uniqueSockets } from '../cni/sockets.ts'
import type { ObjectRef } from '../kube/objects/meta.ts'
import type { Node } from '../kube/objects/node.ts'
import type { Service } from '../kube/objects/service.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Family, families, type Ip, ip, parseIp } from '../net/ip.ts'
import { prefixContains } from '../net/prefix.ts'
import { isLoopback } from '../proxy/node-port-addresses.ts'
import { planServices } from '../proxy/plan.ts'
import { type ProxyFlags, proxySettings } from '../proxy/settings.ts'
import { balancerProblems, planBalancers } from './balancer-plan.ts'
import { speakerReach } from './bgp-reach.ts'
import type { Cluster } from './cluster.ts'
import { flanneld } from './flanneld.ts'
import type { Network } from './loop.ts'
import { Cabling, hostNetns, type Machine, type NetnsId, nodeNetns, podNetns, type Wire } from './machine.ts'
import { ipvsAdditions, type NodeProxy, nodeProxy } from './node-proxy.ts'
import { applyNodeStates, nodeStateProblems } from './node-state.ts'
import { routerSpeakers } from './router-speakers.ts'
import { planUnderlay, type UnderlayPlan } from './underlay.ts'
import { bareNode, type LearnedRoutes, type OutsideTarget, underlayMachines, uplinksOf } from './underlay-machines.ts'

/** Something that a real agent would have logged. `by` is the agent. */
export interface AgentProblem {
  /** Input that cannot be used; otherwise a warning. */
  readonly severity?: 'error'
  readonly by: string
  readonly message: string
  readonly object?: ObjectRef
  readonly field?: string
  readonly node?: string
}

export interface BuiltCluster {
  readonly cluster: Cluster
  readonly problems: readonly AgentProblem[]
}

/** From objects to machines: what every agent would install on every node, and the wires between them. */
export function buildCluster(objects: ObjectReader, settings: ClusterSettings): BuiltCluster {
  const nodes = objects.list('Node')
  const bare = planAround(nodes, objects)
  const uplinks = new Map(nodes.map((n) => [n.metadata.name, uplinksOf(n.metadata.name, bare)] as const))
  const [firstNode] = nodes
  const flags = proxyFlags(settings)
  const proxy = firstNode && proxySettings(objects, firstNode, 'ipv4', flags)
  const routers = routerSpeakers(bare)
  const cni = renderPodNetwork(objects, settings, uplinks, {
    canConnect: speakerReach(objects, bare),
    ...(routers ? { routers } : {}),
    ipvs: proxy?.settings.mode === 'ipvs',
  })
  const underlay = withFabricRoutes(bare, cni.fabricRoutes ?? [])
  const { bgp } = cni
  const learned: LearnedRoutes = (router) => (routers && bgp ? families.flatMap((f) => learnedBy(bgp(f), router)) : [])
  const problems: AgentProblem[] = [
    ...nodeStateProblems(objects),
    ...balancerProblems(underlay),
    ...(cni.problems ?? []),
  ]
  const context: BuildContext = { objects, settings, underlay, cni }
  const nodeMachines = nodes.map((node) => nodeMachine(node, context))
  const podMachines = cni.pods.map(podMachine)
  const podWires = cni.pods.map(podWire)
  problems.push(...(proxy?.problems ?? []))
  const [external] = underlay.hosts
  return {
    cluster: {
      objects,
      settings,
      underlay,
      uplinks,
      cni: cni.name ?? 'flannel',
      enforcesPolicy: cni.enforcesPolicy ?? false,
      ...(bgp ? { bgp } : {}),
      proxy: `kube-proxy ${proxy?.settings.mode ?? 'iptables'}`,
      network: (outside = []) => network([...nodeMachines, ...podMachines], podWires, underlay, outside, learned),
      isInside: (address) => isInside(address, context),
      external: external && hostNetns(external.name),
    },
    problems,
  }
}

/** A router without addresses of a family does not speak it. */
const learnedBy = (bgp: Convergence, router: NetnsId): readonly Route[] =>
  bgp.speakers().some((s) => s.id === router) ? birdRoutes(bgp, router) : []

/** What carries the nodes, and the load balancers that their Services have in front. */
function planAround(nodes: readonly Node[], objects: ObjectReader): UnderlayPlan {
  const [given] = objects.list('Underlay')
  const underlay = planUnderlay(nodes, given)
  return { ...underlay, balancers: planBalancers(objects, underlay, given) }
}

const withFabricRoutes = (plan: UnderlayPlan, routes: readonly FabricRoute[]): UnderlayPlan =>
  routes.length === 0
    ? plan
    : { ...plan, routers: plan.routers.map((r) => ({ ...r, routes: [...routes, ...r.routes] })) }

interface BuildContext {
  readonly objects: ObjectReader
  readonly settings: ClusterSettings
  readonly underlay: UnderlayPlan
  readonly cni: CniResult
}

const proxyFlags = (settings: ClusterSettings): ProxyFlags => ({
  podNetworks: settings.podNetworks,
  ...(settings.proxyMode && { mode: settings.proxyMode }),
  ...(settings.kubeVersion === '' ? {} : { kubeVersion: settings.kubeVersion }),
})

function network(
  machines: readonly Machine[],
  wires: readonly Wire[],
  underlay: UnderlayPlan,
  outside: readonly OutsideTarget[],
  learned: LearnedRoutes,
): Network {
  const under = underlayMachines(underlay, outside, learned)
  return {
    machines: new Map([...machines, ...under.machines].map((m) => [m.id, m])),
    cabling: new Cabling([...wires, ...under.wires]),
  }
}

function nodeMachine(node: Node, context: BuildContext): Machine {
  const { name } = node.metadata
  const state = lazy(() => nodeState(node, context))
  const tunnels = context.cni.nodes.get(name)?.tunnels ?? []
  const processes = tunnels.map((tunnel) =>
    flanneld(tunnel, () => state().addresses.find((a) => a.dev === tunnel.device)?.ip),
  )
  return { id: nodeNetns(name), kind: 'node', name, node: name, state, processes, tunnels }
}

/** The agents in the order in which they start on a real node: kubelet, kube-proxy, then the network. */
function nodeState(node: Node, context: BuildContext): NetnsState {
  const { objects, underlay, cni } = context
  const { name } = node.metadata
  const own = cni.nodes.get(name)
  const wired = addToNetns(addToNetns(bareNode(name, underlay), own?.additions ?? {}), {
    sockets: nodeSockets(objects, name),
  })
  const localIPs = localAddresses(wired)
  const agents = (family: Family): NodeProxy => {
    const { settings } = proxySettings(objects, node, family, { ...proxyFlags(context.settings), localIPs })
    const proxy = nodeProxy(planServices(objects, settings), settings, context.settings)
    return { ...proxy, edits: [...proxy.edits, ...(own?.edits[family] ?? [])] }
  }
  const [ipv4, ipv6] = [agents('ipv4'), agents('ipv6')]
  const rendered: NetnsState = {
    ...addToNetns(wired, ipvsAdditions(name, [ipv4, ipv6])),
    sockets: uniqueSockets([...wired.sockets, ...ipv4.sockets, ...ipv6.sockets]),
    sysctls: { ...ipv4.sysctls, ...ipv6.sysctls, ...wired.sysctls },
    iptables: { ipv4: applyEdits(wired.iptables.ipv4, ipv4.edits), ipv6: applyEdits(wired.iptables.ipv6, ipv6.edits) },
    nftables: nftablesOf([...ipv4.nft, ...ipv6.nft], own?.nftables ?? []),
  }
  return applyNodeStates(rendered, objects, name)
}

/** kube-proxy's tables, then those that the network's agents write as text. */
const nftablesOf = (commands: readonly NftCommand[], texts: readonly string[]): NftRuleset =>
  texts.reduce((ruleset, text) => runNft(ruleset, text).ruleset, applyNft(emptyNft, commands).ruleset)

const localAddresses = (state: NetnsState): readonly Ip[] => [...loopbackAddresses, ...state.addresses.map((a) => a.ip)]
const loopbackAddresses: readonly Ip[] = [ip('127.0.0.1'), ip('::1')]

const podMachine = ({ pod, node, netns }: PodWiring): Machine => ({
  id: podNetns(pod.namespace ?? 'default', pod.name),
  kind: 'pod',
  name: pod.name,
  namespace: pod.namespace ?? 'default',
  node,
  state: () => netns,
})

const podWire = ({ pod, node, podDevice, hostDevice }: PodWiring): Wire => ({
  a: { netns: podNetns(pod.namespace ?? 'default', pod.name), device: podDevice },
  b: { netns: nodeNetns(node), device: hostDevice },
})

/** Nothing beyond the cluster answers for an address that is a pod's, a Service's, a node's or on a segment. */
function isInside(address: Ip, { settings, underlay, objects }: BuildContext): boolean {
  const networks = [
    ...settings.podNetworks,
    ...settings.serviceNetworks,
    ...underlay.segments.flatMap((s) => s.prefixes),
  ]
  if (isLoopback(address) || networks.some((p) => prefixContains(p, address))) return true
  if (underlay.balancers.some((b) => b.vips.some((v) => v.ip === address))) return true
  return objects.list('Service').some((s) => serviceAddresses(s).includes(address))
}

const serviceAddresses = ({ spec, status }: Service): readonly Ip[] =>
  [...(spec.externalIPs ?? []), ...(status?.loadBalancer?.ingress ?? []).map((i) => i.ip ?? '')].flatMap(
    (text) => parseIp(text) ?? [],
  )
