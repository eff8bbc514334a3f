import { tcpFlag } from '../../packet/packet.ts'
import type { Direction } from './connection.ts'

/** What a segment is to the state machine (get_conntrack_index, nf_conntrack_proto_tcp.c): RST first, then SYN, FIN, ACK. */
export type TcpSegment = 'syn' | 'syn-ack' | 'fin' | 'ack' | 'rst' | 'none'

/** As `conntrack -L` prints them. */
export type TcpState =
  | 'NONE'
  | 'SYN_SENT'
  | 'SYN_RECV'
  | 'ESTABLISHED'
  | 'FIN_WAIT'
  | 'CLOSE_WAIT'
  | 'LAST_ACK'
  | 'TIME_WAIT'
  | 'CLOSE'
  | 'SYN_SENT2'

/** `invalid`: the packet belongs to no connection. `ignore`: it passes, and changes nothing. */
export type TcpStep = TcpState | 'ignore' | 'invalid'

/** What was seen of one side: sequence numbers modulo 2^32. */
export interface TcpSide {
  /** One past the highest sequence number sent. */
  end: number | undefined
  /** The highest acknowledgement sent. */
  maxAck: number | undefined
  /** It has sent data that the other side has not acknowledged in full. */
  unacknowledged: boolean
}

export const unseenSide = (): TcpSide => ({ end: undefined, maxAck: undefined, unacknowledged: false })

export interface TcpTracking {
  original: TcpSide
  reply: TcpSide
  last: { segment: TcpSegment; direction: Direction; end: number } | undefined
  /** Taken up without its SYN (tcp_loose): its sequence numbers are not judged. */
  pickedUp: boolean
  /** A side has closed in order, so a SYN may open the same tuple again. */
  closing: boolean
  simultaneousOpen: boolean
}

export function tcpSegmentOf(flags: number): TcpSegment {
  if (flags & tcpFlag.rst) return 'rst'
  if (flags & tcpFlag.syn) return flags & tcpFlag.ack ? 'syn-ack' : 'syn'
  if (flags & tcpFlag.fin) return 'fin'
  return flags & tcpFlag.ack ? 'ack' : 'none'
}

const { fin, syn, rst, ack, urg } = tcpFlag
const validFlags: ReadonlySet<number> = new Set([
  syn,
  syn | urg,
  syn | ack,
  rst,
  rst | ack,
  fin | ack,
  fin | ack | urg,
  ack,
  ack | urg,
])

/** Combinations that no stack sends (a lone FIN, SYN with FIN, none at all) are invalid before any state is looked at. */
export const hasValidFlags = (flags: number): boolean => validFlags.has(flags & (fin | syn | rst | ack | urg))

const columns = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
] as const satisfies readonly TcpState[]

const steps: Readonly<Record<string, TcpStep>> = {
  SS: 'SYN_SENT',
  SR: 'SYN_RECV',
  ES: 'ESTABLISHED',
  FW: 'FIN_WAIT',
  CW: 'CLOSE_WAIT',
  LA: 'LAST_ACK',
  TW: 'TIME_WAIT',
  CL: 'CLOSE',
  S2: 'SYN_SENT2',
  '..': 'ignore',
  '--': 'invalid',
}

/** The column is the state before, in the order of `columns`; the cell is the state after. */
const transitions: Readonly<Record<Direction, Readonly<Record<TcpSegment, readonly TcpStep[]>>>> = {
  original: {
    syn: row('SS SS .. .. .. .. .. SS SS S2'),
    'syn-ack': row('-- -- .. .. .. .. .. .. .. SR'),
    fin: row('-- -- FW FW LA LA LA TW CL --'),
    ack: row('ES -- ES ES CW CW TW TW CL --'),
    rst: row('-- CL CL CL CL CL CL CL CL CL'),
    none: row('-- -- -- -- -- -- -- -- -- --'),
  },
  reply: {
    syn: row('-- S2 -- -- -- -- -- SS -- S2'),
    'syn-ack': row('-- SR .. .. .. .. .. .. .. SR'),
    fin: row('-- -- FW FW LA LA LA TW CL --'),
    ack: row('-- .. SR ES CW CW TW TW CL ..'),
    rst: row('-- CL CL CL CL CL CL CL CL CL'),
    none: row('-- -- -- -- -- -- -- -- -- --'),
  },
}

export const tcpStep = (direction: Direction, segment: TcpSegment, state: TcpState): TcpStep =>
  transitions[direction][segment][columns.indexOf(state)] ?? 'invalid'

export const isTcpState = (text: string): text is TcpState => (columns as readonly string[]).includes(text)

function row(cells: string): readonly TcpStep[] {
  return cells.split(' ').map((cell) => steps[cell] ?? 'invalid')
}
