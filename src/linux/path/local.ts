import type { DeviceName } from '../../artefact/link.ts'
import { type IpPacket, packetFamily } from '../../packet/packet.ts'
import { cause } from '../action.ts'
import { ipipReceive } from '../device/ipip.ts'
import { vxlanReceive } from '../device/vxlan.ts'
import { defragment, throughHook } from '../hooks.ts'
import { icmpReceive } from '../icmp-receive.ts'
import type { Skb } from '../skb.ts'
import { sctpReceive } from '../socket-sctp.ts'
import { tcpReceive } from '../socket-tcp.ts'
import { udpReceive } from '../socket-udp.ts'
import { drop, type Work } from '../work.ts'

/** ip_local_deliver, ip6_input: the rest of its fragments, INPUT, then the transport protocol. */
export function deliver(work: Work, skb: Skb, device: DeviceName, broadcast: boolean): void {
  const whole = defragment(work, 'local', skb)
  const after = whole && throughHook(work, 'input', whole)
  if (after) toProtocol(work, after, device, broadcast)
}

function toProtocol(work: Work, skb: Skb, device: DeviceName, broadcast: boolean): void {
  const { payload } = skb.packet
  switch (payload.kind) {
    case 'icmp':
      icmpReceive(work, skb, device, payload.message, broadcast)
      return
    case 'tcp':
      broadcast ? undefined : tcpReceive(work, skb, payload)
      return
    case 'udp':
      if (!vxlanReceive(work, skb, payload)) udpReceive(work, skb, payload, broadcast)
      return
    case 'sctp':
      sctpReceive(work, skb, payload)
      return
    case 'ipip':
      ipipReceive(work, skb, payload.inner)
      return
    case 'other':
      noProtocol(work, skb, payload.protocol)
      return
    case 'fragment':
      return
  }
}

function noProtocol(work: Work, skb: Skb, protocol: number): void {
  const { packet }: { packet: IpPacket } = skb
  const why = `nothing here takes IP protocol ${protocol}`
  work.emit({ kind: 'socket-none', packet, answer: 'none' })
  drop(work, 'not-listening', packet, why)
  work.next.push({ kind: 'icmp-error', about: skb, error: cause(packetFamily(packet), 'protocolUnreachable', why) })
}
