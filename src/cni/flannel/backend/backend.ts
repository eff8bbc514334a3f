import type { NetnsAdditions } from '../../../artefact/netns.ts'
import type { Origin } from '../../../artefact/origin.ts'
import { type Family, families, type Ip } from '../../../net/ip.ts'
import { networkOf, prefixContains } from '../../../net/prefix.ts'
import type { NetworkProblem } from '../../problem.ts'
import type { Uplink, UserTunnel } from '../../result.ts'
import type { Version } from '../../version.ts'
import type { HostCommand, HostTables } from '../command.ts'
import type { Lease, LeasePart } from '../lease.ts'
import type { NetConf } from '../net-conf.ts'

/** How one node's flanneld reaches the pods of the others. */
export interface Backend {
  /** FLANNEL_MTU: what pods get. */
  readonly mtu: number
  /** Device, address and what else stands before any peer is known. */
  readonly base: NetnsAdditions
  /** The tunnel process over the peers known so far. */
  readonly tunnel?: (tables: HostTables) => UserTunnel
  /** The changes for a lease that appeared or changed, given what stands. */
  readonly added: (peer: Peer, tables: HostTables) => Programmed
  readonly removed: (peer: Peer, tables: HostTables) => readonly HostCommand[]
}

export interface Programmed {
  readonly commands: readonly HostCommand[]
  readonly problems: readonly NetworkProblem[]
}

/** Another node's lease, with the origin that its routes carry. */
export interface Peer {
  readonly lease: Lease
  /** Addresses of the pods behind it: what vxlan before v0.9.0 resolves one by one. */
  readonly podAddresses: () => readonly Ip[]
  readonly origin: Origin
}

/** What every backend is made from. */
export interface BackendContext {
  readonly lease: Lease
  readonly uplink: Uplink
  readonly conf: NetConf
  readonly version: Version
  /** Of what is this node's own: its device and address. */
  readonly origin: Origin
}

export interface FamilyPair {
  readonly family: Family
  readonly own: LeasePart
  readonly theirs: LeasePart
}

/** The families that both leases have. */
export const sharedFamilies = (own: Lease, peer: Lease): readonly FamilyPair[] =>
  families.flatMap((family) => {
    const [ours, theirs] = [own.parts[family], peer.parts[family]]
    return ours && theirs ? [{ family, own: ours, theirs }] : []
  })

export const ownParts = (lease: Lease): readonly (readonly [Family, LeasePart])[] =>
  families.flatMap((family) => {
    const part = lease.parts[family]
    return part ? [[family, part] as const] : []
  })

/** Whether `ip route get` would give the address without a gateway: it lies in a subnet of the uplink. */
export const isOnLink = (uplink: Uplink, ip: Ip): boolean =>
  uplink.addresses.some((a) => prefixContains(networkOf(a.ip, a.length), ip))

export const programmed = (commands: readonly HostCommand[]): Programmed => ({ commands, problems: [] })
