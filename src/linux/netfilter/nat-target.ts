import type { NatRange, Target } from '../../artefact/iptables/rule.ts'
import { familyOf, type Ip, ip } from '../../net/ip.ts'
import type { Connection } from '../conntrack/connection.ts'
import { manipAt } from '../conntrack/nat-packet.ts'
import { type NatEnvironment, type NatRequest, setUpNat } from '../conntrack/nat-setup.ts'
import type { Facts } from './facts.ts'

export type NatTarget = Extract<Target, { kind: 'dnat' | 'snat' | 'masquerade' | 'redirect' }>

export const isNatTarget = (target: Target): target is NatTarget =>
  target.kind === 'dnat' || target.kind === 'snat' || target.kind === 'masquerade' || target.kind === 'redirect'

export type NatOutcome =
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop'; readonly why: string }
  /** No kernel loads such a rule here. */
  | { readonly kind: 'misplaced' }

export const natEnvironment = ({ nf, ctx }: Pick<Facts, 'nf' | 'ctx'>): NatEnvironment => ({
  table: nf.conntrack,
  now: ctx.clock.now(),
  noise: (n) => ctx.chance.noise(n),
})

/** Carries a NAT target out on the connection of the packet; the header follows once the chain is left. */
export function applyNatTarget(target: NatTarget, f: Facts): NatOutcome {
  const { connection } = f.skb
  const manip = target.kind === 'dnat' || target.kind === 'redirect' ? 'dst' : 'src'
  if (!connection || manip !== manipAt(f.hook)) return { kind: 'misplaced' }
  const request = requestOf(target, connection, f)
  if (request === undefined) return { kind: 'accept' }
  if (typeof request === 'string') return { kind: 'drop', why: request }
  setUpNat(connection, manip, request, natEnvironment(f))
  return { kind: 'accept' }
}

/** A string says why the packet is dropped; undefined leaves it as it is. */
function requestOf(target: NatTarget, connection: Connection, f: Facts): NatRequest | string | undefined {
  switch (target.kind) {
    case 'dnat':
      return { ...rangeOf(target.to), random: target.random === true, persistent: target.persistent === true }
    case 'snat': {
      const random = target.random === true || target.randomFully === true
      return { ...rangeOf(target.to), random, persistent: target.persistent === true }
    }
    case 'redirect': {
      const address = redirectAddress(f)
      if (!address) return `${f.in ?? 'the device'} has no address to redirect to`
      return single(address, target.ports, target.random === true)
    }
    case 'masquerade':
      return masquerade(target, connection, f)
  }
}

/** nf_nat_masquerade_ipv4, _ipv6 (net/netfilter/nf_nat_masquerade.c). */
function masquerade(
  target: Extract<NatTarget, { kind: 'masquerade' }>,
  connection: Connection,
  f: Facts,
): NatRequest | string | undefined {
  if (connection.original.src === unspecified(f)) return undefined
  const { out } = f
  if (out === undefined) return 'it leaves by no device'
  const address = f.ctx.sourceAddress(out, f.ctx.nexthop ?? f.skb.packet.dst)
  if (!address) return `${out} has no address to masquerade with`
  connection.masqueradeDevice = out
  return single(address, target.ports, target.random === true || target.randomFully === true)
}

/** nf_nat_redirect: what this machine sends goes to its loopback, the rest to the first address of the device it came by. */
function redirectAddress(f: Facts): Ip | undefined {
  if (f.hook === 'output') return ip(f.family === 'ipv4' ? '127.0.0.1' : '::1')
  if (f.in === undefined) return undefined
  return f.ctx.sourceAddress(f.in, f.family === 'ipv4' ? unspecified(f) : f.skb.packet.src)
}

const unspecified = (f: Facts): Ip => ip(familyOf(f.skb.packet.src) === 'ipv4' ? '0.0.0.0' : '::')

const rangeOf = ({ address, ports }: NatRange): Pick<NatRequest, 'address' | 'ports'> => ({
  ...(address && { address }),
  ...(ports && { ports }),
})

const single = (address: Ip, ports: NatRange['ports'], random: boolean): NatRequest => ({
  address: { from: address, to: address },
  ...(ports && { ports }),
  random,
  persistent: false,
})
