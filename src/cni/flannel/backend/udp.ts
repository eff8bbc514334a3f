import { deviceName } from '../../../artefact/link.ts'
import type { NetnsAdditions } from '../../../artefact/netns.ts'
import { zeroMac } from '../../../net/mac.ts'
import { isAtLeast } from '../../version.ts'
import type { HostCommand } from '../command.ts'
import { count } from '../net-conf.ts'
import { type Backend, type BackendContext, type Peer, programmed, sharedFamilies } from './backend.ts'
import { overlayRoute } from './overlay-route.ts'
import { tunnelAddress } from './vxlan.ts'

const device = deviceName('flannel0')
const owner = 'flanneld, udp backend'

/** pkg/backend/udp: flanneld itself carries packets between a TUN device and a UDP socket. IPv4 only. */
export function udp(context: BackendContext): Backend {
  const port = count(context.conf.backend.options, 'Port', []) ?? 8285
  const own = context.lease.parts.ipv4
  const mtu = context.uplink.mtu - 28
  const peers = (peer: Peer, op: 'peer-set' | 'peer-del'): readonly HostCommand[] =>
    sharedFamilies(context.lease, peer.lease)
      .filter(({ family }) => family === 'ipv4')
      // The port is not in the lease: every node must use one.
      .map(({ theirs }) => ({ op, peer: { subnet: theirs.subnet, address: theirs.publicIp, port } }))
  return {
    mtu,
    base: own ? udpBase(context, mtu, port) : {},
    ...(own ? { tunnel: (tables) => ({ device, local: own.local, port, owner, peers: tables.peers }) } : {}),
    added: (peer) => programmed(peers(peer, 'peer-set')),
    removed: (peer) => peers(peer, 'peer-del'),
  }
}

/** A /32 address and a written route since v0.11.0; before, an address with the network's length, whose route is the kernel's. */
function udpBase(context: BackendContext, mtu: number, port: number): NetnsAdditions {
  const own = context.lease.parts.ipv4
  const network = context.conf.ipv4?.network
  if (!own || !network) return {}
  const explicit = isAtLeast(context.version, 'v0.11.0')
  return {
    links: [{ name: device, mac: zeroMac, mtu, up: true, kind: { kind: 'tun' }, origin: context.origin }],
    addresses: [tunnelAddress(context, device, 'ipv4', own, explicit ? 32 : network.length)],
    routes: explicit ? [overlayRoute(network, device, context.origin)] : [],
    sockets: [{ protocol: 'udp', address: own.local, port, owner }],
  }
}
