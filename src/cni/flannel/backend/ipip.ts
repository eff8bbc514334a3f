import { deviceName } from '../../../artefact/link.ts'
import { zeroMac } from '../../../net/mac.ts'
import type { HostCommand } from '../command.ts'
import type { LeasePart } from '../lease.ts'
import { flag } from '../net-conf.ts'
import { type Backend, type BackendContext, isOnLink, type Peer, programmed, sharedFamilies } from './backend.ts'
import { overlayRoute, routeNetworkAdd } from './overlay-route.ts'
import { tunnelAddress } from './vxlan.ts'

const device = deviceName('flannel.ipip')

/** pkg/backend/ipip: the gateway of a route becomes the outer destination. IPv4 only. */
export function ipip(context: BackendContext): Backend {
  const { lease, uplink, origin } = context
  const direct = flag(context.conf.backend.options, 'DirectRouting', false, [])
  const mtu = uplink.mtu - 20
  const own = lease.parts.ipv4
  const theirs = (peer: Peer): readonly LeasePart[] =>
    sharedFamilies(lease, peer.lease).flatMap((pair) => (pair.family === 'ipv4' ? [pair.theirs] : []))
  const route = (peer: Peer, { subnet, publicIp: via }: LeasePart) =>
    overlayRoute(subnet, direct && isOnLink(uplink, via) ? uplink.device : device, peer.origin, { via, onlink: true })
  return {
    mtu,
    base: own
      ? {
          links: [
            {
              name: device,
              mac: zeroMac,
              mtu,
              up: true,
              kind: { kind: 'ipip', local: own.local, remote: undefined },
              origin,
            },
          ],
          addresses: [tunnelAddress(context, device, 'ipv4', own)],
        }
      : {},
    added: (peer, tables) => programmed(theirs(peer).flatMap((part) => routeNetworkAdd(route(peer, part), tables))),
    removed: (peer) => theirs(peer).map((part): HostCommand => ({ op: 'route-del', route: route(peer, part) })),
  }
}
