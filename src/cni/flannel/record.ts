import type { Ip } from '../../net/ip.ts'
import type { Mac } from '../../net/mac.ts'
import { type Prefix, parseInterfaceAddress, prefixFamily } from '../../net/prefix.ts'

/** Where the etcd manager keeps leases, and for how long (pkg/subnet/etcd). */
export const etcdPrefix = '/coreos.com/network'
export const leaseTtlSeconds = 24 * 60 * 60

/** `10.5.52.0-24`, `10.12.13.0-24&fd00:12:13::-56`. */
export const formatSubnetKey = (subnet: Prefix, ipv6Subnet?: Prefix): string =>
  [subnet, ...(ipv6Subnet ? [ipv6Subnet] : [])].map((p) => `${p.address}-${p.length}`).join('&')

export interface SubnetKey {
  readonly subnet: Prefix
  readonly ipv6Subnet?: Prefix
}

export function parseSubnetKey(key: string): SubnetKey | undefined {
  const [first = '', second, ...more] = key.split('&')
  const subnet = parseDashed(first)
  if (!subnet || prefixFamily(subnet) !== 'ipv4' || more.length > 0) return undefined
  if (second === undefined) return { subnet }
  const ipv6Subnet = parseDashed(second)
  return ipv6Subnet && prefixFamily(ipv6Subnet) === 'ipv6' ? { subnet, ipv6Subnet } : undefined
}

function parseDashed(text: string): Prefix | undefined {
  const match = /^([0-9a-f.:]+)-(\d+)$/i.exec(text)
  const address = match && parseInterfaceAddress(`${match[1]}/${match[2]}`)
  return address ? { address: address.ip, length: address.length } : undefined
}

export interface LeaseAttributes {
  readonly publicIp?: Ip
  readonly publicIpv6?: Ip
  readonly backendType: string
  readonly backendData?: unknown
  readonly backendV6Data?: unknown
}

/** pkg/lease LeaseAttrs, keys in the order of the struct. */
export function formatLease(lease: LeaseAttributes): string {
  return JSON.stringify({
    PublicIP: lease.publicIp ?? null,
    PublicIPv6: lease.publicIpv6 ?? null,
    ...(lease.backendType === '' ? {} : { BackendType: lease.backendType }),
    ...(lease.backendData === undefined ? {} : { BackendData: lease.backendData }),
    ...(lease.backendV6Data === undefined ? {} : { BackendV6Data: lease.backendV6Data }),
  })
}

/** What a vxlan node publishes; `VNI` since v0.13.1-rc1. */
export const vxlanLeaseData = (vni: number, vtepMac: Mac): unknown => ({ VNI: vni, VtepMAC: vtepMac })
