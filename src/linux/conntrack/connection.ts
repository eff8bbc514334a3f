import type { DeviceName } from '../../artefact/link.ts'
import type { Ip } from '../../net/ip.ts'
import { protocolNumbers } from '../../net/port.ts'
import type { TcpTracking } from './tcp-state.ts'

/** One direction of a flow. For ICMP echo, `srcPort` is the id and `dstPort` is 0 in both directions. */
export interface Tuple {
  readonly protocol: number
  readonly src: Ip
  readonly dst: Ip
  readonly srcPort: number
  readonly dstPort: number
  /** ICMP only: the type of the message, so that a request and its answer are told apart. */
  readonly icmpType?: number
}

export type Direction = 'original' | 'reply'

/** enum ip_conntrack_info (nf_conntrack_common.h), with the direction of the packet in hand. */
export type ConntrackInfo =
  | { readonly state: 'NEW' | 'ESTABLISHED' | 'RELATED'; readonly direction: Direction }
  | { readonly state: 'INVALID' | 'UNTRACKED' }

/** struct nf_conn: kernel state that later packets change, hence mutable. */
export interface Connection {
  /** Per namespace, from 1, in order of creation. */
  readonly id: number
  readonly original: Tuple
  /** What the answer will look like: differs from the inverted original exactly where NAT rewrites. */
  reply: Tuple
  /** In the table; until POSTROUTING or INPUT it belongs to its first packet alone. */
  confirmed: boolean
  seenReply: boolean
  assured: boolean
  /** Which manips were set up (IPS_SRC_NAT_DONE, IPS_DST_NAT_DONE): each hook's nat chain runs once per connection. */
  natDone: { src: boolean; dst: boolean }
  /**
   * IPVS chose its server (ip_vs_update_conntrack): answers are known by it, but without IPS_DST_NAT conntrack translates
   * no destination. Every packet goes to IPVS.
   */
  byIpvs?: boolean
  mark: number
  /** TCP tracking state (nf_conntrack_proto_tcp.c), or `none`. */
  tcpState: string
  /** Virtual time in ms at which the entry expires. */
  expires: number
  /** TCP alone: what was seen of each side. */
  tcp?: TcpTracking
  /** UDP alone: virtual time in ms after which a two-way exchange counts as a stream (nf_conntrack_proto_udp.c). */
  udpStreamFrom?: number
  /** Where MASQUERADE took its source: a change of the way out ends the connection (nf_nat_core.c, nf_nat_oif_changed). */
  masqueradeDevice?: DeviceName
}

const isIcmp = (t: Tuple): boolean => t.protocol === protocolNumbers.icmp || t.protocol === protocolNumbers.icmpv6

/** IPS_SRC_NAT. An ICMP id stands in `srcPort` in both directions. */
export const isSrcNat = (c: Connection): boolean =>
  c.reply.dst !== c.original.src || (isIcmp(c.original) ? c.reply.srcPort : c.reply.dstPort) !== c.original.srcPort

/** IPS_DST_NAT. */
export const isDstNat = (c: Connection): boolean =>
  c.byIpvs !== true &&
  (c.reply.src !== c.original.dst || (!isIcmp(c.original) && c.reply.srcPort !== c.original.dstPort))
