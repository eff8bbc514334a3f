import { type IcmpError, type IpPacket, packetFamily } from '../packet/packet.ts'
import type { Errno } from './event.ts'
import type { Skb } from './skb.ts'
import { close, endsAt, findConnected, findListener, swapEnds } from './socket-table.ts'
import { drop, type Work } from './work.ts'

/** icmp_err_convert (net/ipv4/icmp.c): destination unreachable, by code. */
const unreachable: readonly Errno[] = [
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENOPROTOOPT',
  'ECONNREFUSED',
  'EMSGSIZE',
  'EHOSTUNREACH',
  'ENETUNREACH',
]

function errnoOf(error: IcmpError, quoted: IpPacket): Errno {
  if (packetFamily(quoted) === 'ipv6') return errnoOfIpv6(error)
  if (error.type !== 3) return error.type === 12 ? 'EPROTO' : 'EHOSTUNREACH'
  if (error.code === 9 || error.code === 11) return 'ENETUNREACH'
  return unreachable[error.code] ?? 'EHOSTUNREACH'
}

/** icmpv6_err_convert (net/ipv6/icmp.c). */
function errnoOfIpv6({ type, code }: IcmpError): Errno {
  if (type === 2) return 'EMSGSIZE'
  if (type === 3) return 'EHOSTUNREACH'
  if (type === 4) return 'EPROTO'
  const byCode: readonly Errno[] = ['ENETUNREACH', 'EACCES', 'EHOSTUNREACH', 'EHOSTUNREACH', 'ECONNREFUSED']
  return byCode[code] ?? 'EACCES'
}

/** A system call fails. */
export function fail(work: Work, owner: string, errno: Errno, why: string): void {
  work.emit({ kind: 'socket-error', errno, owner, why })
  work.outputs.push({ kind: 'error', owner, errno })
}

/** icmp_unreach: to the socket whose packet is quoted. */
export function errorReceived(work: Work, skb: Skb, error: IcmpError): void {
  const { packet } = skb
  const owner = ownerOf(work, error)
  if (owner === undefined) {
    work.emit({ kind: 'socket-none', packet, answer: 'none' })
    drop(work, 'not-listening', packet, 'no socket here sent what the ICMP error quotes')
    return
  }
  const errno = errnoOf(error, error.quoted)
  work.emit({ kind: 'socket-error', errno, owner, why: `ICMP ${error.type}/${error.code} from ${packet.src}` })
  work.outputs.push({ kind: 'error', owner, errno, icmp: packet })
}

function ownerOf(work: Work, { quoted }: IcmpError): string | undefined {
  const { sockets } = work.ns
  // Only the first fragment has the ports.
  if (quoted.payload.kind === 'fragment' && quoted.payload.offset > 0) return undefined
  const payload = quoted.payload.kind === 'fragment' ? quoted.payload.whole.payload : quoted.payload
  switch (payload.kind) {
    case 'icmp':
      return payload.message.kind === 'echo-request'
        ? sockets.pings.get(`${packetFamily(quoted)} ${payload.message.id}`)
        : undefined
    case 'tcp':
    case 'udp':
    case 'sctp': {
      const ends = swapEnds(endsAt(quoted, payload))
      const connected = findConnected(sockets, ends)
      if (connected && payload.kind !== 'udp' && connected.state === 'syn-sent') close(sockets, ends)
      return connected?.owner ?? findListener(sockets, payload.kind, ends.local, ends.localPort)?.owner
    }
    case 'ipip':
    case 'other':
    case 'fragment':
      return undefined
  }
}
