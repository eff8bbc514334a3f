import { Netmask } from 'netmask'
import { type Family, familyOf, type Ip, ipAt, ipToBigInt, ipv4ToUint32, parseIp, uint32ToIpv4, widthOf } from './ip.ts'

/** A CIDR block. `address` is the network address: the host bits are zero. */
export interface Prefix {
  readonly address: Ip
  readonly length: number
}

/** An address with the length of its link's prefix, as on an interface: host bits are kept. */
export interface InterfaceAddress {
  readonly ip: Ip
  readonly length: number
}

/** `10.0.0.0/8`, or a bare address (a host prefix). Host bits are cleared, as iptables and kube-proxy do. Strict octets. */
export function parsePrefix(text: string): Prefix | undefined {
  const parsed = parseInterfaceAddress(text)
  return parsed && networkOf(parsed.ip, parsed.length)
}

/** For literals in code and tests. Throws on anything that is no CIDR block. */
export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new Error(`not a CIDR block: ${JSON.stringify(text)}`)
  return parsed
}

/** `192.168.50.11/24`: keeps the host bits; without a length, the whole address. */
export function parseInterfaceAddress(text: string): InterfaceAddress | undefined {
  const slash = text.indexOf('/')
  const ip = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (ip === undefined) return undefined
  const width = widthOf(familyOf(ip))
  const length = slash < 0 ? width : parseLength(text.slice(slash + 1), ip)
  return length === undefined || length > width ? undefined : { ip, length }
}

export const formatPrefix = (p: Prefix): string => `${p.address}/${p.length}`
export const formatInterfaceAddress = (a: InterfaceAddress): string => `${a.ip}/${a.length}`

export const prefixFamily = (p: Prefix): Family => familyOf(p.address)
export const hostPrefix = (ip: Ip): Prefix => ({ address: ip, length: widthOf(familyOf(ip)) })
export const isHostPrefix = (p: Prefix): boolean => p.length === widthOf(familyOf(p.address))
export const anyPrefix = (family: Family): Prefix => ({ address: ipAt(0n, family), length: 0 })
export const prefixesEqual = (a: Prefix, b: Prefix): boolean => a.address === b.address && a.length === b.length

export function networkOf(ip: Ip, length: number): Prefix {
  if (familyOf(ip) === 'ipv4') return { address: uint32ToIpv4(maskIpv4(ipv4ToUint32(ip), length)), length }
  const host = BigInt(128 - length)
  return { address: ipAt((ipToBigInt(ip) >> host) << host, 'ipv6'), length }
}

/** Whether the block holds the address. False across families. */
export function prefixContains(p: Prefix, ip: Ip): boolean {
  const family = familyOf(ip)
  if (family !== familyOf(p.address)) return false
  if (family === 'ipv4') return maskIpv4(ipv4ToUint32(ip), p.length) === ipv4ToUint32(p.address)
  const host = BigInt(128 - p.length)
  return ipToBigInt(ip) >> host === ipToBigInt(p.address) >> host
}

/** Whether `inner` lies wholly within `outer`. */
export const prefixCovers = (outer: Prefix, inner: Prefix): boolean =>
  inner.length >= outer.length && prefixContains(outer, inner.address)

export const prefixesOverlap = (a: Prefix, b: Prefix): boolean => prefixCovers(a, b) || prefixCovers(b, a)

/** Number of addresses in the block. */
export const prefixSize = (p: Prefix): bigint => 1n << BigInt(widthOf(prefixFamily(p)) - p.length)

/** The `n`-th address of the block, from 0; undefined past its end. */
export function nthAddress(p: Prefix, n: number | bigint): Ip | undefined {
  const index = BigInt(n)
  if (index < 0n || index >= prefixSize(p)) return undefined
  return ipAt(ipToBigInt(p.address) + index, prefixFamily(p))
}

export const lastAddress = (p: Prefix): Ip => ipAt(ipToBigInt(p.address) + prefixSize(p) - 1n, prefixFamily(p))

/** The `n`-th block of `length` bits inside `p`, from 0; undefined past its end. */
export function nthSubnet(p: Prefix, length: number, n: number): Prefix | undefined {
  const width = widthOf(prefixFamily(p))
  if (length < p.length || length > width) return undefined
  const start = nthAddress(p, BigInt(n) << BigInt(width - length))
  return start && { address: start, length }
}

/** The directed broadcast address, which /31, /32 and IPv6 do not have (RFC 3021). */
export function broadcastOf(p: Prefix): Ip | undefined {
  return prefixFamily(p) === 'ipv6' || p.length > 30 ? undefined : lastAddress(p)
}

/** `255.255.255.0` for 24. IPv4 only. */
export const netmaskOf = (length: number): string => new Netmask(`0.0.0.0/${length}`).mask

export const maskIpv4 = (value: number, length: number): number =>
  length === 0 ? 0 : (value & (0xffffffff << (32 - length))) >>> 0

function parseLength(text: string, ip: Ip): number | undefined {
  if (/^(0|[1-9]\d{0,2})$/.test(text)) return Number(text)
  // A dotted mask is what iptables and older tools print: 255.255.255.0
  return familyOf(ip) === 'ipv4' && parseIp(text) ? maskLength(text) : undefined
}

function maskLength(mask: string): number | undefined {
  // netmask refuses the mask of everything.
  if (mask === '0.0.0.0') return 0
  try {
    return new Netmask(`0.0.0.0/${mask}`).bitmask
  } catch {
    return undefined
  }
}
