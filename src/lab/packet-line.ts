import { packetLength } from '../packet/length.ts'
import { type Frame, type IcmpMessage, type IpPacket, protocolNumber, tcpFlag } from '../packet/packet.ts'

/** Writes a port or an echo id; those that a kernel draws at random are written alike. */
export type PortText = (port: number) => string

/** A packet in one line, of its headers all that a path decides: `10.244.0.2:40001 > 10.96.0.10:80 tcp S ttl 64 len 60 DF`. */
export function packetLine(packet: IpPacket, port: PortText): string {
  const { payload, ttl, tos, df } = packet
  const length = `ttl ${ttl} len ${packetLength(packet)}${df ? ' DF' : ''}${tos === 0 ? '' : ` tos 0x${tos.toString(16)}`}`
  switch (payload.kind) {
    case 'tcp':
      return `${ends(packet, port)} tcp ${flagLetters(payload.flags)} ${length}`
    case 'udp': {
      const inner = payload.vxlan && `vni ${payload.vxlan.vni} {${frameLine(payload.vxlan.inner, port)}}`
      if (payload.tunnelled) return `${ends(packet, port)} udp ${length} {${packetLine(payload.tunnelled, port)}}`
      const outer = `${ends(packet, payload.vxlan ? () => '~' : port, port)} udp ${length}`
      return inner ? `${outer} ${inner}` : outer
    }
    case 'sctp':
      return `${ends(packet, port)} sctp ${payload.chunk} ${length}`
    case 'icmp':
      return `${packet.src} > ${packet.dst} icmp ${icmpText(payload.message, port)} ${length}`
    case 'ipip':
      return `${packet.src} > ${packet.dst} ipip ${length} {${packetLine(payload.inner, port)}}`
    case 'fragment': {
      const piece = `fragment ${payload.offset}+${payload.length}${payload.more ? ' more' : ''}`
      return `${packet.src} > ${packet.dst} protocol ${protocolNumber(packet)} ${piece} ttl ${ttl}`
    }
    case 'other':
      return `${packet.src} > ${packet.dst} protocol ${payload.protocol} ${length}`
  }
}

const icmpName = (kind: IcmpMessage['kind']): string =>
  kind === 'redirect' ? redirectText : kind.startsWith('neighbour-') ? neighbourText : 'icmp'

/** Both ends as far as the packet's first twenty transport bytes say: what nft's trace tells. */
export function endsLine(packet: IpPacket, port: PortText): string {
  const { payload, ttl } = packet
  switch (payload.kind) {
    case 'tcp':
    case 'udp':
    case 'sctp':
      return `${ends(packet, port)} ${payload.kind} ttl ${ttl}`
    case 'icmp':
      return `${packet.src} > ${packet.dst} ${icmpName(payload.message.kind)} ttl ${ttl}`
    case 'ipip':
    case 'fragment':
    case 'other':
      return `${packet.src} > ${packet.dst} protocol ${protocolNumber(packet)} ttl ${ttl}`
  }
}

export const neighbourText = 'icmp neighbour'

/** A kernel that has told a host a better way lately does not tell it again, so redirects are not compared. */
export const redirectText = 'icmp redirect'

type Ported = { readonly srcPort: number; readonly dstPort: number }

function ends({ src, dst, payload }: IpPacket, srcText: PortText, dstText: PortText = srcText): string {
  const { srcPort, dstPort } = payload as Extract<IpPacket['payload'], Ported>
  return `${end(src, srcText(srcPort))} > ${end(dst, dstText(dstPort))}`
}

export const end = (ip: string, port: string): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)

const letters = [
  [tcpFlag.syn, 'S'],
  [tcpFlag.fin, 'F'],
  [tcpFlag.rst, 'R'],
  [tcpFlag.psh, 'P'],
  [tcpFlag.ack, 'A'],
] as const

const flagLetters = (flags: number): string => letters.map(([bit, letter]) => (flags & bit ? letter : '')).join('')

function icmpText(message: IcmpMessage, port: PortText): string {
  switch (message.kind) {
    case 'echo-request':
    case 'echo-reply':
      return `${message.kind} id ${port(message.id)}`
    case 'error': {
      const mtu = message.mtu ? ` mtu ${message.mtu}` : ''
      return `${message.type}/${message.code}${mtu} about {${quoted(message.quoted, port)}}`
    }
    case 'redirect':
      return `${redirectText.slice(5)} ${message.code} to ${message.gateway} about {${quoted(message.quoted, port)}}`
    case 'neighbour-solicitation':
    case 'neighbour-advertisement':
      return `${message.kind} ${message.target}`
  }
}

/** What is quoted may be cut off, so its length says nothing. */
const quoted = (packet: IpPacket, port: PortText): string => endsLine(packet, port)

export function frameLine(frame: Frame, port: PortText): string {
  const { payload } = frame
  const text =
    payload.kind === 'ip' ? packetLine(payload.packet, port) : `arp ${payload.arp.op} ${payload.arp.targetIp}`
  return `${frame.src} > ${frame.dst} ${text}`
}

/** Multicast listener reports and router solicitations of IPv6. */
export const isHostChatter = (dst: string): boolean => dst.startsWith('ff02:')

/** ARP and its IPv6 kin, and redirects: the traces fold them, and a kernel that has asked or told before does so less often. */
export function isHousekeeping(frame: Frame | undefined, packet: IpPacket | undefined): boolean {
  if (frame?.payload.kind === 'arp') return true
  const inside = frame?.payload.kind === 'ip' ? frame.payload.packet : packet
  if (inside?.payload.kind === 'udp' && inside.payload.vxlan)
    return isHousekeeping(inside.payload.vxlan.inner, undefined)
  if (inside?.payload.kind === 'udp' && inside.payload.tunnelled)
    return isHousekeeping(undefined, inside.payload.tunnelled)
  if (inside?.payload.kind === 'icmp')
    return inside.payload.message.kind.startsWith('neighbour-') || inside.payload.message.kind === 'redirect'
  return inside !== undefined && isHostChatter(inside.dst)
}

/** Of a run of a chain, by its first words. */
export const isHousekeepingRun = (head: string): boolean =>
  head.includes(redirectText) || head.includes(neighbourText) || head.includes(' > ff02:')
