import type { DeviceName } from '../artefact/link.ts'
import type { TunnelPeer, UserTunnel } from '../cni/result.ts'
import type { DropReason } from '../linux/event.ts'
import type { Input } from '../linux/kernel.ts'
import type { Ip } from '../net/ip.ts'
import { formatSocketAddress, protocolNumbers } from '../net/port.ts'
import { formatPrefix, prefixContains } from '../net/prefix.ts'
import { type IpPacket, protocolNumber } from '../packet/packet.ts'
import type { ClusterEvent, PassageEvent, Process, Reaction } from './process.ts'

/** TTL of the errors that the proxy makes (pkg/backend/udp/proxy_amd64.c). */
const errorTtl = 8
/** They quote the IP header and eight bytes. */
const quotedBytes = 20 + 8

/**
 * The packet loop of flannel's udp backend (pkg/backend/udp/proxy_amd64.c): what comes out of the TUN device goes to the
 * peer whose subnet holds its destination, as the payload of a datagram; what comes out of the socket goes into the
 * device. Both ways the TTL falls; at zero the packet is gone without a word.
 */
export function flanneld(tunnel: UserTunnel, tunAddress: () => Ip | undefined): Process {
  return {
    name: 'flanneld',
    devices: [tunnel.device],
    owner: tunnel.owner,
    packetRead: (_, packet) => toPeer(tunnel, tunAddress, packet),
    datagramReceived: (packet) => toDevice(tunnel, packet),
  }
}

function toPeer(tunnel: UserTunnel, tunAddress: () => Ip | undefined, packet: IpPacket): Reaction {
  const { device } = tunnel
  const read = passage(device, 'process', 'tun', packet)
  const peer = tunnel.peers.find((p) => prefixContains(p.subnet, packet.dst))
  if (!peer) return withoutPeer(tunnel, tunAddress, packet, read)
  const carried = { ...packet, ttl: packet.ttl - 1 }
  if (carried.ttl === 0) return expired(device, packet, [read])
  return { events: [read, sentTo(device, peer, carried)], inputs: [datagram(tunnel, peer, carried)] }
}

const sentTo = (device: DeviceName, peer: TunnelPeer, packet: IpPacket): PassageEvent => ({
  ...passage(device, 'kernel', 'socket', packet),
  peer: formatSocketAddress(peer.address, peer.port),
  because: `${formatPrefix(peer.subnet)} is there`,
})

const datagram = ({ local, port, owner }: UserTunnel, peer: TunnelPeer, tunnelled: IpPacket): Input => ({
  kind: 'send',
  request: {
    src: local,
    dst: peer.address,
    ttl: 64,
    tos: 0,
    df: true,
    payload: { kind: 'udp', srcPort: port, dstPort: peer.port, data: 0, tunnelled },
    owner,
  },
})

function toDevice({ device }: UserTunnel, outer: IpPacket): Reaction {
  const { payload } = outer
  const packet = payload.kind === 'udp' ? payload.tunnelled : undefined
  if (!packet || payload.kind !== 'udp') return { events: [], inputs: [] }
  const read: PassageEvent = {
    ...passage(device, 'process', 'socket', packet),
    peer: formatSocketAddress(outer.src, payload.srcPort),
  }
  const carried = { ...packet, ttl: packet.ttl - 1 }
  if (carried.ttl === 0) return expired(device, packet, [read])
  return {
    events: [read, passage(device, 'kernel', 'tun', carried)],
    inputs: [{ kind: 'receive-tun', device, packet: carried }],
  }
}

const passage = (
  device: DeviceName,
  to: PassageEvent['to'],
  by: PassageEvent['by'],
  packet: IpPacket,
): PassageEvent => ({ kind: 'passage', to, process: 'flanneld', device, by, packet })

const lost = (reason: DropReason, packet: IpPacket, device: DeviceName, detail: string): ClusterEvent => ({
  kind: 'drop',
  reason,
  packet,
  device,
  detail,
})

const expired = (device: DeviceName, packet: IpPacket, before: readonly ClusterEvent[]): Reaction => ({
  events: [...before, lost('ttl-expired', packet, device, `flanneld counts the TTL down to 0 and discards the packet`)],
  inputs: [],
})

/** send_net_unreachable: back into the device, from the device's address. A kernel takes its own address for a martian source there, so the sender rarely hears of it. */
function withoutPeer(
  { device }: UserTunnel,
  tunAddress: () => Ip | undefined,
  packet: IpPacket,
  read: PassageEvent,
): Reaction {
  const why = `flanneld knows no node whose subnet holds ${packet.dst}`
  const events = [read, lost('tunnel-peer-unknown', packet, device, why)]
  const src = tunAddress()
  if (src === undefined || !mayBeTold(packet)) return { events, inputs: [] }
  const error: IpPacket = {
    src,
    dst: packet.src,
    ttl: errorTtl,
    tos: 0,
    id: 0,
    df: false,
    payload: { kind: 'icmp', message: { kind: 'error', type: 3, code: 0, quoted: packet, quotedBytes } },
  }
  return {
    events: [
      ...events,
      { kind: 'icmp-send', packet: error, about: packet, why },
      passage(device, 'kernel', 'tun', error),
    ],
    inputs: [{ kind: 'receive-tun', device, packet: error }],
  }
}

/** RFC 1122, 3.2.2: no error about ICMP, and none about a later fragment. */
const mayBeTold = (packet: IpPacket): boolean =>
  protocolNumber(packet) !== protocolNumbers.icmp && !(packet.payload.kind === 'fragment' && packet.payload.offset > 0)
