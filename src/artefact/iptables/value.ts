import type { Family, Ip } from '../../net/ip.ts'
import { compareIps, familyOf, parseIp } from '../../net/ip.ts'
import { parsePort } from '../../net/port.ts'
import { formatPrefix, isHostPrefix, networkOf, type Prefix, parsePrefix } from '../../net/prefix.ts'
import type { IpRange, MaskedValue, Negatable, PortRange } from './rule.ts'

/** Ports that people write by name (IANA, /etc/services). iptables-save prints numbers. */
const servicePorts: Readonly<Record<string, number>> = {
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  bootps: 67,
  bootpc: 68,
  tftp: 69,
  http: 80,
  www: 80,
  kerberos: 88,
  pop3: 110,
  sunrpc: 111,
  ntp: 123,
  imap2: 143,
  imap: 143,
  snmp: 161,
  bgp: 179,
  ldap: 389,
  https: 443,
  submission: 587,
  ldaps: 636,
  'iscsi-target': 3260,
  nfs: 2049,
  mysql: 3306,
  postgresql: 5432,
  sip: 5060,
  'http-alt': 8080,
}

export const portExpected = 'a port from 0 to 65535'
export const portRangeExpected = 'a port, or two with a colon between, from 0 to 65535'

export const parsePortName = (text: string): number | undefined => parsePort(text) ?? servicePorts[text]

/** `80`, `10:20`, `10:` (to 65535), `:20` (from 0); `separator` is `-` in NAT targets. */
export function parsePortRange(text: string, separator: ':' | '-' = ':'): PortRange | undefined {
  const at = text.indexOf(separator)
  if (at < 0) {
    const port = parsePortName(text)
    return port === undefined ? undefined : { from: port, to: port }
  }
  const from = at === 0 ? 0 : parsePortName(text.slice(0, at))
  const to = at === text.length - 1 ? 65535 : parsePortName(text.slice(at + 1))
  return from === undefined || to === undefined || from > to ? undefined : { from, to }
}

export const formatPortRange = (range: PortRange, separator: ':' | '-' = ':'): string =>
  range.from === range.to ? String(range.from) : `${range.from}${separator}${range.to}`

/** A match of every port is no match, and is not printed. */
export const unlessAllPorts = (range: Negatable<PortRange> | undefined): Negatable<PortRange> | undefined =>
  range && !range.not && range.value.from === 0 && range.value.to === 65535 ? undefined : range

/** Decimal, `0x` hexadecimal, or octal with a leading zero (strtoul), up to 32 bits. */
export function parseUint32(text: string): number | undefined {
  if (!/^(0[xX][0-9a-fA-F]+|\d+)$/.test(text)) return undefined
  if (/^0\d/.test(text)) return /^[0-7]+$/.test(text) ? inUint32(Number.parseInt(text, 8)) : undefined
  return inUint32(Number(text))
}

const inUint32 = (n: number): number | undefined => (n <= 0xffffffff ? n : undefined)

export const markExpected = 'a 32-bit number, or two with a slash between: 0x4000/0x4000'

/** `0x1/0xff`; without a mask, all bits. */
export function parseMasked(text: string): MaskedValue | undefined {
  const [left = '', right, more] = text.split('/')
  const value = parseUint32(left)
  const mask = right === undefined ? 0xffffffff : parseUint32(right)
  return more !== undefined || value === undefined || mask === undefined ? undefined : { value, mask }
}

export const hex = (n: number): string => `0x${n.toString(16)}`

/** As the mark matches print it: a full mask is left out. */
export const formatMasked = (m: MaskedValue): string =>
  m.mask === 0xffffffff ? hex(m.value) : `${hex(m.value)}/${hex(m.mask)}`

/** A whole number from `min` to `max`. */
export const parseInteger =
  (min: number, max: number) =>
  (text: string): number | undefined => {
    const n = parseUint32(text)
    return n !== undefined && n >= min && n <= max ? n : undefined
  }

export const prefixExpected = (family: Family): string =>
  family === 'ipv4'
    ? 'an IPv4 address or CIDR block (host names are not looked up)'
    : 'an IPv6 address or CIDR block (host names are not looked up)'

/** Of the given family only. An IPv6 mask may be written as an address, as an IPv4 mask may. */
export const parseFamilyPrefix =
  (family: Family) =>
  (text: string): Prefix | undefined => {
    const prefix = parsePrefix(text) ?? parseMaskedIpv6(text)
    return prefix && familyOf(prefix.address) === family ? prefix : undefined
  }

function parseMaskedIpv6(text: string): Prefix | undefined {
  const [address = '', mask = ''] = text.split('/')
  const ip = parseIp(address)
  const maskIp = parseIp(mask)
  if (ip === undefined || maskIp === undefined || familyOf(ip) !== 'ipv6' || familyOf(maskIp) !== 'ipv6')
    return undefined
  const ones = networkOf(parseIp('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') ?? ip, 128)
  for (let length = 0; length <= 128; length++)
    if (networkOf(ones.address, length).address === maskIp) return networkOf(ip, length)
  return undefined
}

/** As conntrack and ipvs print addresses: a host without its length. */
export const formatShortPrefix = (p: Prefix): string => (isHostPrefix(p) ? p.address : formatPrefix(p))

export const ipRangeExpected = 'an address, or the first and the last with a dash between'

export function parseIpRange(text: string): IpRange | undefined {
  const [first = '', last = first, more] = text.split('-')
  const from = parseIp(first)
  const to = parseIp(last)
  if (more !== undefined || from === undefined || to === undefined || familyOf(from) !== familyOf(to)) return undefined
  return compareIps(from, to) <= 0 ? { from, to } : undefined
}

export const formatIpRange = (r: IpRange): string => (r.from === r.to ? r.from : `${r.from}-${r.to}`)

/** The words of a comma list in the order of `known`, each once; undefined when one is not known. */
export const parseWordList =
  <W extends string>(known: readonly W[]) =>
  (text: string): readonly W[] | undefined => {
    const given = new Set(text.toUpperCase().split(','))
    const ordered = known.filter((word) => given.has(word))
    return ordered.length === given.size ? ordered : undefined
  }

export const parseFamilyIp =
  (family: Family) =>
  (text: string): Ip | undefined => {
    const ip = parseIp(text)
    return ip !== undefined && familyOf(ip) === family ? ip : undefined
  }
