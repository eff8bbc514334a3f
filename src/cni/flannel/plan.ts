import type { Origin } from '../../artefact/origin.ts'
import type { ConfigMap, Node } from '../../kube/objects/node.ts'
import type { ClusterSettings } from '../../kube/settings.ts'
import type { ObjectReader } from '../../kube/store.ts'
import { type Family, families, type Ip } from '../../net/ip.ts'
import { formatPrefix } from '../../net/prefix.ts'
import type { CniConf } from '../cni-conf.ts'
import { lazy } from '../lazy.ts'
import { originOf } from '../origin.ts'
import { addressPods, podsByNode } from '../pod-addresses.ts'
import type { NetworkProblem } from '../problem.ts'
import type { Uplink } from '../result.ts'
import type { Backend, BackendContext, Peer } from './backend/backend.ts'
import { makeBackend } from './backend/select.ts'
import { flannelConfig } from './config.ts'
import { type Daemon, daemonOn } from './daemon.ts'
import { acquireLease, isOwnSubnet, type Lease } from './lease.ts'
import { type NetConf, podNetworkOf } from './net-conf.ts'
import { Registry } from './registry.ts'
import { chooseUplink } from './uplink.ts'

/** A cluster's flannel before anything is written: who has which lease, and who sees whom. */
export interface FlannelPlan {
  readonly cni: CniConf | undefined
  /** Nodes whose flanneld runs, by name, in the order of the objects. */
  readonly nodes: ReadonlyMap<string, NodePlan>
  readonly problems: readonly NetworkProblem[]
}

export interface NodePlan {
  readonly node: Node
  readonly daemon: Daemon
  readonly conf: NetConf
  readonly lease: Lease
  readonly backend: Backend
  /** As the others see it. */
  readonly asPeer: Peer
  /** Of what is this node's own. */
  readonly origin: Origin
  /** Of what concerns all pods of one family. */
  readonly networkOrigin: (family: Family) => Origin
  /** `none`: somebody else's pods, as in Canal. */
  readonly podNetwork: 'cni' | 'docker0' | 'none'
}

/** One device, or several to choose from: the first is that of the default route. */
export type Uplinks = ReadonlyMap<string, Uplink | readonly Uplink[]>

export interface FlannelOptions {
  /** Only flanneld's half: leases, backend and rules. */
  readonly withoutPods?: boolean
}

export function planFlannel(
  objects: ObjectReader,
  settings: ClusterSettings,
  uplinks: Uplinks,
  options: FlannelOptions = {},
): FlannelPlan {
  const daemons = daemonOn(objects)
  const nodes = objects.list('Node')
  const usesEtcd = nodes.some((node) => !daemons(node).args.kubeSubnetManager)
  const { conf, cni, configMap, problems } = flannelConfig(objects, settings, usesEtcd ? 'etcd' : 'kube')
  if (conf === undefined) return { cni, nodes: new Map(), problems }
  const registries = etcdRegistries(conf)
  const networkOrigin = (family: Family): Origin => originOfNetwork(objects, configMap, conf, family)
  const pods = lazy(() => podsByNode(objects))
  const found = [...problems]
  const plans = nodes.flatMap((node): NodePlan[] => {
    const daemon = daemons(node)
    const uplink = uplinkOf(node, daemon, uplinks, found)
    if (uplink === undefined) return []
    const etcd = daemon.args.kubeSubnetManager ? {} : { registries }
    const acquired = acquireLease(node, { conf, daemon, uplink, ...etcd })
    if ('problem' in acquired) {
      found.push(acquired.problem)
      return []
    }
    const addresses = (): readonly Ip[] => podIps(pods(), acquired.lease)
    const plan = nodePlan(objects, node, daemon, conf, uplink, acquired.lease, addresses)
    const asked = containerNetwork(node) ?? (configMap && containerNetwork(configMap)) ?? 'cni'
    const podNetwork = options.withoutPods ? 'none' : asked
    return plan ? [{ ...plan, podNetwork, networkOrigin }] : []
  })
  return { cni, nodes: new Map(plans.map((p) => [p.node.metadata.name, p])), problems: found }
}

