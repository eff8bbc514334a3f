/** Transport protocols that Services, policies and rules name. Lower case, as iptables and kube-proxy write them. */
export type TransportProtocol = 'tcp' | 'udp' | 'sctp'
export type Protocol = TransportProtocol | 'icmp' | 'icmpv6'

export const isTransportProtocol = (text: string): text is TransportProtocol =>
  text === 'tcp' || text === 'udp' || text === 'sctp'

/** IANA protocol numbers of the protocols that kubehop names. The names are its own: /etc/protocols calls 4 `ipencap`. */
export const protocolNumbers = {
  icmp: 1,
  ipip: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  sctp: 132,
} as const

export function parsePort(text: string): number | undefined {
  const n = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  return n >= 0 && n <= 65535 ? n : undefined
}

/** `10.0.0.1:80`, `[fd00::1]:80`. */
export const formatSocketAddress = (ip: string, port: number): string =>
  ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`
