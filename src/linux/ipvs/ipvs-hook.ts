import { serviceName } from '../../artefact/ipvs.ts'
import { readSysctlNumber } from '../../artefact/sysctl.ts'
import type { Ip } from '../../net/ip.ts'
import { isTransportProtocol, type TransportProtocol } from '../../net/port.ts'
import { packetLength } from '../../packet/length.ts'
import { type IpPacket, packetFamily, protocolNumber, tcpFlag } from '../../packet/packet.ts'
import { cause } from '../action.ts'
import type { Tuple } from '../conntrack/connection.ts'
import { quotedBy } from '../conntrack/icmp-error.ts'
import { rewrite } from '../conntrack/rewrite.ts'
import type { Hook, HookResult } from '../netfilter/hook.ts'
import { routeOutput } from '../routing.ts'
import type { Skb } from '../skb.ts'
import { drop, isLocalIp, type Work } from '../work.ts'
import {
  connectionKey,
  connectionOfReply,
  type Destination,
  hashConnection,
  type IpvsConnection,
  unhashConnection,
  type VirtualService,
} from './table.ts'

/** Milliseconds of virtual time (ip_vs_proto_tcp.c, _udp.c, _sctp.c). */
const timeouts = { opening: 60_000, established: 900_000, closing: 120_000, udp: 300_000 } as const

/** ip_vs_in: a packet for a virtual service, at LOCAL_IN and LOCAL_OUT. Undefined: IPVS leaves it alone. */
export function ipvsRequest(work: Work, hook: Hook, skb: Skb): HookResult | undefined {
  const asked = endsOf(skb.packet)
  if (!asked || skb.ipvs) return undefined
  const { ipvs } = work.ns
  const service = ipvs.services.get(serviceName({ protocol: asked.protocol, address: asked.dst, port: asked.dstPort }))
  const key = connectionKey(asked.protocol, asked.src, asked.srcPort, asked.dst, asked.dstPort)
  const known = ipvs.connections.get(key)
  const live = known && known.expires > work.ns.options.clock.now() ? known : undefined
  if (live && opensAgain(live, skb.packet)) forget(work, key, live)
  else if (live) return sendOn(work, hook, skb, live, 'established')
  if (!service || !opens(skb.packet)) return undefined
  const chosen = choose(work, service, asked)
  if (chosen === 'unknown') return undecided(work, skb, service)
  if (!chosen) return refuse(work, hook, skb, service)
  return sendOn(work, hook, skb, begin(work, key, service, asked, chosen.destination), chosen.why)
}

interface Ends {
  readonly protocol: TransportProtocol
  readonly src: Ip
  readonly dst: Ip
  readonly srcPort: number
  readonly dstPort: number
}

function endsOf({ src, dst, payload }: IpPacket): Ends | undefined {
  if (!isTransportProtocol(payload.kind) || !('srcPort' in payload)) return undefined
  return { protocol: payload.kind, src, dst, srcPort: payload.srcPort, dstPort: payload.dstPort }
}

/** tcp_conn_schedule, sctp_conn_schedule: only what begins a connection is given to a server. */
function opens({ payload }: IpPacket): boolean {
  if (payload.kind === 'tcp') return (payload.flags & tcpFlag.syn) !== 0 && (payload.flags & tcpFlag.rst) === 0
  return payload.kind === 'sctp' ? payload.chunk === 'init' : true
}

const setting = (work: Work, name: string): number =>
  readSysctlNumber(work.ns.state.sysctls, `net.ipv4.vs.${name}`) ?? 0

/** A SYN for a connection whose server is gone: expire_nodest_conn. */
const opensAgain = (c: IpvsConnection, packet: IpPacket): boolean => !c.destination.present && opens(packet)

function forget({ ns }: Work, key: string, c: IpvsConnection): void {
  unhashConnection(ns.ipvs, key, c)
  if (c.established) c.destination.active--
  else c.destination.inactive--
}

type Why = 'scheduled' | 'persistent'

function choose(
  work: Work,
  service: VirtualService,
  asked: Ends,
): { readonly destination: Destination; readonly why: Why } | 'unknown' | undefined {
  const now = work.ns.options.clock.now()
  const { persistent } = service.service
  const key = `${serviceName(service.service)} ${asked.src}`
  const template = persistent === undefined ? undefined : work.ns.ipvs.templates.get(key)
  const isKept = template && template.expires > now && template.destination.present && template.destination.weight > 0
  if (!isKept && !service.schedule) return 'unknown'
  const { src: source, srcPort: sourcePort, dst: destination } = asked
  const chosen = isKept ? template.destination : service.schedule?.(service, { source, sourcePort, destination })
  if (!chosen) return undefined
  if (persistent !== undefined) {
    work.ns.ipvs.templates.set(key, { destination: chosen, expires: now + persistent * 1000 })
  }
  return { destination: chosen, why: isKept ? 'persistent' : 'scheduled' }
}