const etcdRegistries = (conf: NetConf): Readonly<Partial<Record<Family, Registry>>> =>
  Object.fromEntries(
    families.flatMap((family) => {
      const network = podNetworkOf(conf, family)
      return network ? [[family, new Registry(network.network, network)]] : []
    }),
  )

function uplinkOf(node: Node, { args }: Daemon, uplinks: Uplinks, problems: NetworkProblem[]): Uplink | undefined {
  const { name } = node.metadata
  const given = uplinks.get(name)
  const choice = chooseUplink(given === undefined ? [] : [given].flat(), args)
  if (choice.problem)
    problems.push({ by: 'flannel', message: choice.problem, object: { kind: 'Node', name }, node: name })
  return choice.uplink
}

function nodePlan(
  objects: ObjectReader,
  node: Node,
  daemon: Daemon,
  conf: NetConf,
  uplink: Uplink,
  lease: Lease,
  podAddresses: () => readonly Ip[],
): Omit<NodePlan, 'podNetwork' | 'networkOrigin'> | undefined {
  const { name } = node.metadata
  const origin = originOf(objects, 'flannel', `podCIDR of ${name}`, node, ['spec', 'podCIDR'])
  const context: BackendContext = { lease, uplink, conf, version: daemon.version, origin }
  const backend = makeBackend(context)
  const asPeer: Peer = { lease, podAddresses, origin: originOf(objects, 'flannel', name, node, ['spec', 'podCIDR']) }
  return backend && { node, daemon, conf, lease, backend, asPeer, origin }
}

/** `Network` of net-conf.json; without one, the cluster's pod network. */
function originOfNetwork(
  objects: ObjectReader,
  configMap: ConfigMap | undefined,
  conf: NetConf,
  family: Family,
): Origin {
  const network = podNetworkOf(conf, family)?.network
  const key = family === 'ipv4' ? 'Network' : 'IPv6Network'
  const note = `${key} ${network ? formatPrefix(network) : 'none'}`
  return configMap?.data?.['net-conf.json'] === undefined
    ? { by: 'flannel', note: `${note} by default` }
    : originOf(objects, 'flannel', note, configMap, ['data', 'net-conf.json'])
}

const podIps = (pods: ReturnType<typeof podsByNode>, { node, parts }: Lease): readonly Ip[] =>
  addressPods(
    node,
    pods.get(node.metadata.name) ?? [],
    families.flatMap((f) => parts[f]?.subnet ?? []),
  ).sandboxes.flatMap((s) => s.addresses.map((a) => a.ip))

/** `kubehop.dev/pod-network: docker0`: pods hang on docker's bridge, as before CNI. On a Node, or on kube-flannel-cfg. */
function containerNetwork(object: Node | { readonly metadata: Node['metadata'] }): NodePlan['podNetwork'] | undefined {
  const given = object.metadata.annotations?.['kubehop.dev/pod-network']
  return given === 'docker0' || given === 'cni' ? given : undefined
}

/** The leases that this node's flanneld programs: published, of its own backend, not its own subnet. In event order. */
export function peersOf(plan: FlannelPlan, self: NodePlan): readonly NodePlan[] {
  const type = self.conf.backend.type
  const others = [...plan.nodes.values()].filter((other) => other !== self)
  // A type left from before a change of net-conf.json is what every node still carries: then it says nothing.
  const told = [...plan.nodes.values()].some(({ lease }) => lease.annotatedType === type)
  return others.filter(({ lease }) => {
    const foreign = told && lease.annotatedType !== undefined && lease.annotatedType !== type
    return lease.published && !foreign && !isOwnSubnet(self.lease, lease)
  })
}
