import type { AddressType } from '../artefact/iptables/rule.ts'
import type { DeviceName } from '../artefact/link.ts'
import { readSysctl } from '../artefact/sysctl.ts'
import { familyOf, type Ip, ipv4ToUint32 } from '../net/ip.ts'
import { packetFamily } from '../packet/packet.ts'
import type { Ethernet } from './device/ethernet.ts'
import { isMulticastIp } from './device/ethernet.ts'
import { lookup } from './fib.ts'
import { isFragment, reassemble } from './fragment.ts'
import { ipvsReply, ipvsRequest, virtualOf } from './ipvs/ipvs-hook.ts'
import type { NetfilterContext, Registered } from './netfilter/context.ts'
import type { Hook } from './netfilter/hook.ts'
import { runHook, tracksConnections } from './netfilter/netfilter.ts'
import { limitedBroadcast, sourceAddress } from './routing.ts'
import type { Skb } from './skb.ts'
import { drop, loopbackOf, type Work } from './work.ts'

export interface HookPlace {
  readonly nexthop?: Ip
  /** The frame inside a bridge that br_netfilter lent to this hook. */
  readonly bridged?: Ethernet
  readonly reroute?: (skb: Skb) => boolean
  /** IPVS took the packet, and sends it on. */
  readonly onStolen?: () => void
}

/** NF_HOOK: the packet as the hook leaves it, or undefined where it ended there. REJECT's answer is asked for. */
export function throughHook(work: Work, hook: Hook, skb: Skb, place: HookPlace = {}): Skb | undefined {
  const result = runHook(work.ns.netfilter, hook, skb, contextOf(work, hook, skb, place))
  if (result.verdict === 'accept') return result.skb
  if (result.verdict === 'stolen') place.onStolen?.()
  if (result.verdict === 'reject') {
    const base = { kind: 'reject', skb: result.skb, answer: result.answer } as const
    work.next.push(place.bridged ? { ...base, bridged: place.bridged } : base)
  }
  return undefined
}

/** nf_defrag: where connections are tracked, PREROUTING and OUTPUT see whole packets only. Undefined: wait for the rest. */
export function defragment(work: Work, user: string, skb: Skb): Skb | undefined {
  if (!isFragment(skb.packet)) return skb
  const whole = reassemble(work.ns.reassembly, user, skb.packet)
  return whole && { ...skb, packet: whole.packet, fragMaxSize: whole.maxSize, pieceSize: whole.maxSize }
}

export const tracks = (work: Work, skb: Skb): boolean => tracksConnections(work.ns.netfilter, packetFamily(skb.packet))

function contextOf(work: Work, hook: Hook, skb: Skb, place: HookPlace): NetfilterContext {
  const { chance, clock, everyRule, linear } = work.ns.options
  return {
    emit: work.emit,
    chance,
    clock,
    everyRule: everyRule ?? false,
    linear: linear ?? false,
    bridged: place.bridged !== undefined,
    nexthop: place.nexthop,
    addressType: (ip, device) => addressType(work, ip, device),
    sourceAddress: (device, nexthop) => sourceAddress(work, device, nexthop),
    fibDevice: (address, packet, device) => {
      const way = lookup(work.ns.fib, { src: undefined, dst: address, iif: loopbackOf(work), mark: packet.mark })
      const out = way.kind === 'route' && way.found.route.type === 'unicast' ? way.found.device : undefined
      return device === undefined || out === device ? out : undefined
    },
    reversePath: (loose) => reversePath(work, skb, loose),
    sysctl: (key) => readSysctl(work.ns.state.sysctls, key),
    ...(place.reroute && { reroute: place.reroute }),
    ...(work.ns.ipvs.services.size > 0 && {
      besides: ipvsAt(work, hook),
      virtualOf: (packet: Skb) => virtualOf(work, packet),
    }),
  }
}

/** ip_vs_ops4, ip_vs_ops6 (net/netfilter/ipvs/ip_vs_core.c): around the nat hooks. */
function ipvsAt(work: Work, hook: Hook): readonly Registered[] {
  const reply = (priority: number): Registered => ({ priority, run: (skb) => ipvsReply(work, hook, skb) })
  const request = (priority: number): Registered => ({ priority, run: (skb) => ipvsRequest(work, hook, skb) })
  switch (hook) {
    case 'input':
      return [reply(98), request(99)]
    case 'forward':
      return [reply(100)]
    case 'output':
      return [reply(-99), request(-98)]
    case 'prerouting':
    case 'postrouting':
      return []
  }
}

/** inet_addr_type_dev_table: the local table decides; whatever it does not hold is unicast. */
export function addressType(work: Work, address: Ip, device?: DeviceName): AddressType {
  if (isMulticastIp(address)) return 'MULTICAST'
  if (familyOf(address) === 'ipv6') return addressTypeIpv6(work, address, device)
  if (address === limitedBroadcast || ipv4ToUint32(address) >>> 24 === 0) return 'BROADCAST'
  const found = localRoute(work, address)
  if (!found || (device !== undefined && found.route.dev !== device)) return 'UNICAST'
  return found.route.type === 'broadcast' ? 'BROADCAST' : 'LOCAL'
}

function localRoute(work: Work, dst: Ip) {
  const result = lookup(work.ns.fib, { src: undefined, dst, iif: loopbackOf(work), mark: 0 })
  if (result.kind !== 'route') return undefined
  const { type } = result.found.route
  return type === 'local' || type === 'broadcast' ? result.found : undefined
}

/** match_lookup_rt6 (net/netfilter/xt_addrtype.c): a route look-up, an address without a route is unreachable. */
function addressTypeIpv6(work: Work, dst: Ip, device: DeviceName | undefined): AddressType {
  const result = lookup(work.ns.fib, { src: undefined, dst, iif: loopbackOf(work), mark: 0 })
  if (result.kind !== 'route') return 'UNREACHABLE'
  const { route } = result.found
  return route.type === 'local' && (device === undefined || route.dev === device) ? 'LOCAL' : 'UNICAST'
}

/** rpfilter_lookup_reverse (net/ipv4/netfilter/ipt_rpfilter.c). */
function reversePath(work: Work, skb: Skb, loose: boolean): boolean {
  const { src, dst } = skb.packet
  const back = lookup(work.ns.fib, { src: dst, dst: src, iif: loopbackOf(work), mark: 0 })
  if (back.kind !== 'route' || back.found.route.type !== 'unicast') return false
  return loose || back.found.device === skb.inDevice
}

export function dropTooBig(work: Work, skb: Skb, device: DeviceName, mtu: number, length: number): void {
  work.emit({ kind: 'mtu', device, mtu, length, outcome: 'too-big' })
  drop(work, 'mtu-exceeded-df', skb.packet, `${length} bytes do not fit the MTU ${mtu} of ${device}`, device)
}
