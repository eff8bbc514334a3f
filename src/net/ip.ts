import IPCIDR from 'ip-cidr'

declare const brand: unique symbol
export type Branded<T, Name extends string> = T & { readonly [brand]: Name }

export type Family = 'ipv4' | 'ipv6'
export const families: readonly Family[] = ['ipv4', 'ipv6']

/** An IPv4 or IPv6 address in canonical text (RFC 5952). Only `parseIp` and `ipAt` make one, so equal addresses are `===`. */
export type Ip = Branded<string, 'Ip'>

export const familyOf = (ip: Ip): Family => (ip.includes(':') ? 'ipv6' : 'ipv4')

/** Address width in bits. */
export const widthOf = (family: Family): 32 | 128 => (family === 'ipv4' ? 32 : 128)

/** Strict: `010.0.0.1` is no address (a lenient parser reads 8.0.0.1), nor is one with a zone or a prefix length. */
export function parseIp(text: string): Ip | undefined {
  if (text.includes(':')) return canonicalIpv6(text)
  return isIpv4(text) ? (text as Ip) : undefined
}

/** For literals in code and tests. Throws on anything that is no address. */
export function ip(text: string): Ip {
  const parsed = parseIp(text)
  if (parsed === undefined) throw new Error(`not an IP address: ${JSON.stringify(text)}`)
  return parsed
}

/** The address as an unsigned number: 32 bits for IPv4, 128 for IPv6. */
export function ipToBigInt(ip: Ip): bigint {
  if (familyOf(ip) === 'ipv4') return BigInt(ipv4ToUint32(ip))
  return ipv6Groups(ip).reduce((value, group) => (value << 16n) | BigInt(group), 0n)
}

/** Throws RangeError when `value` does not fit the family. */
export function ipAt(value: bigint, family: Family): Ip {
  if (value < 0n || value >> BigInt(widthOf(family)) !== 0n) throw new RangeError(`${value} is no ${family} address`)
  if (family === 'ipv4') return uint32ToIpv4(Number(value))
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn))
  return formatIpv6(groups)
}

export function ipv4ToUint32(ip: Ip): number {
  let value = 0
  let octet = 0
  for (let i = 0; i < ip.length; i++) {
    const code = ip.charCodeAt(i)
    if (code === 46) {
      value = value * 256 + octet
      octet = 0
    } else octet = octet * 10 + code - 48
  }
  return value * 256 + octet
}

export const uint32ToIpv4 = (n: number): Ip => `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}` as Ip

/** The eight 16-bit groups of an IPv6 address. */
export function ipv6Groups(ip: Ip): readonly number[] {
  const [head = '', tail] = ip.split('::')
  const left = hexGroups(head)
  if (tail === undefined) return left
  const right = hexGroups(tail)
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]
}

/** The bytes of the wire: 4 or 16. */
export function ipOctets(ip: Ip): readonly number[] {
  if (familyOf(ip) === 'ipv6') return ipv6Groups(ip).flatMap((group) => [group >>> 8, group & 0xff])
  const n = ipv4ToUint32(ip)
  return [n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff]
}

/** From 4 or 16 bytes of the wire. Throws RangeError on any other number. */
export function ipFromOctets(octets: ArrayLike<number>): Ip {
  if (octets.length !== 4 && octets.length !== 16) throw new RangeError(`${octets.length} bytes are no IP address`)
  if (octets.length === 4) return Array.from(octets).join('.') as Ip
  return formatIpv6(Array.from({ length: 8 }, (_, i) => ((octets[2 * i] ?? 0) << 8) | (octets[2 * i + 1] ?? 0)))
}

export function compareIps(a: Ip, b: Ip): number {
  if (familyOf(a) !== familyOf(b)) return familyOf(a) === 'ipv4' ? -1 : 1
  const [x, y] = [ipToBigInt(a), ipToBigInt(b)]
  return x < y ? -1 : x > y ? 1 : 0
}

const octet = '(?:0|[1-9]\\d?|1\\d\\d|2[0-4]\\d|25[0-5])'
const ipv4Pattern = new RegExp(`^${octet}(?:\\.${octet}){3}$`)
const isIpv4 = (text: string): boolean => ipv4Pattern.test(text)

const hexGroups = (text: string): number[] => (text === '' ? [] : text.split(':').map((g) => Number.parseInt(g, 16)))

function canonicalIpv6(text: string): Ip | undefined {
  if (!/^[0-9a-fA-F:.]+$/.test(text)) return undefined
  const lastColon = text.lastIndexOf(':')
  const dotted = text.slice(lastColon + 1)
  if (dotted.includes('.') && !isIpv4(dotted)) return undefined
  // ip-cidr does not count the groups before dotted octets, so it is asked about groups alone.
  const plain = dotted.includes('.') ? text.slice(0, lastColon + 1) + dottedToGroups(dotted as Ip) : text
  return IPCIDR.isValidAddress(plain) ? formatIpv6(ipv6Groups(plain as Ip)) : undefined
}

function dottedToGroups(ip: Ip): string {
  const n = ipv4ToUint32(ip)
  return `${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}`
}

/** RFC 5952: lower case, the longest run of two or more zero groups (the first of equals) becomes `::`. */
function formatIpv6(groups: readonly number[]): Ip {
  const run = longestZeroRun(groups)
  const hex = groups.map((g) => g.toString(16))
  if (run.length < 2) return hex.join(':') as Ip
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}` as Ip
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 }
  let start = -1
  for (let i = 0; i <= groups.length; i++) {
    if (i < groups.length && groups[i] === 0) start = start < 0 ? i : start
    else if (start >= 0) {
      if (i - start > best.length) best = { start, length: i - start }
      start = -1
    }
  }
  return best
}
