import { formatSocketAddress } from '../net/port.ts'
import { type Tcp, tcpFlag } from '../packet/packet.ts'
import { kernelPacket } from './icmp-send.ts'
import { localOut } from './path/output.ts'
import { routeOutput } from './routing.ts'
import { type Skb, skbOf } from './skb.ts'
import {
  awaitsAnother,
  type ConnectedSocket,
  close,
  connect,
  endsAt,
  findConnected,
  findListener,
} from './socket-table.ts'
import { drop, type Work } from './work.ts'

const { syn, ack, rst } = tcpFlag
/** Options of a Linux SYN and SYN,ACK: MSS, SACK permitted, timestamps, window scale. */
const synOptions = 20
const timestampOptions = 12

/** tcp_v4_rcv: a connected socket, then a listening one, else RST. */
export function tcpReceive(work: Work, skb: Skb, tcp: Tcp): void {
  const { sockets } = work.ns
  const ends = endsAt(skb.packet, tcp)
  const connected = findConnected(sockets, ends)
  if (connected) {
    toConnected(work, skb, tcp, connected)
    return
  }
  const listener = findListener(sockets, 'tcp', ends.local, ends.localPort)
  const opens = (tcp.flags & (syn | ack | rst)) === syn
  if (!listener || !opens) {
    refuse(work, skb, tcp)
    return
  }
  tellDelivered(work, skb, listener.owner, true)
  connect(sockets, { ends, owner: listener.owner, state: 'syn-received' })
  answer(work, skb, tcp, syn | ack, synOptions)
}

function tellDelivered(work: Work, { packet }: Skb, owner: string, listening: boolean): void {
  work.emit({ kind: 'socket-receive', packet, owner, listening })
  work.outputs.push({ kind: 'deliver', owner, listening, packet })
}

function toConnected(work: Work, skb: Skb, tcp: Tcp, socket: ConnectedSocket): void {
  const { packet } = skb
  if (tcp.flags & rst) {
    close(work.ns.sockets, socket.ends)
    work.emit({ kind: 'socket-receive', packet, owner: socket.owner, listening: false })
    const errno = 'ECONNREFUSED'
    if (socket.state !== 'syn-sent') return
    work.emit({ kind: 'socket-error', errno, owner: socket.owner, why: `${packet.src} answered with RST` })
    work.outputs.push({ kind: 'error', owner: socket.owner, errno })
    return
  }
  if (socket.state === 'syn-sent') {
    whileConnecting(work, skb, tcp, socket)
    return
  }
  if (tcp.flags & syn) {
    // A SYN again is answered again, one in an open connection with an ACK (RFC 5961).
    const again = socket.state === 'syn-received'
    answer(work, skb, tcp, again ? syn | ack : ack, again ? synOptions : timestampOptions)
    return
  }
  socket.state = 'established'
  if (tcp.data > 0 || tcp.flags & tcpFlag.fin) {
    tellDelivered(work, skb, socket.owner, false)
    return
  }
  work.emit({ kind: 'socket-receive', packet, owner: socket.owner, listening: false })
}

function whileConnecting(work: Work, skb: Skb, tcp: Tcp, socket: ConnectedSocket): void {
  if ((tcp.flags & (syn | ack)) !== (syn | ack)) {
    refuse(work, skb, tcp)
    return
  }
  socket.state = 'established'
  tellDelivered(work, skb, socket.owner, false)
  if (work.ns.options.completeHandshake) answer(work, skb, tcp, ack, timestampOptions, socket.ttl)
}

/** tcp_v4_send_reset: to what no socket wants, unless it is a RST itself. */
function refuse(work: Work, skb: Skb, tcp: Tcp): void {
  const { packet } = skb
  const waiting = awaitsAnother(work.ns.sockets, endsAt(packet, tcp))
  const silent = (tcp.flags & rst) !== 0
  work.emit({ kind: 'socket-none', packet, answer: silent ? 'none' : 'rst' })
  const here = formatSocketAddress(packet.dst, tcp.dstPort)
  if (waiting) {
    const { remote, remotePort } = waiting.ends
    const detail = `${waiting.owner} at ${here} awaits ${formatSocketAddress(remote, remotePort)}, not ${formatSocketAddress(packet.src, tcp.srcPort)}`
    drop(work, 'unexpected-peer', packet, detail)
  } else drop(work, 'not-listening', packet, `no TCP socket at ${here}`)
  if (!silent) sendTo(work, skb, resetOf(tcp))
}

/** RFC 9293, 3.5.2: what a reset says depends on whether the segment acknowledged anything. */
export function resetOf(tcp: Tcp): Tcp {
  const ports = { srcPort: tcp.dstPort, dstPort: tcp.srcPort, options: 0, data: 0 }
  if (tcp.flags & ack) return { kind: 'tcp', ...ports, flags: rst, seq: tcp.ack, ack: 0 }
  return { kind: 'tcp', ...ports, flags: rst | ack, seq: 0, ack: after(tcp) }
}

const after = (tcp: Tcp): number =>
  (tcp.seq + tcp.data + (tcp.flags & syn ? 1 : 0) + (tcp.flags & tcpFlag.fin ? 1 : 0)) >>> 0

function answer(work: Work, skb: Skb, tcp: Tcp, flags: number, options: number, ttl?: number): void {
  const seq = flags & syn ? 0 : tcp.ack
  const { srcPort: dstPort, dstPort: srcPort } = tcp
  sendTo(work, skb, { kind: 'tcp', srcPort, dstPort, flags, seq, ack: after(tcp), options, data: 0 }, ttl)
}

function sendTo(work: Work, { packet }: Skb, payload: Tcp, ttl?: number): void {
  const route = routeOutput(work, { src: packet.dst, dst: packet.src, mark: 0 }, 'output')
  if (route.kind === 'error') return
  const reply = kernelPacket(work, packet.dst, packet.src, 0, payload)
  localOut(work, skbOf({ ...reply, df: true, ttl: ttl ?? reply.ttl }), route.dst)
}
