import { type Ip, parseIp } from '../net/ip.ts'
import { type Prefix, parsePrefix } from '../net/prefix.ts'

const withoutLeadingZeros = (text: string): string => text.replace(/(?<![0-9a-fA-F:])0+(?=\d)/g, '')

/** As kube-proxy reads what old API servers let in: leading zeros of IPv4 octets are dropped (`172.30.0.041`). */
export const parseIpSloppy = (text: string): Ip | undefined => parseIp(text) ?? parseIp(withoutLeadingZeros(text))

/** A CIDR with the same leniency, blanks around it ignored: ` 203.0.113.000/025`. A bare address is none. */
export function parseCidrSloppy(text: string): Prefix | undefined {
  const trimmed = text.trim()
  if (!trimmed.includes('/')) return undefined
  return parsePrefix(trimmed) ?? parsePrefix(withoutLeadingZeros(trimmed))
}
