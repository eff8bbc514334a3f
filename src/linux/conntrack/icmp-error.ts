import type { IcmpMessage, IpPacket } from '../../packet/packet.ts'
import type { ConntrackEnvironment } from './environment.ts'
import type { Found } from './table.ts'
import { invertTuple, tupleOf } from './tuple.ts'

/** The packet that an ICMP message is about; undefined for messages that quote none. */
export const quotedBy = (message: IcmpMessage): IpPacket | undefined =>
  message.kind === 'error' || message.kind === 'redirect' ? message.quoted : undefined

/**
 * nf_conntrack_inet_error: the connection that an error is about, with the direction in which the error itself travels,
 * or why there is none. The quoted packet went the other way, so its inverted tuple is looked up.
 */
export function relateError(packet: IpPacket, env: ConntrackEnvironment): Found | string {
  const quoted = packet.payload.kind === 'icmp' ? quotedBy(packet.payload.message) : undefined
  const tuple = quoted && tupleOf(quoted)
  if (!tuple) return 'an ICMP error that quotes no flow'
  const found = env.table.find(invertTuple(tuple), env.now)
  if (!found) return `an ICMP error about ${tuple.src} -> ${tuple.dst}, which is no known connection`
  const receiver = found.connection[found.direction].dst
  if (receiver !== packet.dst) return `an ICMP error to ${packet.dst} about a packet that ${receiver} sent`
  return found
}
