import { familyOf, type Ip } from '../net/ip.ts'
import { packetLength } from '../packet/length.ts'
import type { IpPacket } from '../packet/packet.ts'
import { meantAddress, type Refusal, refusedRouted, refusedUnrouted } from './destination.ts'
import { addressType } from './hooks.ts'
import type { SendRequest } from './kernel.ts'
import { localOut } from './path/output.ts'
import { routeOutput } from './routing.ts'
import { skbOf } from './skb.ts'
import { fail } from './socket-error.ts'
import { connect, endsAt, findConnected, findListener, swapEnds } from './socket-table.ts'
import { drop, type Work } from './work.ts'

/** A process sends: the system call, its errors, and the socket that then awaits the answer. */
export function send(work: Work, asked: SendRequest): void {
  const request = { ...asked, dst: meantAddress(asked) }
  const mark = request.mark ?? 0
  const { owner, payload } = request
  if (request.src !== undefined && addressType(work, request.src) !== 'LOCAL') {
    drop(work, 'source-not-local', draft(request, request.src), `${request.src} is no address of this namespace`)
    fail(work, owner, 'EADDRNOTAVAIL', `cannot bind to ${request.src}`)
    return
  }
  const never = refusedUnrouted(request)
  if (never) {
    refuse(work, request, never)
    return
  }
  const route = routeOutput(work, { src: request.src, dst: request.dst, mark }, 'output')
  if (route.kind === 'error') {
    const kind = route.outcome.kind
    const refused = kind === 'blackhole' || kind === 'unreachable' || kind === 'prohibit'
    const localnet = route.errno === 'EINVAL' && kind === 'none'
    const reason = refused ? (`${kind}-route` as const) : localnet ? 'martian-source' : 'no-route'
    drop(work, reason, draft(request, request.src), whyNot(request, kind, localnet))
    fail(work, owner, route.errno, `to ${request.dst}`)
    return
  }
  const refused = refusedRouted(request, route.dst)
  if (refused) {
    refuse(work, request, refused)
    return
  }
  if (route.src === undefined) {
    fail(work, owner, 'EADDRNOTAVAIL', `no source address towards ${request.dst}`)
    return
  }
  const whole = draft(request, route.src)
  const length = packetLength(whole)
  const tooBig = length > route.dst.mtu
  const cut = tooBig && (request.fragmentTooBig || !request.df)
  const packet = cut ? { ...whole, df: familyOf(whole.dst) === 'ipv6' } : whole
  work.emit({ kind: 'socket-send', packet, owner })
  // IP_PMTUDISC_DO, IPV6_PMTUDISC_DO: ip_append_data and ip6_append_data refuse.
  if (tooBig && !cut) {
    const { mtu, device } = route.dst
    work.emit({ kind: 'mtu', device, mtu, length, outcome: 'too-big' })
    drop(work, 'mtu-exceeded-df', packet, `${length} bytes with DF do not fit the MTU ${mtu} of ${device}`, device)
    fail(work, owner, 'EMSGSIZE', `${length} bytes, MTU ${mtu}`)
    return
  }
  registerSocket(work, packet, owner)
  const sent = { ...skbOf(packet), mark, ...(payload.kind !== 'tcp' && { sender: owner }) }
  const errno = localOut(work, sent, route.dst)
  // connect() does not hear of it: TCP takes a lost SYN for a lost SYN (tcp_connect).
  if (errno !== undefined && payload.kind !== 'tcp') fail(work, owner, errno, 'netfilter on the way out')
}

function refuse(work: Work, request: SendRequest, { errno, why }: Refusal): void {
  drop(work, 'martian-destination', draft(request, request.src), why)
  fail(work, request.owner, errno, `to ${request.dst}`)
}

function whyNot(request: SendRequest, kind: string, localnet: boolean): string {
  if (localnet) return `${request.src} may not leave this host: route_localnet is 0`
  return kind === 'none' ? `no route to ${request.dst}` : `the route to ${request.dst} is of type ${kind}`
}

function draft(request: SendRequest, src: Ip | undefined): IpPacket {
  const { dst, ttl, tos, df, payload } = request
  const unspecified = (familyOf(dst) === 'ipv4' ? '0.0.0.0' : '::') as Ip
  return { src: src ?? unspecified, dst, ttl, tos, id: 0, df: df || familyOf(dst) === 'ipv6', payload }
}

/** A client's socket is connected: it takes answers from that peer alone. A server answers by its listening socket. */
function registerSocket(work: Work, packet: IpPacket, owner: string): void {
  const { sockets } = work.ns
  const { payload } = packet
  if (payload.kind === 'icmp') {
    if (payload.message.kind === 'echo-request') {
      sockets.pings.set(`${familyOf(packet.dst)} ${payload.message.id}`, owner)
    }
    return
  }
  if (payload.kind !== 'tcp' && payload.kind !== 'udp' && payload.kind !== 'sctp') return
  if (findListener(sockets, payload.kind, packet.src, payload.srcPort)) return
  const ends = swapEnds(endsAt(packet, payload))
  if (!findConnected(sockets, ends)) connect(sockets, { ends, owner, ttl: packet.ttl, state: 'syn-sent' })
}
