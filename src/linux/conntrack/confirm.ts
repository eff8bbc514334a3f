import type { Skb } from '../skb.ts'
import type { Connection, Tuple } from './connection.ts'
import type { ConntrackEnvironment } from './environment.ts'
import { lookUp, sameFlow } from './track.ts'

export type ConfirmResult =
  | { readonly kind: 'accept'; readonly skb: Skb }
  /** Another connection came first to this tuple. */
  | { readonly kind: 'clash'; readonly tuple: Tuple; readonly winner: Connection }

/**
 * __nf_conntrack_confirm: the first packet leaves the machine or reaches its socket, and its connection enters the table.
 * Answers made on the way (an ICMP error, a RST) confirm nothing. Two UDP packets that raced share the first one's entry.
 */
export function confirm(skb: Skb, env: ConntrackEnvironment): ConfirmResult {
  const { connection, ctinfo } = skb
  if (!connection || connection.confirmed || !ctinfo || !('direction' in ctinfo) || ctinfo.direction !== 'original') {
    return { kind: 'accept', skb }
  }
  for (const tuple of [connection.original, connection.reply]) {
    const winner = lookUp(env, tuple)?.connection
    if (!winner) continue
    if (skb.packet.payload.kind === 'udp' && sameFlow(winner, connection)) {
      return { kind: 'accept', skb: { ...skb, connection: winner } }
    }
    env.emit({ kind: 'conntrack-clash', tuple })
    return { kind: 'clash', tuple, winner }
  }
  connection.confirmed = true
  env.table.insert(connection)
  const { id, original, reply } = connection
  env.emit({ kind: 'conntrack-confirm', connection: id, original, reply })
  return { kind: 'accept', skb }
}
