import { parseIp } from '../../net/ip.ts'
import { canonicalProtocol, protocolNumberOf } from '../iptables/protocol.ts'
import { parsePortName } from '../iptables/value.ts'

/** Types of nftables values (nft(8), DATA TYPES), as far as they are read. */
export type DataType =
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'inet_proto'
  | 'inet_service'
  | 'mark'
  | 'ifname'
  | 'iface_index'
  | 'fib_addrtype'
  | 'ct_state'
  | 'ct_status'
  | 'ct_dir'
  | 'icmp_type'
  | 'icmpv6_type'
  | 'icmp_code'
  | 'icmpv6_code'
  | 'nf_proto'
  | 'ether_type'
  | 'ether_addr'
  | 'pkt_type'
  | 'tcp_flag'
  | 'integer'

/** Names and numbers, in the order in which nft prints the bits of one value. */
export const symbols = {
  fib_addrtype: {
    unspec: 0,
    unicast: 1,
    local: 2,
    broadcast: 3,
    anycast: 4,
    multicast: 5,
    blackhole: 6,
    unreachable: 7,
    prohibit: 8,
  },
  ct_state: { invalid: 1, new: 8, established: 2, related: 4, untracked: 64 },
  ct_status: { expected: 1, 'seen-reply': 2, assured: 4, confirmed: 8, snat: 16, dnat: 32, dying: 512 },
  ct_dir: { original: 0, reply: 1 },
  icmp_type: {
    'echo-reply': 0,
    'destination-unreachable': 3,
    'source-quench': 4,
    redirect: 5,
    'echo-request': 8,
    'router-advertisement': 9,
    'router-solicitation': 10,
    'time-exceeded': 11,
    'parameter-problem': 12,
    'timestamp-request': 13,
    'timestamp-reply': 14,
    'info-request': 15,
    'info-reply': 16,
    'address-mask-request': 17,
    'address-mask-reply': 18,
  },
  icmpv6_type: {
    'destination-unreachable': 1,
    'packet-too-big': 2,
    'time-exceeded': 3,
    'parameter-problem': 4,
    'echo-request': 128,
    'echo-reply': 129,
    'mld-listener-query': 130,
    'mld-listener-report': 131,
    'mld-listener-done': 132,
    'nd-router-solicit': 133,
    'nd-router-advert': 134,
    'nd-neighbor-solicit': 135,
    'nd-neighbor-advert': 136,
    'nd-redirect': 137,
    'mld2-listener-report': 143,
  },
  icmp_code: {
    'net-unreachable': 0,
    'host-unreachable': 1,
    'prot-unreachable': 2,
    'port-unreachable': 3,
    'frag-needed': 4,
    'net-prohibited': 9,
    'host-prohibited': 10,
    'admin-prohibited': 13,
  },
  icmpv6_code: { 'no-route': 0, 'admin-prohibited': 1, 'addr-unreachable': 3, 'port-unreachable': 4 },
  nf_proto: { ipv4: 2, ipv6: 10 },
  ether_type: { ip: 0x0800, arp: 0x0806, ip6: 0x86dd, vlan: 0x8100 },
  pkt_type: { host: 0, unicast: 0, broadcast: 1, multicast: 2, other: 3 },
  tcp_flag: { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ecn: 64, cwr: 128 },
} as const satisfies Partial<Record<DataType, Readonly<Record<string, number>>>>

export const dataTypes: ReadonlySet<string> = new Set<DataType>([
  ...(Object.keys(symbols) as DataType[]),
  'ipv4_addr',
  'ipv6_addr',
  'inet_proto',
  'inet_service',
  'mark',
  'ifname',
  'iface_index',
  'ether_addr',
  'integer',
])

export const isDataType = (text: string): text is DataType => dataTypes.has(text)

/** Several flags may stand in one value: `established,related`. */
export const isFlagType = (type: DataType): boolean =>
  type === 'ct_state' || type === 'ct_status' || type === 'tcp_flag'

export const isQuoted = (type: DataType): boolean => type === 'ifname' || type === 'iface_index'

export function symbolsOf(type: DataType): Readonly<Record<string, number>> | undefined {
  return type in symbols ? symbols[type as keyof typeof symbols] : undefined
}

export const formatMark = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, '0')}`

/** The text that `nft list` prints for a value of the type; undefined where it is none. Equal values have equal texts. */
export function canonical(type: DataType, text: string): string | undefined {
  switch (type) {
    case 'ipv4_addr':
    case 'ipv6_addr': {
      const ip = parseIp(text)
      return ip !== undefined && ip.includes(':') === (type === 'ipv6_addr') ? ip : undefined
    }
    case 'inet_proto':
      return protocolNumberOf(text) === undefined ? undefined : canonicalProtocol(text)
    case 'inet_service': {
      const port = parsePortName(text)
      return port === undefined ? undefined : String(port)
    }
    case 'mark': {
      const value = wholeNumber(text)
      return value === undefined || value > 0xffffffff ? undefined : formatMark(value)
    }
    case 'integer': {
      const value = wholeNumber(text)
      return value === undefined ? undefined : String(value)
    }
    case 'ifname':
    case 'iface_index':
      return text === '' || text.length > 15 ? undefined : text
    case 'ether_addr':
      return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? text.toLowerCase() : undefined
    default:
      return canonicalSymbol(type, text)
  }
}

function canonicalSymbol(type: DataType, text: string): string | undefined {
  const names = symbolsOf(type) ?? {}
  if (Object.hasOwn(names, text)) return text
  const number = wholeNumber(text)
  if (number === undefined) return undefined
  return Object.keys(names).find((name) => names[name] === number) ?? String(number)
}

export const wholeNumber = (text: string): number | undefined =>
  /^(0x[0-9a-f]{1,12}|\d{1,15})$/i.test(text) ? Number(text) : undefined

/** The number behind a canonical text: what sets are sorted by, and bits are tested with. */
export function numberOf(type: DataType, text: string): number {
  switch (type) {
    case 'inet_proto':
      return protocolNumberOf(text) ?? 0
    default:
      return symbolsOf(type)?.[text] ?? wholeNumber(text) ?? 0
  }
}
