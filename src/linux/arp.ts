import type { Link } from '../artefact/link.ts'
import { type Ip, ip } from '../net/ip.ts'
import type { Arp } from '../packet/packet.ts'
import { addressesOf, onLink } from './addresses.ts'
import { isMulticastIp } from './device/ethernet.ts'
import type { NeighbourEvent } from './event.ts'
import { type FibResult, lookup } from './fib.ts'
import { findNeighbour, learn, makeIncomplete } from './neighbour.ts'
import { release } from './neighbour-output.ts'
import { routeInput } from './route-input.ts'
import { isLoopbackIp } from './routing.ts'
import { skbOf } from './skb.ts'
import { conf, isForwarding, type Work } from './work.ts'

type Answered = Extract<NeighbourEvent, { kind: 'arp' }>['answered']
type Addressed = 'host' | 'broadcast' | 'multicast' | 'otherhost'

/** arp_process (net/ipv4/arp.c). */
export function arpReceive(work: Work, link: Link, arp: Arp, addressed: Addressed): void {
  if (addressed === 'otherhost') return
  if (arp.op === 'reply') {
    work.emit({ kind: 'arp', device: link.name, arp, answered: 'no' })
    update(work, link, arp, addressed)
    return
  }
  const { answered, because } = answerTo(work, link, arp)
  const event = { kind: 'arp', device: link.name, arp, answered } as const
  work.emit(because === undefined ? event : { ...event, because })
  if (answered === 'no') {
    update(work, link, arp, addressed)
    return
  }
  if (arp.senderIp !== unspecified) learnFrom(work, link, arp, 'stale', true)
  reply(work, link, arp)
}

const unspecified = ip('0.0.0.0')

function answerTo(work: Work, link: Link, arp: Arp): { readonly answered: Answered; readonly because?: string } {
  const { targetIp, senderIp } = arp
  const device = link.name
  const localnet = conf(work, 'ipv4', device, 'route_localnet') !== 0
  if (isMulticastIp(targetIp) || (isLoopbackIp(targetIp) && !localnet)) {
    return { answered: 'no', because: `${targetIp} is not asked for by ARP` }
  }
  const flow = { src: senderIp, dst: targetIp, iif: device, mark: 0 }
  // What a host that does not forward would route anywhere but to itself, it ignores: most of those that a question reaches.
  if (!isForwarding(work, 'ipv4', device) && !isLocal(lookup(work.ns.fib, flow))) return notHere(targetIp)
  const probe = { src: senderIp, dst: targetIp, ttl: 64, tos: 0, id: 0, df: false } as const
  const skb = skbOf({ ...probe, payload: { kind: 'other', protocol: 0, data: 0 } })
  const quiet: Work = { ...work, emit: () => {} }
  const route = senderIp === unspecified ? duplicateCheck(work, arp) : routeInput(quiet, skb, device)
  if (route.kind === 'local' && !route.broadcast) return ownAddress(work, link, arp)
  if (route.kind !== 'forward') return notHere(targetIp)
  return proxy(work, link, arp, route.dst.device)
}

const isLocal = (result: FibResult): boolean => result.kind === 'route' && result.found.route.type === 'local'
const notHere = (target: Ip) => ({ answered: 'no', because: `${target} is not here` }) as const

/** RFC 5227: a probe has no sender address yet. */
const duplicateCheck = (work: Work, arp: Arp) =>
  work.ns.addresses.byIp.has(arp.targetIp)
    ? ({ kind: 'local', broadcast: false } as const)
    : ({ kind: 'error', cause: 'none' } as const)

/** arp_ignore: 0 any address of this host, 1 those of this device, 2 also the sender on its subnet, 8 none. */
function ownAddress(work: Work, link: Link, arp: Arp) {
  const mode = conf(work, 'ipv4', link.name, 'arp_ignore')
  const own = addressesOf(work.ns.addresses, link.name, 'ipv4').filter((a) => a.ip === arp.targetIp)
  const allowed =
    mode === 0 ||
    (mode === 1 && own.length > 0) ||
    (mode === 2 && own.some((a) => onLink(a, arp.senderIp))) ||
    (mode === 3 && !isLoopbackIp(arp.targetIp)) ||
    (mode > 3 && mode < 8)
  if (allowed) return { answered: 'own-address' as const }
  return { answered: 'no' as const, because: `net.ipv4.conf.${link.name}.arp_ignore is ${mode}` }
}

/** arp_fwd_proxy: answers for what this host would forward by another device. */
function proxy(work: Work, link: Link, arp: Arp, out: string) {
  if (conf(work, 'ipv4', link.name, 'proxy_arp') === 0) {
    return { answered: 'no' as const, because: `${arp.targetIp} is not here, and ${link.name} does not proxy` }
  }
  if (out !== link.name) return { answered: 'proxy' as const, because: `${arp.targetIp} is reached by ${out}` }
  return { answered: 'no' as const, because: `${arp.targetIp} is on the asker's side of ${link.name}` }
}

function reply(work: Work, link: Link, request: Arp): void {
  const arp: Arp = {
    op: 'reply',
    senderMac: link.mac,
    senderIp: request.targetIp,
    targetMac: request.senderMac,
    targetIp: request.senderIp,
  }
  const ethernet = { dst: request.senderMac, src: link.mac, payload: { kind: 'arp', arp } } as const
  work.next.push({ kind: 'transmit', device: link.name, ethernet })
}

/** An entry that exists is brought up to date; one is made only where arp_accept says so, for gratuitous ARP. */
function update(work: Work, link: Link, arp: Arp, addressed: Addressed): void {
  const gratuitous = arp.senderIp === arp.targetIp
  const create = gratuitous && conf(work, 'ipv4', link.name, 'arp_accept') !== 0
  const solicited = arp.op === 'reply' && addressed === 'host'
  learnFrom(work, link, arp, solicited ? 'reachable' : 'stale', create)
}

function learnFrom(work: Work, link: Link, arp: Arp, state: 'reachable' | 'stale', create: boolean): void {
  const { neighbours } = work.ns
  const known = findNeighbour(neighbours, link.name, arp.senderIp)
  const entry = known ?? (create ? makeIncomplete(neighbours, link.name, arp.senderIp) : undefined)
  if (!entry) return
  if (learn(entry, arp.senderMac, state)) {
    work.emit({ kind: 'neighbour-learned', device: link.name, ip: arp.senderIp, mac: arp.senderMac })
  }
  release(work, entry)
}
