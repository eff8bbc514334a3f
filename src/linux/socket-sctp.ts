import { formatSocketAddress } from '../net/port.ts'
import type { Sctp } from '../packet/packet.ts'
import { kernelPacket } from './icmp-send.ts'
import { localOut } from './path/output.ts'
import { routeOutput } from './routing.ts'
import { type Skb, skbOf } from './skb.ts'
import { awaitsAnother, close, connect, endsAt, findConnected, findListener } from './socket-table.ts'
import { drop, type Work } from './work.ts'

/** sctp_rcv: INIT to a listener is answered with INIT ACK; out of the blue packets with ABORT (RFC 9260, 8.4). */
export function sctpReceive(work: Work, skb: Skb, sctp: Sctp): void {
  const { packet } = skb
  const { sockets } = work.ns
  const ends = endsAt(packet, sctp)
  const connected = findConnected(sockets, ends)
  const listener = connected ? undefined : findListener(sockets, 'sctp', ends.local, ends.localPort)
  if (connected && sctp.chunk !== 'init') {
    const { owner } = connected
    work.emit({ kind: 'socket-receive', packet, owner, listening: false })
    if (sctp.chunk !== 'abort') {
      connected.state = 'established'
      work.outputs.push({ kind: 'deliver', owner, listening: false, packet })
      return
    }
    close(sockets, ends)
    work.emit({ kind: 'socket-error', errno: 'ECONNREFUSED', owner, why: `${packet.src} answered with ABORT` })
    work.outputs.push({ kind: 'error', owner, errno: 'ECONNREFUSED' })
    return
  }
  if (sctp.chunk !== 'init' || (!listener && !connected)) {
    refuse(work, skb, sctp)
    return
  }
  const owner = listener?.owner ?? connected?.owner ?? ''
  work.emit({ kind: 'socket-receive', packet, owner, listening: true })
  work.outputs.push({ kind: 'deliver', owner, listening: true, packet })
  connect(sockets, { ends, owner, state: 'syn-received' })
  answer(work, skb, sctp, 'init-ack')
}

function refuse(work: Work, skb: Skb, sctp: Sctp): void {
  const { packet } = skb
  const silent = sctp.chunk === 'abort'
  const here = formatSocketAddress(packet.dst, sctp.dstPort)
  work.emit({ kind: 'socket-none', packet, answer: silent ? 'none' : 'abort' })
  const waiting = awaitsAnother(work.ns.sockets, endsAt(packet, sctp))
  if (waiting) drop(work, 'unexpected-peer', packet, `${waiting.owner} at ${here} awaits ${waiting.ends.remote}`)
  else drop(work, 'not-listening', packet, `no SCTP socket at ${here}`)
  if (!silent) answer(work, skb, sctp, 'abort')
}

function answer(work: Work, { packet }: Skb, sctp: Sctp, chunk: Sctp['chunk']): void {
  const route = routeOutput(work, { src: packet.dst, dst: packet.src, mark: 0 }, 'output')
  if (route.kind === 'error') return
  const payload: Sctp = { kind: 'sctp', srcPort: sctp.dstPort, dstPort: sctp.srcPort, chunk, data: 0 }
  const reply = kernelPacket(work, packet.dst, packet.src, 0, payload)
  localOut(work, skbOf({ ...reply, df: true }), route.dst)
}
