import type { DeviceName } from '../artefact/link.ts'
import { familyOf } from '../net/ip.ts'
import { type IcmpMessage, packetFamily } from '../packet/packet.ts'
import { kernelPacket } from './icmp-send.ts'
import { advertisementReceived, solicitationReceived } from './ndp.ts'
import { localOut } from './path/output.ts'
import { routeOutput } from './routing.ts'
import { type Skb, skbOf } from './skb.ts'
import { errorReceived } from './socket-error.ts'
import { isOn, type Work } from './work.ts'

/** icmp_rcv, icmpv6_rcv. */
export function icmpReceive(work: Work, skb: Skb, device: DeviceName, message: IcmpMessage, broadcast: boolean): void {
  switch (message.kind) {
    case 'echo-request':
      echo(work, skb, message, broadcast)
      return
    case 'echo-reply':
      echoReply(work, skb, message.id)
      return
    case 'error':
      errorReceived(work, skb, message)
      return
    case 'redirect':
      // A host would note the better way; a router does not take advice.
      return
    case 'neighbour-solicitation':
      solicitationReceived(work, skb, device, message)
      return
    case 'neighbour-advertisement':
      advertisementReceived(work, skb, device, message)
      return
  }
}

/** icmp_echo: the kernel answers, from the address that was asked. */
function echo(work: Work, skb: Skb, request: Extract<IcmpMessage, { id: number }>, broadcast: boolean): void {
  const { packet } = skb
  const ipv4 = packetFamily(packet) === 'ipv4'
  work.emit({ kind: 'socket-receive', packet, owner: 'kernel', listening: true })
  if (ipv4 && isOn(work, 'net.ipv4.icmp_echo_ignore_all')) return
  if (ipv4 && broadcast && isOn(work, 'net.ipv4.icmp_echo_ignore_broadcasts')) return
  const route = routeOutput(work, { src: broadcast ? undefined : packet.dst, dst: packet.src, mark: 0 }, 'icmp')
  if (route.kind === 'error' || route.src === undefined) return
  const payload = { kind: 'icmp', message: { ...request, kind: 'echo-reply' } } as const
  const reply = kernelPacket(work, route.src, packet.src, ipv4 ? packet.tos : 0, payload)
  localOut(work, skbOf(reply), route.dst)
}

/** ping_rcv: to the socket with this id. */
function echoReply(work: Work, skb: Skb, id: number): void {
  const { packet } = skb
  const owner = work.ns.sockets.pings.get(`${familyOf(packet.dst)} ${id}`)
  if (owner === undefined) {
    work.emit({ kind: 'socket-none', packet, answer: 'none' })
    return
  }
  work.emit({ kind: 'socket-receive', packet, owner, listening: false })
  work.outputs.push({ kind: 'deliver', owner, listening: false, packet })
}
