import type { Node } from '../../kube/objects/node.ts'
import type { ClusterSettings } from '../../kube/settings.ts'
import type { ObjectReader } from '../../kube/store.ts'
import { type Family, families, familyOf, type Ip, parseIp } from '../../net/ip.ts'
import {
  type InterfaceAddress,
  networkOf,
  type Prefix,
  parseInterfaceAddress,
  prefixContains,
} from '../../net/prefix.ts'
import type { Uplinks } from '../flannel/plan.ts'
import type { NetworkProblem } from '../problem.ts'
import type { Uplink } from '../result.ts'
import type { Version } from '../version.ts'
import { type CalicoNodeDaemon, calicoNodeDaemon } from './environment.ts'
import { type FelixSettings, felixSettings } from './felix/settings.ts'
import { type Generation, generationOf } from './generation.ts'
import { type Block, blocksOf, nodeAnnotations } from './ipam.ts'
import { type PolicyCluster, policyCluster, type Workload } from './model/cluster.ts'
import { calicoObjects } from './objects.ts'
import { type Pool, poolHolding, poolsOf, usesEncap } from './pool.ts'

export type Backend = 'bird' | 'vxlan' | 'none'

/** A cluster's Calico before anything is written: who has which addresses, and what each node is told. */
export interface CalicoPlan {
  readonly objects: ObjectReader
  readonly settings: ClusterSettings
  readonly daemon: CalicoNodeDaemon
  readonly version: Version
  readonly generation: Generation
  readonly backend: Backend
  readonly pools: readonly Pool[]
  readonly nodes: ReadonlyMap<string, CalicoNode>
  readonly policy: PolicyCluster
  readonly problems: readonly NetworkProblem[]
}

export interface CalicoNode {
  readonly name: string
  readonly node: Node
  readonly uplink: Uplink
  /** With the prefix length that CrossSubnet compares. */
  readonly addresses: Partial<Readonly<Record<Family, InterfaceAddress>>>
  readonly tunnels: { readonly ipip: Ip | undefined; readonly vxlan: Partial<Readonly<Record<Family, Ip>>> }
  readonly blocks: readonly Prefix[]
  /** Addresses of its pods that lie in no block of its own. */
  readonly borrowed: readonly Ip[]
  readonly workloads: readonly Workload[]
  readonly felix: FelixSettings
}

export function planCalico(objects: ObjectReader, settings: ClusterSettings, uplinks: Uplinks): CalicoPlan {
  const daemon = calicoNodeDaemon(objects)
  const pools = poolsOf(objects)
  const problems: NetworkProblem[] = []
  const backend = backendOf(objects, daemon)
  const policy = policyCluster(objects, 'cali')
  const blocks = backend === 'none' ? [] : blocksOf(objects, pools)
  const context = { objects, daemon, pools, blocks, policy, uplinks, problems }
  const nodes = objects.list('Node').flatMap((node): (readonly [string, CalicoNode])[] => {
    const planned = nodePlan(node, context)
    return planned ? [[node.metadata.name, planned]] : []
  })
  const { version } = daemon
  return {
    ...{ objects, settings, daemon, version, generation: generationOf(version), backend, pools, policy },
    nodes: new Map(nodes),
    get problems() {
      return [...problems, ...policyProblems(policy)]
    },
  }
}

interface NodeContext {
  readonly objects: ObjectReader
  readonly daemon: CalicoNodeDaemon
  readonly pools: readonly Pool[]
  readonly blocks: readonly Block[]
  readonly policy: PolicyCluster
  readonly uplinks: Uplinks
  readonly problems: NetworkProblem[]
}

function nodePlan(node: Node, context: NodeContext): CalicoNode | undefined {
  const { objects, daemon, pools, blocks, policy, uplinks, problems } = context
  const { name } = node.metadata
  const found = autodetected(node, [uplinks.get(name) ?? []].flat(), daemon.env.get('IP_AUTODETECTION_METHOD'))
  if (found === undefined) {
    const message = 'the node has no address on any segment: calico-node finds none and does not become ready'
    problems.push({ by: 'calico-node', message, object: { kind: 'Node', name }, node: name })
    return undefined
  }
  const own = blocks.filter((b) => b.node === name).map((b) => b.cidr)
  const workloads = policy.workloads.get(name) ?? []
  const annotated = (key: string): Ip | undefined => parseIp(node.metadata.annotations?.[key] ?? '')
  const vxlan = { ipv4: annotated(nodeAnnotations.vxlan), ipv6: annotated(nodeAnnotations.vxlan6) }
  return {
    name,
    node,
    uplink: found,
    addresses: addressesOf(node, found),
    tunnels: {
      ipip: annotated(nodeAnnotations.ipip),
      vxlan: { ...(vxlan.ipv4 ? { ipv4: vxlan.ipv4 } : {}), ...(vxlan.ipv6 ? { ipv6: vxlan.ipv6 } : {}) },
    },
    blocks: own,
    borrowed: workloads
      .flatMap((w) => w.ips)
      .filter((ip) => poolHolding(pools, ip) && !own.some((b) => prefixContains(b, ip))),
    workloads,
    felix: felixSettings(objects, daemon.env, name, daemon.daemonSet !== undefined),
  }
}

