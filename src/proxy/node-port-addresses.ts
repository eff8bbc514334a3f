import { familyOf, type Ip, ip } from '../net/ip.ts'
import { prefixContains } from '../net/prefix.ts'
import type { ProxySettings } from './proxy-settings.ts'

const loopback = { ipv4: ip('127.0.0.1'), ipv6: ip('::1') } as const

export const isLoopback = (address: Ip): boolean => address.startsWith('127.') || address === loopback.ipv6

/** The node's addresses that answer node ports, where `nodePortAddresses` names some; undefined where all do. */
export function nodePortIPs(settings: ProxySettings): readonly Ip[] | undefined {
  const { nodePortAddresses, family, localIPs } = settings
  if (nodePortAddresses === undefined) return undefined
  return localIPs.filter(
    (address) => familyOf(address) === family && nodePortAddresses.some((prefix) => prefixContains(prefix, address)),
  )
}
