import type { Labels } from '../kube/objects/meta.ts'
import { type Family, families, familyOf, type Ip } from '../net/ip.ts'
import type { TransportProtocol } from '../net/port.ts'

/** A named port that a pod declares. */
export interface DeclaredPort {
  readonly name: string
  readonly protocol: TransportProtocol
  readonly port: number
}

/** What policy looks at in a pod that has a network of its own. A virtual pod is one that no object describes. */
export interface PolicyPod {
  readonly namespace: string
  readonly name: string
  readonly labels: Labels
  readonly namespaceLabels: Labels
  /** Undefined for a pod that is not scheduled, and for a virtual one unless it was given. */
  readonly node: string | undefined
  /** Addresses of all families; empty where none is known. */
  readonly ips: readonly Ip[]
  readonly ports: readonly DeclaredPort[]
  readonly virtual: boolean
}

/** A node, which its processes and its host-network pods share. */
export interface PolicyNode {
  readonly name: string
  readonly labels: Labels
  /** `status.addresses` that are IP addresses. */
  readonly ips: readonly Ip[]
}

/**
 * One end of a connection, as policy sees it: after Service translation at the destination, and after any masquerading at
 * the source. `ip` is the address in the packet.
 */
export type End =
  | { readonly kind: 'pod'; readonly pod: PolicyPod; readonly ip: Ip | undefined }
  /** `hostNetworkPod` says which pod of the node's own network it is, where it is one. */
  | { readonly kind: 'node'; readonly node: PolicyNode; readonly ip: Ip | undefined; readonly hostNetworkPod?: string }
  /** Any other address. `domain` is the name that the client looked up. */
  | { readonly kind: 'address'; readonly ip: Ip; readonly domain?: string }

/** The pod with the address of one family, or with its first. */
export const podEnd = (pod: PolicyPod, family?: Family): End => ({ kind: 'pod', pod, ip: ipOf(pod.ips, family) })

export const nodeEnd = (node: PolicyNode, family?: Family): End => ({ kind: 'node', node, ip: ipOf(node.ips, family) })

function ipOf(ips: readonly Ip[], family: Family | undefined): Ip | undefined {
  return family === undefined ? ips[0] : ips.find((ip) => familyOf(ip) === family)
}

/**
 * The families in which a connection between both can be opened. An end without any known address, such as a virtual pod,
 * is taken to have both. With several, each is a connection of its own: blocks may tell them apart.
 */
export function commonFamilies(a: End, b: End): readonly Family[] {
  const [x, y] = [familiesOf(a), familiesOf(b)]
  return families.filter((family) => x.includes(family) && y.includes(family))
}

function familiesOf(end: End): readonly Family[] {
  const ips = end.kind === 'address' ? [end.ip] : end.kind === 'pod' ? end.pod.ips : end.node.ips
  return ips.length === 0 ? families : ips.map(familyOf)
}

/** The end at its address of that family. */
export function atFamily(end: End, family: Family): End {
  if (end.kind === 'address' || (end.ip && familyOf(end.ip) === family)) return end
  return { ...end, ip: ipOf(end.kind === 'pod' ? end.pod.ips : end.node.ips, family) }
}

export const samePod = (a: PolicyPod, b: PolicyPod): boolean =>
  a === b || (!a.virtual && !b.virtual && a.namespace === b.namespace && a.name === b.name)

/** `shop/web`, `node-a`, `203.0.113.9`. */
export function formatEnd(end: End): string {
  switch (end.kind) {
    case 'pod':
      return `${end.pod.namespace}/${end.pod.name}`
    case 'node':
      return end.hostNetworkPod ?? end.node.name
    case 'address':
      return end.ip
  }
}
