import type { IpPacket, IpPayload } from '../../packet/packet.ts'
import type { Tuple } from './connection.ts'

export type Manip = 'src' | 'dst'

/** nf_nat_manip_pkt: the source or destination of the packet becomes that of the tuple, and the echo id its id. */
export function rewrite(packet: IpPacket, manip: Manip, target: Tuple): IpPacket {
  const ends = manip === 'src' ? { src: target.src } : { dst: target.dst }
  const payload = rewritePayload(packet.payload, manip, target)
  const same = manip === 'src' ? packet.src === target.src : packet.dst === target.dst
  return same && payload === packet.payload ? packet : { ...packet, ...ends, payload }
}

function rewritePayload(payload: IpPayload, manip: Manip, target: Tuple): IpPayload {
  switch (payload.kind) {
    case 'tcp':
    case 'udp':
    case 'sctp':
      if (manip === 'src') return payload.srcPort === target.srcPort ? payload : { ...payload, srcPort: target.srcPort }
      return payload.dstPort === target.dstPort ? payload : { ...payload, dstPort: target.dstPort }
    case 'icmp': {
      const { message } = payload
      if (message.kind !== 'echo-request' && message.kind !== 'echo-reply') return payload
      return message.id === target.srcPort ? payload : { ...payload, message: { ...message, id: target.srcPort } }
    }
    case 'fragment':
      return { ...payload, whole: rewrite(payload.whole, manip, target) }
    case 'ipip':
    case 'other':
      return payload
  }
}
