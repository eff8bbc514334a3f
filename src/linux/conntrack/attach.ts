import type { Skb } from '../skb.ts'

/**
 * nf_conntrack_attach: an ICMP error or RST that the kernel makes belongs to the connection of the packet that caused it,
 * as RELATED in the other direction, even while that connection is not in the table. Spread it into the answer's skb.
 */
export function attachmentOf(cause: Skb): Pick<Skb, 'connection' | 'ctinfo'> {
  const { connection, ctinfo } = cause
  if (!connection || !ctinfo || !('direction' in ctinfo)) return { connection: undefined, ctinfo: undefined }
  const direction = ctinfo.direction === 'original' ? 'reply' : 'original'
  return { connection, ctinfo: { state: 'RELATED', direction } }
}
