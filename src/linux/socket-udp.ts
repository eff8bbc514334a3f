import { formatSocketAddress } from '../net/port.ts'
import { packetFamily, type Udp } from '../packet/packet.ts'
import { cause } from './action.ts'
import type { Skb } from './skb.ts'
import { awaitsAnother, endsAt, findConnected, findListener } from './socket-table.ts'
import { drop, type Work } from './work.ts'

/** __udp4_lib_rcv: a connected socket takes its peer's datagrams only; for the rest a listening one, or ICMP. */
export function udpReceive(work: Work, skb: Skb, udp: Udp, broadcast: boolean): void {
  const { packet } = skb
  const { sockets } = work.ns
  const ends = endsAt(packet, udp)
  const connected = findConnected(sockets, ends)
  const listener = connected ? undefined : findListener(sockets, 'udp', ends.local, ends.localPort)
  const owner = connected?.owner ?? listener?.owner
  if (owner !== undefined) {
    const listening = connected === undefined
    work.emit({ kind: 'socket-receive', packet, owner, listening })
    work.outputs.push({ kind: 'deliver', owner, listening, packet })
    return
  }
  const waiting = awaitsAnother(sockets, ends)
  const here = formatSocketAddress(packet.dst, udp.dstPort)
  work.emit({ kind: 'socket-none', packet, answer: broadcast ? 'none' : 'port-unreachable' })
  if (waiting) {
    const { remote, remotePort } = waiting.ends
    const expected = formatSocketAddress(remote, remotePort)
    const detail = `${waiting.owner} at ${here} awaits ${expected}, not ${formatSocketAddress(packet.src, udp.srcPort)}`
    drop(work, 'unexpected-peer', packet, detail)
  } else drop(work, 'not-listening', packet, `no UDP socket at ${here}`)
  if (broadcast) return
  const error = cause(packetFamily(packet), 'portUnreachable', `no socket takes it at ${here}`)
  work.next.push({ kind: 'icmp-error', about: skb, error })
}
