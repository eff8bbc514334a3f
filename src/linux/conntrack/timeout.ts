import type { TcpState } from './tcp-state.ts'

/** Reads a sysctl by its dotted key; undefined where it was never set. */
export type Sysctl = (key: string) => string | undefined

/** net.netfilter.nf_conntrack_* in seconds, as Linux 6.x starts with. */
const defaults = {
  generic_timeout: 600,
  icmp_timeout: 30,
  icmpv6_timeout: 30,
  udp_timeout: 30,
  udp_timeout_stream: 120,
  tcp_timeout_syn_sent: 120,
  tcp_timeout_syn_recv: 60,
  tcp_timeout_established: 432000,
  tcp_timeout_fin_wait: 120,
  tcp_timeout_close_wait: 60,
  tcp_timeout_last_ack: 30,
  tcp_timeout_time_wait: 120,
  tcp_timeout_close: 10,
  tcp_timeout_unacknowledged: 300,
  sctp_timeout_closed: 10,
  sctp_timeout_cookie_wait: 3,
  sctp_timeout_cookie_echoed: 3,
  sctp_timeout_established: 210,
  tcp_loose: 1,
  tcp_be_liberal: 0,
  tcp_ignore_invalid_rst: 0,
  max: 262144,
} as const

export type ConntrackSetting = keyof typeof defaults

/** The value of `net.netfilter.nf_conntrack_<name>`: a count, a flag or seconds. */
export function conntrackSetting(sysctl: Sysctl, name: ConntrackSetting): number {
  const text =
    sysctl(`net.netfilter.nf_conntrack_${name}`) ?? (name === 'max' ? sysctl('net.nf_conntrack_max') : undefined)
  const value = text === undefined ? Number.NaN : Number(text)
  return Number.isFinite(value) && text?.trim() !== '' ? value : defaults[name]
}

export const timeoutMs = (sysctl: Sysctl, name: ConntrackSetting): number => 1000 * conntrackSetting(sysctl, name)

const tcpTimeouts: Readonly<Record<TcpState, ConntrackSetting>> = {
  NONE: 'tcp_timeout_syn_sent',
  SYN_SENT: 'tcp_timeout_syn_sent',
  SYN_RECV: 'tcp_timeout_syn_recv',
  ESTABLISHED: 'tcp_timeout_established',
  FIN_WAIT: 'tcp_timeout_fin_wait',
  CLOSE_WAIT: 'tcp_timeout_close_wait',
  LAST_ACK: 'tcp_timeout_last_ack',
  TIME_WAIT: 'tcp_timeout_time_wait',
  CLOSE: 'tcp_timeout_close',
  SYN_SENT2: 'tcp_timeout_syn_sent',
}

export const tcpTimeoutMs = (sysctl: Sysctl, state: TcpState): number => timeoutMs(sysctl, tcpTimeouts[state])
