import type { NetworkProblem } from '../../problem.ts'
import type { HostCommand } from '../command.ts'
import type { LeasePart } from '../lease.ts'
import { type Backend, type BackendContext, isOnLink, type Peer, sharedFamilies } from './backend.ts'
import { overlayRoute, routeNetworkAdd } from './overlay-route.ts'

/** pkg/backend/hostgw: the peer node itself is the gateway, so it must be on the link. */
export function hostGw(context: BackendContext): Backend {
  const { uplink, lease } = context
  const route = (peer: Peer, theirs: LeasePart) =>
    overlayRoute(theirs.subnet, uplink.device, peer.origin, { via: theirs.publicIp })
  return {
    mtu: uplink.mtu,
    base: {},
    added: (peer, tables) => {
      const pairs = sharedFamilies(lease, peer.lease)
      const reachable = pairs.filter(({ theirs }) => isOnLink(uplink, theirs.publicIp))
      return {
        commands: reachable.flatMap(({ theirs }) => routeNetworkAdd(route(peer, theirs), tables)),
        problems: pairs
          .filter((pair) => !reachable.includes(pair))
          .map(({ theirs }) => notOnLink(context, peer, theirs)),
      }
    },
    removed: (peer) =>
      sharedFamilies(lease, peer.lease).map(
        ({ theirs }): HostCommand => ({ op: 'route-del', route: route(peer, theirs) }),
      ),
  }
}

/** The kernel says `Nexthop has invalid gateway`, flanneld logs `network is unreachable` and tries again each 10 s. */
function notOnLink(context: BackendContext, peer: Peer, theirs: LeasePart): NetworkProblem {
  const [self, other] = [context.lease.node.metadata.name, peer.lease.node.metadata.name]
  return {
    by: 'flannel',
    message:
      `host-gw: ${other} (${theirs.publicIp}) is not on the link of ${self}'s ${context.uplink.device}: ` +
      'network is unreachable, no route to its pods; nodes in several subnets need vxlan with DirectRouting',
    object: { kind: 'Node', name: other },
    node: self,
    alike: 'pairs of nodes',
  }
}
