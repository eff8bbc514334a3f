import { type DeviceName, deviceName, type Link } from '../../../artefact/link.ts'
import type { Address, NetnsAdditions } from '../../../artefact/netns.ts'
import { deviceKey } from '../../../artefact/sysctl.ts'
import type { Family } from '../../../net/ip.ts'
import { widthOf } from '../../../net/ip.ts'
import { isAtLeast } from '../../version.ts'
import type { HostCommand } from '../command.ts'
import type { LeasePart } from '../lease.ts'
import {
  type Backend,
  type BackendContext,
  type FamilyPair,
  isOnLink,
  ownParts,
  type Peer,
  programmed,
  sharedFamilies,
} from './backend.ts'
import { overlayRoute, routeNetworkAdd } from './overlay-route.ts'
import { type VxlanOptions, vxlanOptions } from './vxlan-options.ts'

/** What flannel sets aside, for both families alike: IP 20, UDP 8, VXLAN 8, inner Ethernet 14. */
const setAside = 50
/** What the kernel counts: an outer IPv6 header is 20 bytes longer (drivers/net/vxlan). */
const headroom: Readonly<Record<Family, number>> = { ipv4: 50, ipv6: 70 }
/** The port of the kernel's vxlan module where none is asked for. */
const kernelPort = 8472

/** pkg/backend/vxlan since v0.9.0: per peer one neighbour, one FDB entry and one route, all static. */
export function vxlan(context: BackendContext): Backend {
  const options = vxlanOptions(context.conf.backend.options, [])
  const asked = (options.mtu ?? context.uplink.mtu) - setAside
  return {
    mtu: asked,
    base: vxlanBase(context, options, asked),
    added: (peer, tables) =>
      programmed(
        sharedFamilies(context.lease, peer.lease).flatMap((pair) =>
          isDirect(context, options, pair)
            ? routeNetworkAdd(directRoute(context, peer, pair.theirs), tables)
            : overlayCommands(options, peer, pair),
        ),
      ),
    removed: (peer) =>
      sharedFamilies(context.lease, peer.lease).flatMap((pair) =>
        isDirect(context, options, pair)
          ? [{ op: 'route-del', route: directRoute(context, peer, pair.theirs) }]
          : overlayCommands(options, peer, pair).map(reverse),
      ),
  }
}

export const vxlanDevice = (family: Family, vni: number): DeviceName =>
  deviceName(family === 'ipv4' ? `flannel.${vni}` : `flannel-v6.${vni}`)

/** `10.244.0.0/32`: the subnet's own address, host-wide so that there is no broadcast trouble. /16 up to v0.6.x. */
export function vxlanBase(context: BackendContext, options: VxlanOptions, asked: number): NetnsAdditions {
  const parts = ownParts(context.lease)
  return {
    links: parts.map(([family, part]) => vxlanLink(context, options, family, part, asked)),
    addresses: parts.map(([family, part]) => tunnelAddress(context, vxlanDevice(family, options.vni), family, part)),
    sysctls: Object.fromEntries(
      isAtLeast(context.version, 'v0.13.0')
        ? parts.map(([family]) => [deviceKey('ipv6', vxlanDevice(family, options.vni), 'accept_ra'), '0'])
        : [],
    ),
  }
}

export const tunnelAddress = (
  { origin }: BackendContext,
  dev: DeviceName,
  family: Family,
  part: LeasePart,
  length: number = widthOf(family),
): Address => ({ ip: part.subnet.address, length, dev, scope: 'global', origin })

function vxlanLink(
  context: BackendContext,
  options: VxlanOptions,
  family: Family,
  part: LeasePart,
  asked: number,
): Link {
  return {
    name: vxlanDevice(family, options.vni),
    mac: part.vtepMac,
    // The kernel lowers what does not fit the device below.
    mtu: Math.min(asked, context.uplink.mtu - headroom[family]),
    up: true,
    kind: {
      kind: 'vxlan',
      vni: options.vni,
      local: part.local,
      dev: context.uplink.device,
      dstPort: options.port ?? kernelPort,
      learning: options.learning,
    },
    origin: context.origin,
  }
}

/** Asked at each event: does `ip route get` give the peer without a gateway. */
const isDirect = (context: BackendContext, options: VxlanOptions, { theirs }: FamilyPair): boolean =>
  options.directRouting && isOnLink(context.uplink, theirs.publicIp)

const directRoute = (context: BackendContext, peer: Peer, theirs: LeasePart) =>
  overlayRoute(theirs.subnet, context.uplink.device, peer.origin, { via: theirs.publicIp })

function overlayCommands(
  options: VxlanOptions,
  { origin }: Peer,
  { family, theirs }: FamilyPair,
): readonly HostCommand[] {
  const dev = vxlanDevice(family, options.vni)
  const { subnet, vtepMac: mac, publicIp } = theirs
  return [
    { op: 'neigh-replace', neighbour: { ip: subnet.address, dev, mac, state: 'permanent', origin } },
    { op: 'fdb-replace', entry: { mac, dev, dst: publicIp, flags: ['self', 'permanent'], origin } },
    { op: 'route-replace', route: overlayRoute(subnet, dev, origin, { via: subnet.address, onlink: true }) },
  ]
}

function reverse(command: HostCommand): HostCommand {
  switch (command.op) {
    case 'route-add':
    case 'route-replace':
      return { op: 'route-del', route: command.route }
    case 'neigh-replace':
      return { op: 'neigh-del', neighbour: command.neighbour }
    case 'fdb-replace':
      return { op: 'fdb-del', entry: command.entry }
    case 'peer-set':
      return { op: 'peer-del', peer: command.peer }
    case 'route-del':
    case 'neigh-del':
    case 'fdb-del':
    case 'peer-del':
      return command
  }
}
