import type { AddressType, Match, Negatable } from '../../artefact/iptables/rule.ts'
import type { DeviceName } from '../../artefact/link.ts'
import { familyOf, type Ip } from '../../net/ip.ts'
import type { Facts } from './facts.ts'
import type { RuleTest } from './rule-test.ts'

type AddrtypeMatch = Extract<Match, { kind: 'addrtype' }>

/** addrtype_mt_v1 (net/netfilter/xt_addrtype.c). */
export function addrtypeTest(m: AddrtypeMatch): RuleTest {
  const device = (f: Facts): DeviceName | undefined => (m.limitIfaceIn ? f.in : m.limitIfaceOut ? f.out : undefined)
  const holds = (asked: Negatable<readonly AddressType[]> | undefined, ip: Ip, f: Facts): boolean =>
    !asked || isOfType(ip, asked.value, device(f), f) !== !!asked.not
  return {
    passes: (f) => holds(m.srcType, f.skb.packet.src, f) && holds(m.dstType, f.skb.packet.dst, f),
    miss: (f) => {
      const { src, dst } = f.skb.packet
      const side = holds(m.srcType, src, f) ? (['destination', dst] as const) : (['source', src] as const)
      return `${side[0]} ${side[1]} is ${f.ctx.addressType(side[1], device(f))}`
    },
  }
}

function isOfType(ip: Ip, types: readonly AddressType[], device: DeviceName | undefined, f: Facts): boolean {
  if (familyOf(ip) === 'ipv4') return types.includes(f.ctx.addressType(ip, device))
  return isOfTypeIpv6(ip, types, device, f)
}

/** match_type6: scope types are read off the address, and all that are asked for must hold; only then comes the route. */
function isOfTypeIpv6(ip: Ip, types: readonly AddressType[], device: DeviceName | undefined, f: Facts): boolean {
  const multicast = ip.startsWith('ff')
  const unspecified = ip === '::'
  if (types.includes('MULTICAST') && !multicast) return false
  if (types.includes('UNICAST') && (multicast || unspecified)) return false
  if (types.includes('UNSPEC') && !unspecified) return false
  const routed: readonly AddressType[] = types.filter((t) => t === 'LOCAL' || t === 'ANYCAST' || t === 'UNREACHABLE')
  return routed.length === 0 || routed.includes(f.ctx.addressType(ip, device))
}
