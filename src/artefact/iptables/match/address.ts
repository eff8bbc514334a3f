import { parseMac } from '../../../net/mac.ts'
import { present } from '../../problem.ts'
import { flagOption, option, words } from '../module.ts'
import type { AddressType } from '../rule.ts'
import { ipRangeExpected, parseIpRange, parseWordList } from '../value.ts'
import type { MatchModule, MatchOf } from './match-module.ts'

/** In the order of the kernel's bits, in which they are printed. THROW, NAT and XRESOLVE exist but never match. */
const types: readonly AddressType[] = [
  'UNSPEC',
  'UNICAST',
  'LOCAL',
  'BROADCAST',
  'ANYCAST',
  'MULTICAST',
  'BLACKHOLE',
  'UNREACHABLE',
  'PROHIBIT',
]

/** IPv6 has no broadcast, and the kernel refuses BLACKHOLE and PROHIBIT there (xt_addrtype). */
const typesOf = { ipv4: types, ipv6: types.filter((t) => t !== 'BROADCAST' && t !== 'PROHIBIT' && t !== 'BLACKHOLE') }

export const addrtype: MatchModule<'addrtype'> = {
  names: ['addrtype'],
  options: { 'src-type': 1, 'dst-type': 1, 'limit-iface-in': 0, 'limit-iface-out': 0 },
  read: (given) => {
    if (!given.has('src-type') && !given.has('dst-type'))
      return given.bad('addrtype', '--src-type or --dst-type after -m addrtype')
    const known = typesOf[given.family]
    const read = (name: string) => given.value(name, parseWordList(known), `a comma list of ${known.join(', ')}`)
    return present<MatchOf<'addrtype'>>({
      kind: 'addrtype',
      srcType: read('src-type'),
      dstType: read('dst-type'),
      limitIfaceIn: given.plainFlag('limit-iface-in'),
      limitIfaceOut: given.plainFlag('limit-iface-out'),
    })
  },
  write: (m) => {
    const list = (value: readonly AddressType[]) => types.filter((t) => value.includes(t)).join(',')
    return words(
      option('src-type', m.srcType, list),
      option('dst-type', m.dstType, list),
      flagOption('limit-iface-in', m.limitIfaceIn),
      flagOption('limit-iface-out', m.limitIfaceOut),
    )
  },
}

export const iprange: MatchModule<'iprange'> = {
  names: ['iprange'],
  options: { 'src-range': 1, 'dst-range': 1 },
  read: (given) => {
    if (!given.has('src-range') && !given.has('dst-range'))
      return given.bad('iprange', '--src-range or --dst-range after -m iprange')
    const read = (name: string) => given.value(name, parseIpRange, ipRangeExpected)
    return present<MatchOf<'iprange'>>({ kind: 'iprange', src: read('src-range'), dst: read('dst-range') })
  },
  write: (m) => {
    const range = (r: { readonly from: string; readonly to: string }) => `${r.from}-${r.to}`
    return words(option('src-range', m.src, range), option('dst-range', m.dst, range))
  },
}

export const mac: MatchModule<'mac'> = {
  names: ['mac'],
  options: { 'mac-source': 1 },
  read: (given) => {
    const source = given.value('mac-source', parseMac, 'a MAC address: 02:00:0a:f4:01:02')
    return given.need(source, 'mac-source MAC') && source && { kind: 'mac', source }
  },
  write: (m) => option('mac-source', m.source, (value) => value),
}

const packetTypes = ['unicast', 'broadcast', 'multicast'] as const

export const pkttype: MatchModule<'pkttype'> = {
  names: ['pkttype'],
  options: { 'pkt-type': 1 },
  read: (given) => {
    const find = (text: string) => packetTypes.find((t) => t === (text === 'host' ? 'unicast' : text))
    const type = given.value('pkt-type', find, 'unicast, broadcast or multicast')
    return given.need(type, 'pkt-type TYPE') && type && { kind: 'pkttype', type }
  },
  write: (m) => option('pkt-type', m.type, (value) => value),
}
