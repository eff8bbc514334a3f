import { familyOf, type Ip, ipv4ToUint32, ipv6Groups } from '../../net/ip.ts'
import { broadcastMac, isGroupMac, type Mac, macAt } from '../../net/mac.ts'
import type { Arp, Frame } from '../../packet/packet.ts'
import type { Skb } from '../skb.ts'

/** A frame inside this kernel: its header, and what it carries with the kernel's notes beside an IP packet. */
export interface Ethernet {
  readonly dst: Mac
  readonly src: Mac
  readonly payload: { readonly kind: 'ip'; readonly skb: Skb } | { readonly kind: 'arp'; readonly arp: Arp }
}

/** What of it is on the wire. */
export function frameOf({ dst, src, payload }: Ethernet): Frame {
  return payload.kind === 'ip'
    ? { dst, src, payload: { kind: 'ip', packet: payload.skb.packet } }
    : { dst, src, payload: { kind: 'arp', arp: payload.arp } }
}

/** eth_type_trans: how the device sees a frame addressed. */
export function addressedTo(dst: Mac, own: Mac): 'host' | 'broadcast' | 'multicast' | 'otherhost' {
  if (dst === broadcastMac) return 'broadcast'
  if (isGroupMac(dst)) return 'multicast'
  return dst === own ? 'host' : 'otherhost'
}

/** The MAC of an IP group address (RFC 1112, RFC 2464). */
export function multicastMac(group: Ip): Mac {
  if (familyOf(group) === 'ipv4') {
    const n = ipv4ToUint32(group)
    return macAt([0x01, 0x00, 0x5e, (n >>> 16) & 0x7f, n >>> 8, n])
  }
  const groups = ipv6Groups(group)
  const [a = 0, b = 0] = [groups[6], groups[7]]
  return macAt([0x33, 0x33, a >>> 8, a, b >>> 8, b])
}

export const isMulticastIp = (address: Ip): boolean =>
  familyOf(address) === 'ipv4' ? ipv4ToUint32(address) >>> 28 === 0xe : address.startsWith('ff')
