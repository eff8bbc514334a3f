import { familyOf, type Ip, ip } from '../net/ip.ts'
import { isLinkLocal } from './addresses.ts'
import { isMulticastIp } from './device/ethernet.ts'
import type { Errno } from './event.ts'
import type { SendRequest } from './kernel.ts'
import { type Dst, isLoopbackIp, limitedBroadcast } from './routing.ts'

/** Why a system call fails whatever the routes are, or are like. */
export interface Refusal {
  readonly errno: Errno
  readonly why: string
}

const isUnspecified = (address: Ip): boolean => address === '0.0.0.0' || address === '::'

/** Whether the address can be nobody's else: of this host, of a group, or of nobody. */
export const isNoHost = (address: Ip): boolean =>
  isUnspecified(address) ||
  isLoopbackIp(address) ||
  isMulticastIp(address) ||
  isLinkLocal(address) ||
  address === limitedBroadcast

/**
 * The unspecified address means this host: the socket's own address, else the loopback address (ip_route_output_key_hash_rcu
 * in net/ipv4/route.c); IPv6 takes the loopback address always (tcp_v6_connect, __ip6_datagram_connect).
 */
export function meantAddress({ src, dst }: SendRequest): Ip {
  if (!isUnspecified(dst)) return dst
  return familyOf(dst) === 'ipv6' ? ip('::1') : (src ?? ip('127.0.0.1'))
}

/** Before a route is looked up: groups are nobody to connect to, and link-local scope needs a device (RFC 4007). */
export function refusedUnrouted({ payload, dst }: SendRequest): Refusal | undefined {
  if (familyOf(dst) === 'ipv4') return undefined
  if (payload.kind === 'tcp' && isMulticastIp(dst)) return noConnection('ENETUNREACH', dst, 'multicast')
  if (!isLinkLocal(dst) && !/^ff[0-9a-f][12]:/.test(dst)) return undefined
  return { errno: 'EINVAL', why: `${dst} is of link scope, and the socket is bound to no device` }
}

/** tcp_v4_connect, sctp_verify_addr, and what udp_sendmsg and raw_sendmsg ask SO_BROADCAST for. */
export function refusedRouted({ payload, dst, broadcast }: SendRequest, { kind }: Dst): Refusal | undefined {
  if (kind !== 'broadcast' && kind !== 'multicast') return undefined
  if (payload.kind === 'tcp') return noConnection('ENETUNREACH', dst, kind)
  if (payload.kind === 'sctp') return noConnection('EINVAL', dst, kind)
  if (kind === 'multicast' || broadcast) return undefined
  return { errno: 'EACCES', why: `${dst} is a broadcast address, and the socket has no SO_BROADCAST` }
}

const noConnection = (errno: Errno, dst: Ip, kind: string): Refusal => ({
  errno,
  why: `${dst} is a ${kind} address: no connection goes there`,
})
