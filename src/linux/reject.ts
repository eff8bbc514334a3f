import { tcpFlag } from '../packet/packet.ts'
import { attachmentOf } from './conntrack/attach.ts'
import type { Ethernet } from './device/ethernet.ts'
import { kernelPacket, sendIcmpError } from './icmp-send.ts'
import type { RejectAnswer } from './netfilter/hook.ts'
import { localOut } from './path/output.ts'
import { routeOutput } from './routing.ts'
import { type Skb, skbOf } from './skb.ts'
import { resetOf } from './socket-tcp.ts'
import { linkOf, type Work } from './work.ts'

/** nf_send_unreach and nf_send_reset (net/ipv4/netfilter/nf_reject_ipv4.c). */
export function reject(work: Work, skb: Skb, answer: RejectAnswer, bridged: Ethernet | undefined): void {
  if (answer.kind === 'tcp-reset') {
    reset(work, skb, bridged)
    return
  }
  const { type, code } = answer
  sendIcmpError(work, skb, { type, code, why: 'REJECT' })
}

function reset(work: Work, skb: Skb, bridged: Ethernet | undefined): void {
  const { packet } = skb
  const { payload } = packet
  if (payload.kind !== 'tcp' || payload.flags & tcpFlag.rst) return
  const answer = { ...kernelPacket(work, packet.dst, packet.src, 0, resetOf(payload)), df: true }
  const carried: Skb = { ...skbOf(answer), ...attachmentOf(skb) }
  const port = skb.physIn
  const bridge = skb.inDevice && linkOf(work, skb.inDevice)
  if (port !== undefined && bridge && skb.sourceMac !== undefined) {
    // Straight out of the port that the packet came in by, as if the one it was for had answered.
    const src = bridged?.dst ?? bridge.mac
    const ethernet = { dst: skb.sourceMac, src, payload: { kind: 'ip', skb: carried } } as const
    work.next.push({ kind: 'transmit', device: port, ethernet })
    return
  }
  // ip_route_me_harder: the source is the other end's address, whose route would refuse it as a source of ours.
  const route = routeOutput(work, { src: packet.dst, dst: packet.src, mark: 0 }, 'icmp')
  if (route.kind === 'ok') localOut(work, carried, route.dst)
}
