import type { IpRange, PortRange } from '../../artefact/iptables/rule.ts'
import type { NftStatement } from '../../artefact/nft/statement.ts'
import { familyOf, type Ip, parseIp } from '../../net/ip.ts'
import type { Facts } from '../netfilter/facts.ts'
import type { NatTarget } from '../netfilter/nat-target.ts'
import { evaluation, type NftScope } from './evaluate.ts'

/** What a NAT statement does with the packet in hand; undefined: not for a packet of this family. */
export type NatOf = (f: Facts) => NatTarget | undefined

export function natOf(s: Extract<NftStatement, { kind: 'nat' | 'masquerade' | 'redirect' }>, scope: NftScope): NatOf {
  const flags = natFlags(s.flags)
  if (s.kind === 'nat') return addressNat(s, flags, scope)
  if (s.kind === 'masquerade') {
    const target: NatTarget = { kind: 'masquerade', ...(s.ports && { ports: portRange(s.ports) }), ...flags }
    return () => target
  }
  const random = flags.random || flags.randomFully ? { random: true as const } : {}
  const target: NatTarget = { kind: 'redirect', ...(s.ports && { ports: portRange(s.ports) }), ...random }
  return () => target
}

interface Flags {
  readonly random?: true
  readonly randomFully?: true
  readonly persistent?: true
}

const natFlags = (flags: readonly string[]): Flags => ({
  ...(flags.includes('random') && { random: true as const }),
  ...(flags.includes('fully-random') && { randomFully: true as const }),
  ...(flags.includes('persistent') && { persistent: true as const }),
})

function addressNat(s: Extract<NftStatement, { kind: 'nat' }>, flags: Flags, scope: NftScope): NatOf {
  const { op, to } = s
  const make = (address: IpRange | undefined, ports: PortRange | undefined): NatTarget => ({
    kind: op,
    to: { ...(address && { address }), ...(ports && { ports }) },
    ...flags,
  })
  if (to.kind === 'fixed') {
    const address = to.address === undefined ? undefined : addressRange(to.address)
    const target = make(address, to.ports === undefined ? undefined : portRange(to.ports))
    return (f) => (address === undefined || familyOf(address.from) === f.family ? target : undefined)
  }
  const computed = evaluation(to.expression, scope)
  return (f) => {
    const [address = '', port] = computed(f) ?? []
    const ip = parseIp(address)
    if (ip === undefined || familyOf(ip) !== f.family) return undefined
    return make({ from: ip, to: ip }, port === undefined ? undefined : portRange(port))
  }
}

function addressRange(text: string): IpRange {
  const [from = '', to = from] = text.split('-')
  return { from: from as Ip, to: to as Ip }
}

function portRange(text: string): PortRange {
  const [from = '0', to = from] = text.split('-')
  return { from: Number(from), to: Number(to) }
}