function begin(
  work: Work,
  key: string,
  service: VirtualService,
  asked: Ends,
  destination: Destination,
): IpvsConnection {
  const made: IpvsConnection = {
    protocol: asked.protocol,
    client: asked.src,
    clientPort: asked.srcPort,
    virtual: asked.dst,
    virtualPort: asked.dstPort,
    destination,
    service: service.service,
    tracked: setting(work, 'conntrack') !== 0,
    established: false,
    expires: 0,
  }
  destination.inactive++
  hashConnection(work.ns.ipvs, key, made)
  return made
}

function touch(work: Work, c: IpvsConnection, { payload }: IpPacket): void {
  const now = work.ns.options.clock.now()
  if (payload.kind !== 'tcp') {
    c.expires = now + timeouts.udp
    return
  }
  const { flags } = payload
  if (!c.established && flags & tcpFlag.ack && !(flags & (tcpFlag.syn | tcpFlag.rst))) {
    c.established = true
    c.destination.inactive--
    c.destination.active++
  }
  const ends = flags & (tcpFlag.fin | tcpFlag.rst)
  c.expires = now + (ends ? timeouts.closing : c.established ? timeouts.established : timeouts.opening)
}

/** ip_vs_nat_xmit: a route to the server, TTL, the new destination; then out as if this host had made it. */
function sendOn(work: Work, hook: Hook, skb: Skb, c: IpvsConnection, why: Why | 'established'): HookResult {
  const { packet } = skb
  const { destination: to } = c
  touch(work, c, packet)
  work.emit({ kind: 'ipvs', hook, service: c.service, server: to, outcome: why })
  if (!to.present) return ended(work, skb, 'rule-drop', `the real server of this connection is gone: ${nameOf(c)}`)
  if (to.forward !== 'masq') return undecidedForward(work, skb, c)
  const family = packetFamily(packet)
  const route = routeOutput(work, { src: undefined, dst: to.address, mark: skb.mark }, 'reroute')
  if (route.kind === 'error') return ended(work, skb, 'no-route', `no route to the real server ${to.address}`)
  if (packet.ttl <= 1) {
    const detail = `the TTL of ${packet.ttl} is used up before ${to.address}`
    work.next.push({ kind: 'icmp-error', about: skb, error: cause(family, 'timeExceeded', detail) })
    return ended(work, skb, 'ttl-expired', detail)
  }
  if (packet.df && packetLength(packet) > route.dst.mtu) {
    const { mtu, device } = route.dst
    const detail = `${packetLength(packet)} bytes that may not be fragmented do not fit the MTU ${mtu} of ${device}`
    work.emit({ kind: 'mtu', device, mtu, length: packetLength(packet), outcome: 'too-big' })
    work.next.push({ kind: 'icmp-error', about: skb, error: cause(family, 'tooBig', detail, mtu) })
    return ended(work, skb, 'mtu-exceeded-df', detail)
  }
  const after = rewrite({ ...packet, ttl: packet.ttl - 1 }, 'dst', serverTuple(c, packet))
  tell(work, hook, packet, after, why === 'established' ? 'established' : 'new', skb)
  const moved: Skb = { ...tracked(skb, c), packet: after, ipvs: true }
  if (isLocalIp(work, to.address) && hook === 'input') return { verdict: 'accept', skb: moved }
  work.next.push({ kind: 'local-out', skb: moved, dst: route.dst })
  return { verdict: 'stolen', skb: moved }
}

const serverTuple = (c: IpvsConnection, packet: IpPacket): Tuple => ({
  protocol: protocolNumber(packet),
  src: c.client,
  dst: c.destination.address,
  srcPort: c.clientPort,
  dstPort: c.destination.port,
})

const virtualTuple = (c: IpvsConnection, packet: IpPacket): Tuple => ({
  protocol: protocolNumber(packet),
  src: c.virtual,
  dst: c.client,
  srcPort: c.virtualPort,
  dstPort: c.clientPort,
})

/** ip_vs_update_conntrack, or ip_vs_notrack where net.ipv4.vs.conntrack is 0. */
function tracked(skb: Skb, c: IpvsConnection): Skb {
  const { connection, ctinfo } = skb
  if (!c.tracked) return { ...skb, connection: undefined, ctinfo: { state: 'UNTRACKED' } }
  const isFirst =
    connection && !connection.confirmed && ctinfo && 'direction' in ctinfo && ctinfo.direction === 'original'
  if (isFirst) {
    connection.reply = { ...connection.reply, src: c.destination.address, srcPort: c.destination.port }
    connection.natDone.dst = true
    connection.byIpvs = true
  }
  return skb
}

