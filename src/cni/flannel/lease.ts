import type { Node } from '../../kube/objects/node.ts'
import { type Family, families, familyOf, type Ip, parseIp } from '../../net/ip.ts'
import { type Mac, stableMac } from '../../net/mac.ts'
import { formatPrefix, type Prefix, parsePrefix, prefixCovers, prefixesEqual, prefixFamily } from '../../net/prefix.ts'
import type { NetworkProblem } from '../problem.ts'
import type { Uplink } from '../result.ts'
import { isAtLeast } from '../version.ts'
import { type FlannelAnnotations, readAnnotations } from './annotations.ts'
import type { Daemon } from './daemon.ts'
import { type NetConf, notContained, podNetworkOf } from './net-conf.ts'
import type { Registry } from './registry.ts'

/** One node's part of the overlay, as its flanneld publishes it and the others read it. */
export interface Lease {
  readonly node: Node
  readonly parts: Readonly<Partial<Record<Family, LeasePart>>>
  /** `backend-type` as annotated; undefined where flanneld has not been. */
  readonly annotatedType?: string
  /** Whether other nodes see it: the `kube-subnet-manager` annotation. */
  readonly published: boolean
}

export interface LeasePart {
  readonly subnet: Prefix
  /** What peers send to. */
  readonly publicIp: Ip
  /** `local` of the tunnel device. */
  readonly local: Ip
  readonly vtepMac: Mac
}

export type LeaseResult = { readonly lease: Lease } | { readonly problem: NetworkProblem }

export interface LeaseContext {
  readonly conf: NetConf
  readonly daemon: Daemon
  readonly uplink: Uplink
  /** The etcd manager's leases; absent with the kube manager, which takes podCIDRs. */
  readonly registries?: Readonly<Partial<Record<Family, Registry>>>
}

export function acquireLease(node: Node, context: LeaseContext): LeaseResult {
  const annotations = readAnnotations(node, context.daemon.args.annotationPrefix)
  const parts: Partial<Record<Family, LeasePart>> = {}
  for (const family of families) {
    if (podNetworkOf(context.conf, family) === undefined) continue
    const part = leasePart(node, family, annotations, context)
    if ('problem' in part) return part
    parts[family] = part.part
  }
  const { backendType: annotatedType, managed } = annotations
  return { lease: { node, parts, published: managed ?? true, ...(annotatedType ? { annotatedType } : {}) } }
}

type PartResult = { readonly part: LeasePart } | { readonly problem: NetworkProblem }

function leasePart(node: Node, family: Family, annotations: FlannelAnnotations, context: LeaseContext): PartResult {
  const own = interfaceAddress(node, family, context.uplink)
  const chosen = annotations.nodePublicIp[family] ?? publicIpFlag(context.daemon, family) ?? own
  if (chosen === undefined) return { problem: noAddress(node, family) }
  const publicIp = annotations.publicIp[family] ?? chosen
  const subnet = subnetOf(node, family, publicIp, context)
  if ('problem' in subnet) return subnet
  const vtepMac = annotations.vtepMac[family] ?? vtepMacOf(node, subnet.subnet)
  // Up to v0.27.3 the interface's own address, whatever is published.
  const local = isAtLeast(context.daemon.version, 'v0.27.4') ? chosen : (own ?? chosen)
  return { part: { subnet: subnet.subnet, publicIp, local, vtepMac } }
}

const interfaceAddress = (node: Node, family: Family, uplink: Uplink): Ip | undefined =>
  uplink.addresses.find((a) => familyOf(a.ip) === family)?.ip ?? internalIp(node, family)

const internalIp = (node: Node, family: Family): Ip | undefined =>
  (node.status?.addresses ?? [])
    .filter((a) => a.type === 'InternalIP')
    .flatMap((a) => parseIp(a.address) ?? [])
    .find((ip) => familyOf(ip) === family)

const publicIpFlag = ({ args }: Daemon, family: Family): Ip | undefined =>
  parseIp((family === 'ipv4' ? args.publicIp : args.publicIpv6) ?? '')

/** flanneld draws it at random and publishes it; here it follows from the node and its podCIDR. */
export const vtepMacOf = (node: Node, subnet: Prefix): Mac =>
  stableMac(`flannel ${node.metadata.name} ${formatPrefix(subnet)}`)

type SubnetResult = { readonly subnet: Prefix } | { readonly problem: NetworkProblem }

function subnetOf(node: Node, family: Family, publicIp: Ip, context: LeaseContext): SubnetResult {
  const network = podNetworkOf(context.conf, family)?.network
  const registry = context.registries?.[family]
  // The registry is not in the objects. Where pods have addresses, they have them of this lease, and podCIDR is made from them.
  const subnet = registry ? registry.acquire(publicIp, podCidrOf(node, family)) : podCidrOf(node, family)
  const { name } = node.metadata
  if (subnet === undefined || network === undefined)
    return { problem: podCidrProblem(node, `node ${JSON.stringify(name)} pod cidr not assigned (${family})`) }
  if (!prefixCovers(network, subnet)) return { problem: podCidrProblem(node, notContained(network, subnet, name)) }
  return { subnet }
}

/** The first of the family in podCIDRs, else podCIDR. */
export const podCidrOf = (node: Node, family: Family): Prefix | undefined =>
  [...(node.spec?.podCIDRs ?? []), node.spec?.podCIDR ?? '']
    .flatMap((text) => parsePrefix(text) ?? [])
    .find((p) => prefixFamily(p) === family)

const podCidrProblem = (node: Node, message: string): NetworkProblem => ({
  by: 'flannel',
  message: `${message}; flanneld exits, and the node's pods get no network`,
  object: { kind: 'Node', name: node.metadata.name },
  field: 'spec.podCIDR',
  node: node.metadata.name,
})

const noAddress = (node: Node, family: Family): NetworkProblem => ({
  by: 'flannel',
  message: `node ${JSON.stringify(node.metadata.name)} has no ${family} address; flanneld exits`,
  object: { kind: 'Node', name: node.metadata.name },
  field: 'status.addresses',
  node: node.metadata.name,
})

/** Whether `self` programs `peer`: pkg/subnet/kube knows its own lease by the subnet alone, so a twin is ignored. */
export const isOwnSubnet = (self: Lease, peer: Lease): boolean =>
  families.some((family) => {
    const [ours, theirs] = [self.parts[family], peer.parts[family]]
    return ours !== undefined && theirs !== undefined && prefixesEqual(ours.subnet, theirs.subnet)
  })
