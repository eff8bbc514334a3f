import { protocolNumbers } from '../../net/port.ts'
import { type Tcp, tcpFlag } from '../../packet/packet.ts'
import type { Connection, Direction } from './connection.ts'
import { type ConntrackEnvironment, invalid, type Tracked, tracked } from './environment.ts'
import {
  hasValidFlags,
  isTcpState,
  type TcpSegment,
  type TcpState,
  type TcpTracking,
  tcpSegmentOf,
  tcpStep,
  unseenSide,
} from './tcp-state.ts'
import { judgeReset, judgeWindow, segmentEnd } from './tcp-window.ts'
import { conntrackSetting, tcpTimeoutMs, timeoutMs } from './timeout.ts'

/** nf_conntrack_tcp_packet (net/netfilter/nf_conntrack_proto_tcp.c) without window sizes, which our segments do not carry. */
export function trackTcp(c: Connection, tcp: Tcp, direction: Direction, env: ConntrackEnvironment): Tracked {
  if (!hasValidFlags(tcp.flags)) return invalid('no TCP sends this combination of flags')
  const segment = tcpSegmentOf(tcp.flags)
  const started = c.confirmed ? undefined : startTcp(c, segment, env)
  if (started) return started
  const tracking = c.tcp ?? midstream(c.tcpState)
  c.tcp = tracking
  const before: TcpState = isTcpState(c.tcpState) ? c.tcpState : 'NONE'
  const step = tcpStep(direction, segment, before)

  if (step === 'invalid') return invalid(`a ${segmentNames[segment]} does not fit ${before} (${direction} direction)`)
  if (step === 'SYN_SENT' && (before === 'TIME_WAIT' || before === 'CLOSE') && mayReopen(tracking, direction)) {
    return { kind: 'repeat' }
  }
  let after: TcpState
  if (step === 'ignore' || (step === 'SYN_SENT' && (before === 'TIME_WAIT' || before === 'CLOSE'))) {
    if (!answersIgnoredSyn(tracking, tcp, segment, direction)) {
      tracking.last = { segment, direction, end: segmentEnd(tcp) }
      return tracked
    }
    resynchronise(tracking, direction)
    after = 'SYN_RECV'
  } else after = settleState(tracking, step, segment, direction)

  if (segment === 'rst') {
    const judged = judgeReset(c, tracking, tcp, direction, env)
    if (judged === 'invalid') return invalid('the sequence number of the RST lies before what was acknowledged')
    if (judged === 'keep-state') after = before
  }
  const judged = judgeWindow(c, tracking, tcp, direction, env)
  if (judged === 'invalid') return invalid('it acknowledges data that was never seen')
  if (judged === 'ignore') return tracked
  return advance(c, tracking, tcp, { before, after, segment, direction }, env)
}

/** nf_conntrack_tcp_set_closing: this machine answers for one side with a RST, which no hook here sees as received. */
export function closeByReset(c: Connection, env: ConntrackEnvironment): void {
  if (c.original.protocol !== protocolNumbers.tcp || c.tcpState === 'CLOSE') return
  c.tcpState = 'CLOSE'
  c.expires = env.now + tcpTimeoutMs(env.sysctl, 'CLOSE')
}

interface Move {
  readonly before: TcpState
  readonly after: TcpState
  readonly segment: TcpSegment
  readonly direction: Direction
}

const segmentNames: Readonly<Record<TcpSegment, string>> = {
  syn: 'SYN',
  'syn-ack': 'SYN-ACK',
  fin: 'FIN',
  ack: 'ACK',
  rst: 'RST',
  none: 'segment without flags',
}

const untouched = (): TcpTracking => ({
  original: unseenSide(),
  reply: unseenSide(),
  last: undefined,
  pickedUp: false,
  closing: false,
  simultaneousOpen: false,
})

/** An entry that was there before the first packet: its sequence numbers are unknown. */
const midstream = (state: string): TcpTracking => ({
  ...untouched(),
  pickedUp: true,
  closing: ['FIN_WAIT', 'CLOSE_WAIT', 'LAST_ACK', 'TIME_WAIT', 'CLOSE'].includes(state),
})

/** tcp_new: only a SYN, or with tcp_loose an ACK, begins a connection. */
function startTcp(c: Connection, segment: TcpSegment, env: ConntrackEnvironment): Tracked | undefined {
  const first = tcpStep('original', segment, 'NONE')
  if (first === 'invalid' || first === 'ignore') {
    return invalid(`a ${segmentNames[segment]} of no known connection`)
  }
  if (c.tcp !== undefined) return undefined
  if (first !== 'SYN_SENT' && conntrackSetting(env.sysctl, 'tcp_loose') === 0) {
    return invalid(`a ${segmentNames[segment]} of no known connection, and nf_conntrack_tcp_loose is 0`)
  }
  c.tcp = { ...untouched(), pickedUp: first !== 'SYN_SENT' }
  return undefined
}

const mayReopen = (t: TcpTracking, direction: Direction): boolean =>
  t.closing || (t.last?.direction === direction && t.last.segment === 'rst')

/** The server confirms a SYN that was let pass without being believed: both ends agree, and the entry was out of date. */
const answersIgnoredSyn = (t: TcpTracking, tcp: Tcp, segment: TcpSegment, direction: Direction): boolean =>
  segment === 'syn-ack' && t.last?.segment === 'syn' && t.last.direction !== direction && tcp.ack === t.last.end

function resynchronise(t: TcpTracking, direction: Direction): void {
  t[direction] = unseenSide()
  t[direction === 'original' ? 'reply' : 'original'] = { ...unseenSide(), end: t.last?.end }
}

function settleState(t: TcpTracking, step: TcpState, segment: TcpSegment, direction: Direction): TcpState {
  if (step === 'SYN_SENT2') t.simultaneousOpen = true
  if (step === 'SYN_RECV' && direction === 'reply' && segment === 'ack' && t.simultaneousOpen) return 'ESTABLISHED'
  return step
}

/** The packet is in order: the new state, its timeout, and whether the entry is now assured, or gone. */
function advance(c: Connection, t: TcpTracking, tcp: Tcp, move: Move, env: ConntrackEnvironment): Tracked {
  const { before, after, segment, direction } = move
  t.last = { segment, direction, end: segmentEnd(tcp) }
  c.tcpState = after
  if (before !== after && after === 'FIN_WAIT') t.closing = true
  let timeout = tcpTimeoutMs(env.sysctl, segment === 'rst' ? 'CLOSE' : after)
  const unacknowledged = timeoutMs(env.sysctl, 'tcp_timeout_unacknowledged')
  if (t.original.unacknowledged || t.reply.unacknowledged) timeout = Math.min(timeout, unacknowledged)
  if (!c.seenReply) {
    // A RST as the only answer: there is no connection to remember.
    if (tcp.flags & tcpFlag.rst && c.confirmed) return { kind: 'destroy', why: 'refused: RST is the only answer' }
    // A repeated SYN does not keep the entry alive.
    if (segment === 'syn' && before === 'SYN_SENT' && c.confirmed) return tracked
    if (after === 'ESTABLISHED') timeout = Math.min(timeout, unacknowledged)
  } else if ((before === 'SYN_RECV' || before === 'ESTABLISHED') && after === 'ESTABLISHED') c.assured = true
  c.expires = env.now + timeout
  return tracked
}
