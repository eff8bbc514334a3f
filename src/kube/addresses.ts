import { type Ip, parseIp } from '../net/ip.ts'
import { type Prefix, parsePrefix } from '../net/prefix.ts'

/**
 * Addresses as API objects may hold them: like the API server before strict validation (KEP-4858) and kube-proxy
 * (`netutils.ParseIPSloppy`), leading zeros are read as decimal: `172.30.0.041` is 172.30.0.41.
 */
export const parseApiIp = (text: string): Ip | undefined => parseIp(text) ?? parseIp(withoutZeros(text))

/** A CIDR block in an API object: with its length, host bits and leading zeros allowed. */
export function parseApiCidr(text: string): Prefix | undefined {
  const [address = '', length, ...rest] = text.split('/')
  if (length === undefined || rest.length > 0 || !/^\d{1,3}$/.test(length)) return undefined
  return parsePrefix(`${withoutZeros(address)}/${Number(length)}`)
}

const withoutZeros = (text: string): string =>
  text.includes('.') ? text.replace(/(^|[.:])0+(?=\d+(\.|$))/g, '$1') : text
