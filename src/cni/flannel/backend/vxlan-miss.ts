import type { Route } from '../../../artefact/route.ts'
import { familyOf } from '../../../net/ip.ts'
import { prefixContains } from '../../../net/prefix.ts'
import { isAtLeast } from '../../version.ts'
import type { HostCommand } from '../command.ts'
import { type Backend, type BackendContext, type Peer, programmed, sharedFamilies } from './backend.ts'
import { overlayRoute } from './overlay-route.ts'
import { tunnelAddress, vxlanBase, vxlanDevice } from './vxlan.ts'
import { vxlanOptions } from './vxlan-options.ts'

/**
 * pkg/backend/vxlan before v0.9.0: one route for the whole network, and flanneld answers the kernel's question for each
 * pod address. What stands here is the state once every pod has been asked for.
 */
export function vxlanByMiss(context: BackendContext): Backend {
  const options = vxlanOptions(context.conf.backend.options, [])
  const asked = (options.mtu ?? context.uplink.mtu) - 50
  const device = vxlanDevice('ipv4', options.vni)
  return {
    mtu: asked,
    base: {
      ...vxlanBase(context, options, asked),
      ...networkByDevice(context, device),
      sysctls: { [`net.ipv4.neigh.${device}.app_solicit`]: '3' },
    },
    added: (peer) => programmed(missCommands(context, peer)),
    removed: (peer) => missCommands(context, peer).map(forget),
  }

  function missCommands(self: BackendContext, peer: Peer): readonly HostCommand[] {
    return sharedFamilies(self.lease, peer.lease).flatMap(({ theirs: { subnet, vtepMac: mac, publicIp } }) => [
      {
        op: 'fdb-replace',
        entry: { mac, dev: device, dst: publicIp, flags: ['self', 'permanent'], origin: peer.origin },
      },
      ...peer
        .podAddresses()
        .filter((ip) => prefixContains(subnet, ip))
        .map((ip): HostCommand => {
          const neighbour = { ip, dev: device, mac, state: 'reachable', origin: peer.origin } as const
          return { op: 'neigh-replace', neighbour }
        }),
    ])
  }
}

/** Up to v0.6.x the kernel makes the route from the address's own length; from v0.7.0 flanneld writes it. */
function networkByDevice(context: BackendContext, device: ReturnType<typeof vxlanDevice>) {
  const part = context.lease.parts.ipv4
  const network = context.conf.ipv4?.network
  if (!part || !network || familyOf(network.address) !== 'ipv4') return {}
  const explicit = isAtLeast(context.version, 'v0.7.0')
  const routes: readonly Route[] = explicit ? [overlayRoute(network, device, context.origin)] : []
  return { addresses: [tunnelAddress(context, device, 'ipv4', part, explicit ? 32 : network.length)], routes }
}

const forget = (command: HostCommand): HostCommand => {
  if (command.op === 'fdb-replace') return { op: 'fdb-del', entry: command.entry }
  return command.op === 'neigh-replace' ? { op: 'neigh-del', neighbour: command.neighbour } : command
}