/** ip_vs_out: answers of a real server, at FORWARD, LOCAL_IN and LOCAL_OUT. */
export function ipvsReply(work: Work, hook: Hook, skb: Skb): HookResult | undefined {
  if (skb.ipvs) return undefined
  const { packet } = skb
  const now = work.ns.options.clock.now()
  const ends = endsOf(packet)
  if (ends) {
    const c = connectionOfReply(work.ns.ipvs, ends, now)
    if (!c) return undefined
    touch(work, c, packet)
    const after = rewrite(packet, 'src', virtualTuple(c, packet))
    tell(work, hook, packet, after, 'reply', skb)
    return { verdict: 'accept', skb: { ...(c.tracked ? skb : untracked(skb)), packet: after, ipvs: true } }
  }
  return errorOfServer(work, hook, skb, now)
}

const untracked = (skb: Skb): Skb => ({ ...skb, connection: undefined, ctinfo: { state: 'UNTRACKED' } })

/** ip_vs_out_icmp: an error about what was sent to a real server tells the client of the virtual service. */
function errorOfServer(work: Work, hook: Hook, skb: Skb, now: number): HookResult | undefined {
  const { packet } = skb
  const message = packet.payload.kind === 'icmp' ? packet.payload.message : undefined
  const quoted = message?.kind === 'error' ? quotedBy(message) : undefined
  const ends = quoted && endsOf(quoted)
  if (message?.kind !== 'error' || !quoted || !ends) return undefined
  const swapped = { ...ends, src: ends.dst, dst: ends.src, srcPort: ends.dstPort, dstPort: ends.srcPort }
  const c = connectionOfReply(work.ns.ipvs, swapped, now)
  if (!c) return undefined
  const { src, dst, srcPort, dstPort, protocol } = virtualTuple(c, quoted)
  const inside = rewrite(quoted, 'dst', { protocol, src: dst, dst: src, srcPort: dstPort, dstPort: srcPort })
  const isFromServer = packet.src === c.destination.address
  const after: IpPacket = {
    ...packet,
    ...(isFromServer && { src: c.virtual }),
    payload: { kind: 'icmp', message: { ...message, quoted: inside } },
  }
  tell(work, hook, packet, after, 'icmp-error', skb)
  return { verdict: 'accept', skb: { ...skb, packet: after, ipvs: true } }
}

const nameOf = (c: IpvsConnection): string => `${c.destination.address}:${c.destination.port}`

function tell(
  work: Work,
  hook: Hook,
  before: IpPacket,
  after: IpPacket,
  why: 'new' | 'established' | 'reply' | 'icmp-error',
  skb: Skb,
): void {
  const manip = why === 'new' || why === 'established' ? 'dst' : 'src'
  work.emit({ kind: 'nat', hook, manip, before, after, why, connection: skb.connection?.id ?? 0 })
}

/** ip_vs_leave: nobody to serve it. */
function refuse(work: Work, hook: Hook, skb: Skb, { service }: VirtualService): HookResult {
  const detail = `the virtual service ${serviceName(service)} has no real server`
  work.emit({ kind: 'ipvs', hook, service, server: undefined, outcome: 'no-server' })
  const error = cause(packetFamily(skb.packet), 'portUnreachable', detail)
  work.next.push({ kind: 'icmp-error', about: skb, error })
  const { origin } = service
  const note = origin && { origin: { ...origin, note: 'has no endpoints' } }
  work.emit({ kind: 'drop', reason: 'rule-reject', packet: skb.packet, hook, detail, ...note })
  return { verdict: 'drop', skb }
}

function ended(work: Work, skb: Skb, reason: Parameters<typeof drop>[1], detail: string): HookResult {
  drop(work, reason, skb.packet, detail)
  return { verdict: 'drop', skb }
}

function undecided(work: Work, skb: Skb, { service }: VirtualService): HookResult {
  drop(
    work,
    'unsupported-rule',
    skb.packet,
    `the scheduler ${service.scheduler} of ${serviceName(service)} is not modelled`,
  )
  return { verdict: 'undecided', skb }
}

function undecidedForward(work: Work, skb: Skb, c: IpvsConnection): HookResult {
  const detail = `${serviceName(c.service)} sends to ${nameOf(c)} by ${c.destination.forward}, which is not modelled`
  drop(work, 'unsupported-rule', skb.packet, detail)
  return { verdict: 'undecided', skb }
}

/** Of a packet that IPVS touched, its virtual service: by either direction of the connection. */
export function virtualOf(work: Work, skb: Skb) {
  const ends = skb.ipvs && endsOf(skb.packet)
  if (!ends) return undefined
  for (const c of work.ns.ipvs.connections.values()) {
    if (c.protocol !== ends.protocol) continue
    const virtual = { protocol: c.protocol, address: c.virtual, port: c.virtualPort }
    if (ends.src === c.client && ends.srcPort === c.clientPort && ends.dst === c.destination.address) return virtual
    if (ends.src === c.virtual && ends.srcPort === c.virtualPort && ends.dst === c.client) return virtual
  }
  return undefined
}
