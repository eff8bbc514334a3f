import type { DeviceName, Link } from '../artefact/link.ts'
import type { Address, NetnsState } from '../artefact/netns.ts'
import { deviceSysctl } from '../artefact/sysctl.ts'
import { type Family, familyOf, type Ip, ip } from '../net/ip.ts'
import { type Mac, macOctets, zeroMac } from '../net/mac.ts'
import { networkOf, prefixContains, prefixesEqual } from '../net/prefix.ts'

/** What an address may be used for, narrowest last (rtnetlink.h): a wider need is not met by a narrower address. */
export const scopeRank = { global: 0, link: 253, host: 254 } as const

export interface AddressBook {
  readonly byDevice: ReadonlyMap<DeviceName, readonly Address[]>
  readonly byIp: ReadonlyMap<Ip, readonly Address[]>
}

export function addressBook(state: NetnsState, links: readonly Link[]): AddressBook {
  const byDevice = new Map<DeviceName, Address[]>()
  const byIp = new Map<Ip, Address[]>()
  const add = (a: Address): void => {
    byDevice.set(a.dev, [...(byDevice.get(a.dev) ?? []), a])
    byIp.set(a.ip, [...(byIp.get(a.ip) ?? []), a])
  }
  const known = new Set(links.map((l) => l.name))
  for (const address of state.addresses) if (known.has(address.dev)) add(address)
  for (const link of links) {
    for (const address of loopbackAddresses(link)) if (!byIp.has(address.ip)) add(address)
    const linkLocal = generatedLinkLocal(state, link, byDevice.get(link.name) ?? [])
    if (linkLocal) add(linkLocal)
  }
  return { byDevice, byIp }
}

const originKernel = { by: 'kernel' } as const

/** `ip link set lo up` brings both. */
function loopbackAddresses(link: Link): readonly Address[] {
  if (link.kind.kind !== 'loopback' || !link.up) return []
  return [
    { dev: link.name, ip: ip('127.0.0.1'), length: 8, scope: 'host', origin: originKernel },
    { dev: link.name, ip: ip('::1'), length: 128, scope: 'host', origin: originKernel },
  ]
}

/** addrconf_dev_config: an Ethernet device that is up has a link-local address of its MAC (EUI-64). */
function generatedLinkLocal(state: NetnsState, link: Link, own: readonly Address[]): Address | undefined {
  if (!link.up || link.mac === zeroMac || link.kind.kind === 'loopback') return undefined
  if (link.kind.kind === 'tun' || link.kind.kind === 'ipip') return undefined
  if (deviceSysctl(state.sysctls, 'ipv6', link.name, 'disable_ipv6') !== 0) return undefined
  if (own.some((a) => isLinkLocal(a.ip))) return undefined
  return { dev: link.name, ip: linkLocalOf(link.mac), length: 64, scope: 'link', origin: originKernel }
}

export const isLinkLocal = (address: Ip): boolean => /^fe[89ab]/.test(address)

export function linkLocalOf(mac: Mac): Ip {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = macOctets(mac)
  const group = (high: number, low: number): string => ((high << 8) | low).toString(16)
  return ip(`fe80::${group(a ^ 2, b)}:${group(c, 0xff)}:${group(0xfe, d)}:${group(e, f)}`)
}

/** A second address of the same subnet on one device is secondary (IFA_F_SECONDARY): never chosen as a source. */
export function isSecondary(address: Address, all: readonly Address[]): boolean {
  if (familyOf(address.ip) !== 'ipv4') return false
  const first = all.find((a) => a.length === address.length && sameNetwork(a, address))
  return first !== undefined && first !== address
}

const sameNetwork = (a: Address, b: Address): boolean =>
  familyOf(a.ip) === familyOf(b.ip) && prefixesEqual(networkOf(a.ip, a.length), networkOf(b.ip, b.length))

export const onLink = (a: Address, target: Ip): boolean => prefixContains(networkOf(a.ip, a.length), target)

/** inet_select_addr (net/ipv4/devinet.c). `scope`: how far the packet has to reach. */
export function selectIpv4(
  book: AddressBook,
  devices: readonly DeviceName[],
  device: DeviceName,
  target: Ip | undefined,
  scope: 'global' | 'link' | 'host',
): Ip | undefined {
  const fits = (a: Address): boolean => familyOf(a.ip) === 'ipv4' && scopeRank[a.scope] <= scopeRank[scope]
  const own = (book.byDevice.get(device) ?? []).filter((a, _, all) => fits(a) && !isSecondary(a, all))
  const best = (target && own.find((a) => onLink(a, target))) ?? own[0]
  if (best) return best.ip
  for (const other of devices) {
    const found = (book.byDevice.get(other) ?? []).find((a, _, all) => {
      return fits(a) && a.scope !== 'link' && !isSecondary(a, all)
    })
    if (found) return found.ip
  }
  return undefined
}

/** ipv6_dev_get_saddr (net/ipv6/addrconf.c), rules 1, 2, 5 and 8 of RFC 6724. */
export function selectIpv6(book: AddressBook, device: DeviceName, target: Ip): Ip | undefined {
  const all = [...book.byDevice.values()].flat().filter((a) => familyOf(a.ip) === 'ipv6')
  if (all.some((a) => a.ip === target)) return target
  const near = isLinkLocal(target) || target.startsWith('ff02')
  const candidates = all.filter((a) => (near ? a.dev === device && a.scope !== 'host' : a.scope === 'global'))
  const onDevice = candidates.filter((a) => a.dev === device)
  const pool = onDevice.length > 0 ? onDevice : candidates
  if (near) return (pool.find((a) => a.scope === 'link') ?? pool[0])?.ip
  return longestMatch(pool, target)?.ip
}

function longestMatch(pool: readonly Address[], target: Ip): Address | undefined {
  let best: { readonly address: Address; readonly bits: number } | undefined
  for (const address of pool) {
    const bits = commonBits(address.ip, target)
    if (!best || bits > best.bits) best = { address, bits }
  }
  return best?.address
}

function commonBits(a: Ip, b: Ip): number {
  let bits = 128
  while (bits > 0 && networkOf(a, bits).address !== networkOf(b, bits).address) bits--
  return bits
}

export const addressesOf = (book: AddressBook, device: DeviceName, family: Family): readonly Address[] =>
  (book.byDevice.get(device) ?? []).filter((a) => familyOf(a.ip) === family)
