import { type Tcp, tcpFlag } from '../../packet/packet.ts'
import type { Connection, Direction } from './connection.ts'
import type { ConntrackEnvironment } from './environment.ts'
import type { TcpTracking } from './tcp-state.ts'
import { conntrackSetting } from './timeout.ts'

/** MAXACKWINCONST (nf_conntrack_proto_tcp.c): how far behind an acknowledgement may lag. */
const maxAckWindow = 66000

/** Sequence numbers compare modulo 2^32. */
const before = (a: number, b: number): boolean => ((a - b) | 0) < 0
const after = (a: number, b: number): boolean => before(b, a)

/** One past the last sequence number that the segment occupies; SYN and FIN take one each. */
export function segmentEnd(tcp: Tcp): number {
  const flags = (tcp.flags & tcpFlag.syn ? 1 : 0) + (tcp.flags & tcpFlag.fin ? 1 : 0)
  return (tcp.seq + tcp.data + flags) >>> 0
}

/**
 * tcp_in_window as far as it needs no window sizes: an acknowledgement of data that the other side never sent is
 * invalid; one that lags too far behind passes and changes nothing. Connections taken up midway are not judged.
 */
export function judgeWindow(
  c: Connection,
  t: TcpTracking,
  tcp: Tcp,
  direction: Direction,
  env: ConntrackEnvironment,
): 'accept' | 'ignore' | 'invalid' {
  const sender = t[direction]
  const receiver = t[direction === 'original' ? 'reply' : 'original']
  const end = segmentEnd(tcp)
  const hasAck = (tcp.flags & tcpFlag.ack) !== 0
  if (sender.end === undefined) {
    sender.end = end
    if (!(tcp.flags & tcpFlag.syn)) receiver.end ??= tcp.ack
  } else if (restartsSequence(c.tcpState, direction) && after(end, sender.end)) sender.end = end

  // Some stacks set ACK in a RST and leave the number 0.
  const silent = !hasAck || ((tcp.flags & tcpFlag.rst) !== 0 && tcp.ack === 0)
  const acknowledged = silent ? receiver.end : tcp.ack
  if (acknowledged !== undefined && receiver.end !== undefined && !isLiberal(t, env)) {
    if (after(acknowledged, receiver.end)) return 'invalid'
    if (before(acknowledged, receiver.end - maxAckWindow)) return 'ignore'
  }
  if (after(end, sender.end)) {
    sender.end = end
    sender.unacknowledged = true
  }
  if (acknowledged === receiver.end) receiver.unacknowledged = false
  if (hasAck && (sender.maxAck === undefined || after(tcp.ack, sender.maxAck))) sender.maxAck = tcp.ack
  return 'accept'
}

/**
 * Whether a RST is believed. One whose number lies before what the other side acknowledged is invalid; one beyond it
 * leaves an established connection as it is, since the receiver will challenge it (RFC 5961).
 */
export function judgeReset(
  c: Connection,
  t: TcpTracking,
  tcp: Tcp,
  direction: Direction,
  env: ConntrackEnvironment,
): 'believe' | 'keep-state' | 'invalid' {
  if (isClosing(c.tcpState)) return 'believe'
  const maxAck = t[direction === 'original' ? 'reply' : 'original'].maxAck
  if (maxAck === undefined || t.last?.segment === 'syn') return 'believe'
  const established = c.tcpState === 'ESTABLISHED' && c.assured
  if (tcp.seq === 0 && !established) return 'believe'
  if (before(tcp.seq, maxAck) && conntrackSetting(env.sysctl, 'tcp_ignore_invalid_rst') === 0) return 'invalid'
  if (!established || tcp.seq === maxAck) return 'believe'
  const inTrain = t.last?.segment === 'ack' && t.last.direction === direction && tcp.seq === t.last.end
  return inTrain ? 'believe' : 'keep-state'
}

const restartsSequence = (state: string, direction: Direction): boolean =>
  (state === 'SYN_SENT' && direction === 'original') || (state === 'SYN_RECV' && direction === 'reply')

const isClosing = (state: string): boolean =>
  state === 'FIN_WAIT' || state === 'CLOSE_WAIT' || state === 'LAST_ACK' || state === 'TIME_WAIT' || state === 'CLOSE'

const isLiberal = (t: TcpTracking, env: ConntrackEnvironment): boolean =>
  t.pickedUp || conntrackSetting(env.sysctl, 'tcp_be_liberal') !== 0
