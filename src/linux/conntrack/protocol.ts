import type { IpPacket, Sctp } from '../../packet/packet.ts'
import type { Connection, Direction } from './connection.ts'
import { type ConntrackEnvironment, invalid, type Tracked, tracked } from './environment.ts'
import { trackTcp } from './tcp.ts'
import { timeoutMs } from './timeout.ts'
import { echoTypes } from './tuple.ts'

/** Judges a packet by the rules of its protocol and renews the connection's timeout (nf_conntrack_handle_packet). */
export function trackProtocol(
  c: Connection,
  packet: IpPacket,
  direction: Direction,
  env: ConntrackEnvironment,
): Tracked {
  const payload = packet.payload.kind === 'fragment' ? packet.payload.whole.payload : packet.payload
  switch (payload.kind) {
    case 'tcp':
      return trackTcp(c, payload, direction, env)
    case 'udp':
      return trackUdp(c, env)
    case 'sctp':
      return trackSctp(c, payload, direction, env)
    case 'icmp':
      return trackEcho(c, env)
    case 'ipip':
    case 'other':
    case 'fragment':
      c.expires = env.now + timeoutMs(env.sysctl, 'generic_timeout')
      return tracked
  }
}

/** Both ways for more than two seconds is a stream: it lasts longer and is not evicted (nf_conntrack_proto_udp.c). */
function trackUdp(c: Connection, env: ConntrackEnvironment): Tracked {
  if (!c.confirmed) c.udpStreamFrom = env.now + 2000
  const stream = c.seenReply && env.now > (c.udpStreamFrom ?? 0)
  if (stream) c.assured = true
  c.expires = env.now + timeoutMs(env.sysctl, stream ? 'udp_timeout_stream' : 'udp_timeout')
  return tracked
}

/** Only an echo request begins a connection (nf_conntrack_proto_icmp.c). */
function trackEcho(c: Connection, env: ConntrackEnvironment): Tracked {
  const { icmpType } = c.original
  if (icmpType !== echoTypes.ipv4.request && icmpType !== echoTypes.ipv6.request) {
    return invalid('an echo reply to no known request')
  }
  c.expires = env.now + timeoutMs(env.sysctl, icmpType === echoTypes.ipv4.request ? 'icmp_timeout' : 'icmpv6_timeout')
  return tracked
}

/**
 * The chunks that our packets know, after the table of nf_conntrack_proto_sctp.c: INIT opens, its answer goes on, ABORT
 * closes, data changes nothing and begins nothing.
 */
function trackSctp(c: Connection, sctp: Sctp, direction: Direction, env: ConntrackEnvironment): Tracked {
  if (!c.confirmed && (sctp.chunk === 'abort' || sctp.chunk === 'data')) {
    return invalid(`an SCTP ${sctp.chunk.toUpperCase()} of no known association`)
  }
  if (sctp.chunk === 'abort') c.tcpState = 'CLOSED'
  else if (sctp.chunk === 'init-ack' && direction === 'reply' && c.tcpState === 'CLOSED') c.tcpState = 'COOKIE_WAIT'
  else if (c.tcpState === 'none' || c.tcpState === 'NONE') c.tcpState = 'CLOSED'
  const timeout = c.tcpState === 'ESTABLISHED' ? 'established' : c.tcpState === 'COOKIE_WAIT' ? 'cookie_wait' : 'closed'
  c.expires = env.now + timeoutMs(env.sysctl, `sctp_timeout_${timeout}`)
  return tracked
}
