import type { DeviceEvent } from '../../src/linux/event.ts'
import { packetLength } from '../../src/packet/length.ts'
import type { Frame, IpPacket } from '../../src/packet/packet.ts'
import { protocolNumber, tcpFlag } from '../../src/packet/packet.ts'

const protocolNames: Readonly<Record<number, string>> = { 1: 'icmp', 4: 'ipip', 6: 'tcp', 17: 'udp' }

/** A packet in the words of the recordings; ports that a kernel draws are `RANDOM`. */
export function ipLine(packet: IpPacket): string {
  const { payload, src, dst, ttl, df } = packet
  const head = `${src} > ${dst} ${protocolNames[protocolNumber(packet)]} ttl ${ttl} len ${packetLength(packet)}`
  const end = df ? ' DF' : ''
  switch (payload.kind) {
    case 'tcp':
      return `${head} ports ${payload.srcPort}>${payload.dstPort} flags ${flags(payload.flags)}${end}`
    case 'udp':
      return `${head} ports ${payload.srcPort}>${payload.dstPort}${end}${vxlan(payload)}`
    case 'icmp':
      return `${head}${end}${icmp(payload.message)}`
    case 'ipip':
      return `${head}${end} inner {${ipLine(payload.inner)}}`
    case 'fragment':
      return `${head} frag ${payload.offset}${payload.more ? '+' : ''}`
    case 'sctp':
    case 'other':
      return head
  }
}

function flags(bits: number): string {
  const letters = [
    [tcpFlag.syn, 'S'],
    [tcpFlag.fin, 'F'],
    [tcpFlag.rst, 'R'],
    [tcpFlag.psh, 'P'],
    [tcpFlag.ack, 'A'],
  ] as const
  return letters.map(([bit, letter]) => (bits & bit ? letter : '')).join('')
}

function vxlan(payload: Extract<IpPacket['payload'], { kind: 'udp' }>): string {
  const inner = payload.vxlan?.inner
  if (!payload.vxlan || inner?.payload.kind !== 'ip') return ''
  const frame = `${inner.src} > ${inner.dst} ${ipLine(inner.payload.packet)}`
  return ` vxlan vni ${payload.vxlan.vni} flags 0x08 udpcsum set inner {${frame}}`
}

function icmp(message: Extract<IpPacket['payload'], { kind: 'icmp' }>['message']): string {
  switch (message.kind) {
    case 'echo-request':
      return ' icmp 8/0'
    case 'echo-reply':
      return ' icmp 0/0'
    case 'error':
      return ` icmp ${message.type}/${message.code}${message.mtu ? ` mtu ${message.mtu}` : ''} quoting {${ipLine(message.quoted)}}`
    case 'redirect':
      return ` icmp 5/${message.code}`
    case 'neighbour-solicitation':
    case 'neighbour-advertisement':
      return ` ${message.kind}`
  }
}

const direction = { host: 'in', broadcast: 'in-bcast', multicast: 'in-mcast', otherhost: 'in-otherhost' } as const

export function hopLine(event: Extract<DeviceEvent, { kind: 'receive' | 'transmit' }>): string {
  const dir = event.kind === 'transmit' ? 'out' : direction[event.addressed]
  const { frame, packet } = event
  const l2 = frame ? `${frame.src} > ${frame.dst}` : '-'
  return `${event.device} ${dir} ${l2} ${frame ? inFrame(frame) : packet ? ipLine(packet) : ''}`
}

function inFrame({ payload }: Frame): string {
  if (payload.kind === 'ip') return ipLine(payload.packet)
  const { op, senderIp, senderMac, targetIp } = payload.arp
  return `${op === 'request' ? 'req' : 'rep'} ${senderIp} tells ${senderMac} asks ${targetIp}`
}

/** Ports and ids that are drawn at random are made equal. */
export const normalized = (line: string): string =>
  line
    .replace(/ tos 0xc0/g, '')
    .replace(/ports \d+>8472/g, 'ports RANDOM>8472')
    // What sticks out of a fragment is not decoded, and DF before or after the rest is a matter of the recorder.
    .replace(/( frag 0\+).*/, '$1')
    .replace(/ports \d+(?=>8472 frag)/, '')
    .replace(/ ports \S+( frag)/, '$1')
