import type { Family, Ip } from '../net/ip.ts'
import { familyOf } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import { protocolNumbers } from '../net/port.ts'

/** An Ethernet II frame. Headers nest as they do on the wire, and every value is immutable. */
export interface Frame {
  readonly dst: Mac
  readonly src: Mac
  readonly payload: FramePayload
}

export type FramePayload =
  | { readonly kind: 'ip'; readonly packet: IpPacket }
  | { readonly kind: 'arp'; readonly arp: Arp }

/** RFC 826, for IPv4 over Ethernet. */
export interface Arp {
  readonly op: 'request' | 'reply'
  readonly senderMac: Mac
  readonly senderIp: Ip
  readonly targetMac: Mac
  readonly targetIp: Ip
}

/** An IPv4 (RFC 791) or IPv6 (RFC 8200) packet; the family is that of its addresses. */
export interface IpPacket {
  readonly src: Ip
  readonly dst: Ip
  /** TTL, or hop limit. */
  readonly ttl: number
  /** DSCP and ECN, or traffic class. */
  readonly tos: number
  /** IPv4 identification; 0 where it carries no meaning. */
  readonly id: number
  /** Don't Fragment. IPv6 routers never fragment, so for IPv6 this is always true. */
  readonly df: boolean
  readonly payload: IpPayload
}

export type IpPayload = Tcp | Udp | Sctp | Icmp | Ipip | Fragment | OtherPayload

export interface Tcp {
  readonly kind: 'tcp'
  readonly srcPort: number
  readonly dstPort: number
  /** Bits of `tcpFlag`. */
  readonly flags: number
  readonly seq: number
  readonly ack: number
  /** Bytes of TCP options: 20 in a Linux SYN, 12 once timestamps run, 0 in a RST. */
  readonly options: number
  /** Bytes of payload. */
  readonly data: number
}

export interface Udp {
  readonly kind: 'udp'
  readonly srcPort: number
  readonly dstPort: number
  /** Bytes of payload; ignored where `vxlan` gives the payload. */
  readonly data: number
  readonly vxlan?: Vxlan
  /** An IP packet that a user-space tunnel (flannel's udp backend) carries as the whole payload. */
  readonly tunnelled?: IpPacket
}

/** RFC 7348. */
export interface Vxlan {
  readonly vni: number
  readonly inner: Frame
}

export interface Sctp {
  readonly kind: 'sctp'
  readonly srcPort: number
  readonly dstPort: number
  readonly chunk: 'init' | 'init-ack' | 'abort' | 'data'
  readonly data: number
}

/** ICMP (RFC 792) or ICMPv6 (RFC 4443), by the family of the packet around it. */
export interface Icmp {
  readonly kind: 'icmp'
  readonly message: IcmpMessage
}

export type IcmpMessage =
  | { readonly kind: 'echo-request' | 'echo-reply'; readonly id: number; readonly seq: number; readonly data: number }
  | IcmpError
  | { readonly kind: 'redirect'; readonly code: number; readonly gateway: Ip; readonly quoted: IpPacket }
  | { readonly kind: 'neighbour-solicitation'; readonly target: Ip; readonly sourceMac?: Mac }
  | {
      readonly kind: 'neighbour-advertisement'
      readonly target: Ip
      readonly targetMac: Mac
      readonly solicited: boolean
      readonly override: boolean
    }

/** An error that quotes the packet it is about. Type and code are the numbers of the packet's own family. */
export interface IcmpError {
  readonly kind: 'error'
  readonly type: number
  readonly code: number
  /** Next-hop MTU of Fragmentation Needed and Packet Too Big. */
  readonly mtu?: number
  readonly quoted: IpPacket
  /** Bytes that are quoted, where a program quotes fewer than Linux would. */
  readonly quotedBytes?: number
}

/** IP in IP: protocol 4 (RFC 2003), or 41 around IPv6 (RFC 4213). */
export interface Ipip {
  readonly kind: 'ipip'
  readonly inner: IpPacket
}

/** A piece of `whole`. Offset and length count bytes of its IP payload. */
export interface Fragment {
  readonly kind: 'fragment'
  readonly whole: IpPacket
  readonly offset: number
  readonly length: number
  readonly more: boolean
}

export interface OtherPayload {
  readonly kind: 'other'
  readonly protocol: number
  readonly data: number
}

/** Bits of the TCP flags octet (RFC 9293). */
export const tcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32 } as const

export const packetFamily = (p: IpPacket): Family => familyOf(p.src)

/** IANA protocol number of the payload. A fragment has the number of its whole. */
export function protocolNumber(packet: IpPacket): number {
  const { payload } = packet
  switch (payload.kind) {
    case 'icmp':
      return packetFamily(packet) === 'ipv4' ? protocolNumbers.icmp : protocolNumbers.icmpv6
    case 'fragment':
      return protocolNumber(payload.whole)
    case 'other':
      return payload.protocol
    case 'ipip':
      return packetFamily(payload.inner) === 'ipv4' ? protocolNumbers.ipip : protocolNumbers.ipv6
    case 'tcp':
    case 'udp':
    case 'sctp':
      return protocolNumbers[payload.kind]
  }
}
