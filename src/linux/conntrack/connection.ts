import type { Ip } from '../../net/ip.ts'

/** One direction of a flow. For ICMP echo, `srcPort` is the id and `dstPort` is 0 in both directions. */
export interface Tuple {
  readonly protocol: number
  readonly src: Ip
  readonly dst: Ip
  readonly srcPort: number
  readonly dstPort: number
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
  mark: number
  /** TCP tracking state (nf_conntrack_proto_tcp.c), or `none`. */
  tcpState: string
  /** Virtual time in ms at which the entry expires. */
  expires: number
}

export const isSrcNat = (c: Connection): boolean =>
  c.reply.dst !== c.original.src || c.reply.dstPort !== c.original.srcPort
export const isDstNat = (c: Connection): boolean =>
  c.reply.src !== c.original.dst || c.reply.srcPort !== c.original.dstPort
