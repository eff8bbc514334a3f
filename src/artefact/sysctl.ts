import type { Family } from '../net/ip.ts'
import type { DeviceName } from './link.ts'
import { deviceDefaults, namespaceDefaults, neighbourDefaults } from './sysctl-defaults.ts'

/** Settings by dotted key (`net.ipv4.conf.flannel.1.rp_filter`); what is absent has its default. */
export type Sysctls = Readonly<Record<string, string>>

export const deviceKey = (family: Family, device: DeviceName | 'all' | 'default', name: string): string =>
  `net.${family}.conf.${device}.${name}`

/**
 * What `sysctl KEY` prints. A device takes what it was not given from `all` where the kernel hands a write to `all` on
 * (forwarding, disable_ipv6), then from `default`. `ip_forward` and `conf.all.forwarding` are one setting. Undefined: no
 * such key is known.
 */
export function readSysctl(sysctls: Sysctls, key: string): string | undefined {
  const given = own(sysctls, key)
  if (given !== undefined) return given
  const parts = perDevice(key)
  if (parts === undefined) {
    const twin = key === 'net.ipv4.ip_forward' ? own(sysctls, 'net.ipv4.conf.all.forwarding') : undefined
    return twin ?? own(namespaceDefaults, key)
  }
  const { family, kind, device, name } = parts
  const builtin = own(kind === 'conf' ? deviceDefaults[family] : neighbourDefaults, name)
  if (device === 'all') return allDefault(sysctls, family, name) ?? builtin
  const handedOn = kind === 'conf' && isHandedOn(family, name) ? allValue(sysctls, family, name) : undefined
  return handedOn ?? own(sysctls, `net.${family}.${kind}.default.${name}`) ?? builtin
}

/** As a number; undefined also when the value is none. */
export function readSysctlNumber(sysctls: Sysctls, key: string): number | undefined {
  const value = readSysctl(sysctls, key)
  return value !== undefined && /^-?\d+$/.test(value.trim()) ? Number(value) : undefined
}

const own = (values: Sysctls, key: string): string | undefined => (Object.hasOwn(values, key) ? values[key] : undefined)

/** Device names may hold dots, setting names do not. */
function perDevice(key: string) {
  const match = /^net\.(ipv4|ipv6)\.(conf|neigh)\.(.+)\.([^.]+)$/.exec(key)
  if (!match) return undefined
  const [, family, kind, device = '', name = ''] = match
  return { family: family as Family, kind: kind as 'conf' | 'neigh', device, name }
}

const allDefault = (sysctls: Sysctls, family: Family, name: string): string | undefined =>
  family === 'ipv4' && name === 'forwarding' ? own(sysctls, 'net.ipv4.ip_forward') : undefined

const allValue = (sysctls: Sysctls, family: Family, name: string): string | undefined =>
  own(sysctls, `net.${family}.conf.all.${name}`) ?? allDefault(sysctls, family, name)

/** inet_forward_change (net/ipv4/devinet.c), addrconf_fixup_forwarding and addrconf_disable_ipv6 (net/ipv6/addrconf.c). */
const isHandedOn = (family: Family, name: string): boolean =>
  name === 'forwarding' || (family === 'ipv6' && name === 'disable_ipv6')

type Combination = 'or' | 'and' | 'max' | 'device' | 'all'

/** How `all` and the device's own value combine: the IN_DEV_* macros of include/linux/inetdevice.h. */
const combinations: Readonly<Record<Family, Readonly<Record<string, Combination>>>> = {
  ipv4: {
    accept_local: 'or',
    accept_source_route: 'and',
    arp_accept: 'max',
    arp_announce: 'max',
    arp_evict_nocarrier: 'and',
    arp_filter: 'or',
    arp_ignore: 'max',
    arp_notify: 'max',
    bc_forwarding: 'and',
    forwarding: 'device',
    log_martians: 'or',
    mc_forwarding: 'and',
    promote_secondaries: 'or',
    proxy_arp: 'or',
    proxy_arp_pvlan: 'or',
    route_localnet: 'or',
    rp_filter: 'max',
    secure_redirects: 'or',
    send_redirects: 'or',
    shared_media: 'or',
    src_valid_mark: 'or',
  },
  // ip6_forward looks at `all` (or the device's force_forwarding), ndisc at both for proxy_ndp.
  ipv6: { forwarding: 'all', proxy_ndp: 'or', disable_ipv6: 'or' },
}

/** What a device's setting comes to when the kernel asks for it. Zero for a name that is not known. */
export function deviceSysctl(sysctls: Sysctls, family: Family, device: DeviceName, name: string): number {
  const all = readSysctlNumber(sysctls, deviceKey(family, 'all', name)) ?? 0
  const here = readSysctlNumber(sysctls, deviceKey(family, device, name)) ?? 0
  if (family === 'ipv4' && name === 'accept_redirects') return acceptRedirects(sysctls, device, all, here)
  switch (combinations[family][name] ?? 'device') {
    case 'or':
      return all !== 0 || here !== 0 ? 1 : 0
    case 'and':
      return all !== 0 && here !== 0 ? 1 : 0
    case 'max':
      return Math.max(all, here)
    case 'device':
      return here
    case 'all':
      return all
  }
}

/** IN_DEV_RX_REDIRECTS: a router needs both, a host either. */
function acceptRedirects(sysctls: Sysctls, device: DeviceName, all: number, here: number): number {
  const router = deviceSysctl(sysctls, 'ipv4', device, 'forwarding') !== 0
  return (router ? all !== 0 && here !== 0 : all !== 0 || here !== 0) ? 1 : 0
}
