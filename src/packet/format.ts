import { familyOf, type Ip } from '../net/ip.ts'
import { formatSocketAddress } from '../net/port.ts'
import {
  type Arp,
  type Frame,
  type IcmpMessage,
  type IpPacket,
  type IpPayload,
  protocolNumber,
  tcpFlag,
} from './packet.ts'
import { icmpType } from './wire.ts'

/** One line, shortest useful first: `tcp SYN 10.244.1.5:41822 > 10.96.45.67:80`. */
export function formatPacket(packet: IpPacket): string {
  return formatPayload(packet, packet.payload)
}

/** As `formatPacket`, or `arp who-has 10.244.1.1 tell 10.244.1.5`. */
export function formatFrame(frame: Frame): string {
  return frame.payload.kind === 'arp' ? formatArp(frame.payload.arp) : formatPacket(frame.payload.packet)
}

const flagNames: readonly (readonly [number, string])[] = [
  [tcpFlag.syn, 'SYN'],
  [tcpFlag.fin, 'FIN'],
  [tcpFlag.rst, 'RST'],
  [tcpFlag.psh, 'PSH'],
  [tcpFlag.ack, 'ACK'],
  [tcpFlag.urg, 'URG'],
]

/** `SYN,ACK`; `none` for no flag at all. */
export function formatFlags(flags: number): string {
  const names = flagNames.filter(([bit]) => flags & bit).map(([, name]) => name)
  return names.length > 0 ? names.join(',') : 'none'
}

function formatPayload(packet: IpPacket, payload: IpPayload): string {
  switch (payload.kind) {
    case 'tcp':
      return `tcp ${formatFlags(payload.flags)} ${formatEnds(packet, payload)}${formatData(payload.data)}`
    case 'udp':
      if (payload.vxlan) return `vxlan ${payload.vxlan.vni} ${formatEnds(packet)} {${formatFrame(payload.vxlan.inner)}}`
      if (payload.tunnelled) return `udp ${formatEnds(packet, payload)} {${formatPacket(payload.tunnelled)}}`
      return `udp ${formatEnds(packet, payload)}${formatData(payload.data)}`
    case 'sctp':
      return `sctp ${payload.chunk.toUpperCase()} ${formatEnds(packet, payload)}${formatData(payload.data)}`
    case 'icmp':
      return `${familyOf(packet.src) === 'ipv4' ? 'icmp' : 'icmp6'} ${formatIcmp(packet, payload.message)}`
    case 'ipip':
      return `ipip ${formatEnds(packet)} {${formatPacket(payload.inner)}}`
    case 'fragment': {
      const range = `${payload.offset}-${payload.offset + payload.length}${payload.more ? '+' : ''}`
      return `fragment ${range} of {${formatPacket(payload.whole)}}`
    }
    case 'other':
      return `proto ${protocolNumber(packet)} ${formatEnds(packet)}${formatData(payload.data)}`
  }
}

function formatIcmp(packet: IpPacket, message: IcmpMessage): string {
  switch (message.kind) {
    case 'echo-request':
    case 'echo-reply':
      return `${message.kind.replace('-', ' ')} ${formatEnds(packet)} id ${message.id} seq ${message.seq}`
    case 'error': {
      const mtu = message.mtu === undefined ? '' : ` mtu ${message.mtu}`
      return `${message.type}/${message.code}${mtu} ${formatEnds(packet)} quoting {${formatPacket(message.quoted)}}`
    }
    case 'redirect': {
      const type = icmpType[familyOf(packet.src)].redirect
      return `${type}/${message.code} to ${message.gateway} ${formatEnds(packet)} quoting {${formatPacket(message.quoted)}}`
    }
    case 'neighbour-solicitation':
      return `who-has ${message.target} tell ${packet.src}`
    case 'neighbour-advertisement':
      return `${message.target} is-at ${message.targetMac}`
  }
}

const formatArp = (arp: Arp): string =>
  arp.op === 'request'
    ? `arp who-has ${arp.targetIp} tell ${arp.senderIp}`
    : `arp ${arp.senderIp} is-at ${arp.senderMac}`

function formatEnds(packet: IpPacket, ports?: { readonly srcPort: number; readonly dstPort: number }): string {
  const end = (ip: Ip, port: number | undefined): string => (port === undefined ? ip : formatSocketAddress(ip, port))
  return `${end(packet.src, ports?.srcPort)} > ${end(packet.dst, ports?.dstPort)}`
}

const formatData = (data: number): string => (data > 0 ? ` (${data} bytes)` : '')