/** Annotations are what calico-node wrote, and what people correct. */
function addressesOf(node: Node, uplink: Uplink): CalicoNode['addresses'] {
  const { annotations = {} } = node.metadata
  return Object.fromEntries(
    families.flatMap((family) => {
      const given = annotations[nodeAnnotations[family]]
      const own = uplink.addresses.find((a) => familyOf(a.ip) === family)
      const address = given === undefined ? own : (withLength(given, own) ?? own)
      return address ? [[family, address]] : []
    }),
  )
}

const withLength = (text: string, own: InterfaceAddress | undefined): InterfaceAddress | undefined => {
  const parsed = parseInterfaceAddress(text)
  return parsed && !text.includes('/') && own ? { ...parsed, length: own.length } : parsed
}

/** `first-found`, `interface=REGEX,…`, `skip-interface=REGEX,…`, `cidr=CIDR,…`, `can-reach=ADDRESS`, `kubernetes-internal-ip`. */
function autodetected(node: Node, uplinks: readonly Uplink[], method = 'first-found'): Uplink | undefined {
  const [name = '', value = ''] = method.split(/=(.*)/s)
  const patterns = value.split(',')
  const internal = (node.status?.addresses ?? []).find((a) => a.type === 'InternalIP')?.address
  const choices: Readonly<Record<string, (u: Uplink) => boolean>> = {
    interface: (u) => patterns.some((p) => matches(p, u.device)),
    'skip-interface': (u) => !patterns.some((p) => matches(p, u.device)),
    cidr: (u) => u.addresses.some((a) => patterns.some((p) => isWithin(p, a.ip))),
    'can-reach': (u) => u.addresses.some((a) => isWithin(value, networkOf(a.ip, a.length).address) || isOn(value, a)),
    'kubernetes-internal-ip': (u) => u.addresses.some((a) => a.ip === internal),
  }
  const choose = choices[name]
  return (choose && uplinks.find(choose)) ?? uplinks[0]
}

function matches(pattern: string, device: string): boolean {
  try {
    return new RegExp(pattern).test(device)
  } catch {
    return false
  }
}

function isWithin(cidr: string, ip: Ip): boolean {
  const parsed = parseInterfaceAddress(cidr)
  return parsed !== undefined && prefixContains(networkOf(parsed.ip, parsed.length), ip)
}

function isOn(address: string, { ip, length }: InterfaceAddress): boolean {
  const parsed = parseIp(address)
  return parsed !== undefined && prefixContains(networkOf(ip, length), parsed)
}

/** The operator says `bgp: Disabled` for what the manifests call backend `vxlan`. */
function backendOf(objects: ObjectReader, { env }: CalicoNodeDaemon): Backend {
  const given = env.get('CALICO_NETWORKING_BACKEND')
  if (given === 'vxlan' || given === 'none') return given
  const [installation] = objects.listAll('Installation.operator.tigera.io')
  const network = (
    installation as { readonly spec?: { readonly calicoNetwork?: { readonly bgp?: string } } } | undefined
  )?.spec?.calicoNetwork
  return network?.bgp === 'Disabled' ? 'vxlan' : 'bird'
}

const policyProblems = (policy: PolicyCluster): readonly NetworkProblem[] =>
  policy.problems.map(({ policy: { source }, message }) => ({
    by: 'calico',
    message: `${message}; the rule is left out`,
    object: {
      kind: source.kind,
      name: source.metadata.name,
      ...(source.metadata.namespace === undefined ? {} : { namespace: source.metadata.namespace }),
    },
  }))

export const sameSubnet = (a: InterfaceAddress | undefined, ip: Ip): boolean =>
  a !== undefined && prefixContains(networkOf(a.ip, a.length), ip)

/** Whether any pool of the family uses the tunnel: then every node has its device and rules. */
export const hasEncap = ({ pools }: Pick<CalicoPlan, 'pools'>, kind: 'ipip' | 'vxlan', family: Family): boolean =>
  pools.some((p) => familyOf(p.cidr.address) === family && usesEncap(p, kind))

export const bgpConfiguration = (objects: ObjectReader) =>
  calicoObjects(objects, 'BGPConfiguration').find((c) => c.metadata.name === 'default')?.spec ?? {}

/** 1. the uplink's MTU, less what the outer headers take. */
export function tunnelMtu({ uplink, felix }: CalicoNode, kind: 'ipip' | 'vxlan', family: Family): number {
  const given = kind === 'ipip' ? felix.ipipMtu : felix.vxlanMtu
  if (given > 0) return given
  return uplink.mtu - (kind === 'ipip' ? 20 : family === 'ipv4' ? 50 : 70)
}

/** Smallest of the enabled encapsulations. `veth_mtu` of the ConfigMap, where it is not 0, is taken instead. */
export function podMtu(plan: CalicoPlan, self: CalicoNode): number {
  const given = Number(plan.objects.list('ConfigMap').find((c) => c.data?.veth_mtu !== undefined)?.data?.veth_mtu ?? 0)
  if (given > 0) return given
  const used = families.flatMap((family) =>
    (['ipip', 'vxlan'] as const)
      .filter((kind) => hasEncap(plan, kind, family))
      .map((kind) => tunnelMtu(self, kind, family)),
  )
  return Math.min(self.uplink.mtu, ...used)
}
