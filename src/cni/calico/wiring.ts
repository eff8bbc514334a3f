import { deviceName, type Link } from '../../artefact/link.ts'
import {
  type Address,
  addToNetns,
  emptyNetns,
  type ListeningSocket,
  type NetnsAdditions,
  type NetnsState,
} from '../../artefact/netns.ts'
import type { Origin } from '../../artefact/origin.ts'
import type { Route } from '../../artefact/route.ts'
import { deviceKey } from '../../artefact/sysctl.ts'
import { type Family, familyOf, type Ip, ip, widthOf } from '../../net/ip.ts'
import { mac, stableMac } from '../../net/mac.ts'
import { anyPrefix, hostPrefix, isHostPrefix, prefixFamily } from '../../net/prefix.ts'
import { podKey } from '../digest.ts'
import { loopback } from '../loopback.ts'
import { podRef } from '../pod-addresses.ts'
import { podDevice, type Sandbox } from '../sandbox.ts'
import { vxlanDevice } from './felix/static.ts'
import { vtepMac } from './names.ts'
import type { CalicoPlan } from './plan.ts'
import { type CalicoNode, podMtu, sameSubnet, tunnelMtu } from './plan.ts'
import { poolHolding } from './pool.ts'

/** Every host end of every pod has this address. */
export const hostMac = mac('ee:ee:ee:ee:ee:ee')

/** Exist nowhere: the host end answers for the first by proxy ARP, and has the second by its own MAC. */
export const podGateways: Readonly<Record<Family, Ip>> = {
  ipv4: ip('169.254.1.1'),
  ipv6: ip('fe80::ecee:eeff:feee:eeee'),
}

const by = (note: string): Origin => ({ by: 'calico', note })

/** The node's ends of its pods: no bridge, a route to each pod. */
export function podsOnNode(plan: CalicoPlan, self: CalicoNode, sandboxes: readonly Sandbox[]): NetnsAdditions {
  const mtu = podMtu(plan, self)
  return {
    links: sandboxes.map((s) => hostVeth(s, mtu)),
    routes: sandboxes.flatMap((s) => s.addresses.map(({ ip: address }) => podRoute(plan, s, address))),
    sysctls: Object.assign(
      { 'net.ipv4.ip_forward': '1', 'net.netfilter.nf_conntrack_acct': '1' },
      ...sandboxes.map((s) => vethSysctls(s)),
    ),
  }
}

const podOrigin = (s: Sandbox): Origin => ({ by: 'calico', note: `pod ${podKey(s.pod)}`, object: podRef(s.pod) })

const hostVeth = (s: Sandbox, mtu: number): Link => ({
  name: s.hostDevice,
  mac: hostMac,
  mtu,
  up: true,
  kind: { kind: 'veth', peer: podDevice },
  origin: podOrigin(s),
})

const podRoute = ({ generation }: CalicoPlan, s: Sandbox, address: Ip): Route => ({
  type: 'unicast',
  dst: hostPrefix(address),
  dev: s.hostDevice,
  table: 'main',
  proto: 'boot',
  scope: familyOf(address) === 'ipv4' ? 'link' : 'global',
  ...(generation.metric === undefined ? {} : { metric: generation.metric }),
  origin: podOrigin(s),
})

function vethSysctls({ hostDevice, addresses }: Sandbox): Readonly<Record<string, string>> {
  const v4 = (name: string): string => deviceKey('ipv4', hostDevice, name)
  const v6 = (name: string): string => deviceKey('ipv6', hostDevice, name)
  return {
    [v4('route_localnet')]: '1',
    [v4('proxy_arp')]: '1',
    [v4('forwarding')]: '1',
    [`net.ipv4.neigh.${hostDevice}.proxy_delay`]: '0',
    ...(addresses.some((a) => familyOf(a.ip) === 'ipv6')
      ? { [v6('forwarding')]: '1', [v6('proxy_ndp')]: '1', [v6('accept_ra')]: '0', [v6('accept_dad')]: '0' }
      : {}),
  }
}

/** The pod's own namespace: one address of full length, everything by the gateway. */
export function podNamespace(mtu: number, s: Sandbox, sockets: readonly ListeningSocket[]): NetnsState {
  const origin = podOrigin(s)
  const v6 = s.addresses.some((a) => familyOf(a.ip) === 'ipv6')
  return addToNetns(addToNetns(emptyNetns, loopback), {
    links: [
      {
        name: podDevice,
        mac: podMac(s),
        mtu,
        up: true,
        kind: { kind: 'veth', peer: s.hostDevice },
        origin,
      },
    ],
    addresses: s.addresses.map(
      (a): Address => ({ ip: a.ip, length: widthOf(familyOf(a.ip)), dev: podDevice, scope: 'global', origin }),
    ),
    routes: s.addresses.flatMap((a) => gatewayRoutes(familyOf(a.ip), origin)),
    neighbours: v6 ? [{ ip: podGateways.ipv6, dev: podDevice, mac: hostMac, state: 'permanent', origin }] : [],
    sysctls: v6
      ? {
          'net.ipv6.conf.all.disable_ipv6': '0',
          'net.ipv6.conf.default.disable_ipv6': '0',
          'net.ipv6.conf.lo.disable_ipv6': '0',
          'net.ipv6.conf.eth0.accept_dad': '0',
        }
      : {},
    sockets,
  })
}

/** `cni.projectcalico.org/hwAddr`, else one that the kernel would draw. */
function podMac({ pod }: Sandbox): Link['mac'] {
  const asked = pod.metadata.annotations?.['cni.projectcalico.org/hwAddr']
  const given = asked !== undefined && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(asked) ? mac(asked) : undefined
  return given ?? stableMac(`eth0 of ${podKey(pod)}`)
}

function gatewayRoutes(family: Family, origin: Origin): readonly Route[] {
  const base = { type: 'unicast', dev: podDevice, table: 'main', proto: 'boot', origin } as const
  const gateway = podGateways[family]
  const toAll: Route = { ...base, dst: anyPrefix(family), via: gateway, scope: 'global' }
  return family === 'ipv4' ? [{ ...base, dst: hostPrefix(gateway), scope: 'link' }, toAll] : [toAll]
}

/** The kernel's fallback device of the ipip module, with the node's tunnel address. */
export function ipipOnNode(self: CalicoNode): NetnsAdditions {
  const name = deviceName('tunl0')
  const address = self.tunnels.ipip
  return {
    links: [
      {
        name,
        mac: mac('00:00:00:00:00:00'),
        mtu: tunnelMtu(self, 'ipip', 'ipv4'),
        up: true,
        kind: { kind: 'ipip', local: undefined, remote: undefined },
        origin: by('tunnel device'),
      },
    ],
    addresses: address ? [{ ip: address, length: 32, dev: name, scope: 'global', origin: by('tunnel address') }] : [],
  }
}

/** vxlan.calico: an entry of each kind for every node that is reached by it. */
export function vxlanOnNode(plan: CalicoPlan, self: CalicoNode, family: Family): NetnsAdditions {
  const name = deviceName(vxlanDevice(family))
  const local = self.addresses[family]
  const address = self.tunnels.vxlan[family]
  if (!local) return {}
  const remotes = remotesByVxlan(plan, self, family)
  return {
    links: [
      {
        name,
        mac: vtepMac(self.name, family),
        mtu: tunnelMtu(self, 'vxlan', family),
        up: true,
        kind: {
          kind: 'vxlan',
          vni: self.felix.vxlanVni,
          local: local.ip,
          dev: self.uplink.device,
          dstPort: self.felix.vxlanPort,
          learning: false,
        },
        origin: by('VXLAN device'),
      },
    ],
    addresses: address
      ? [{ ip: address, length: widthOf(family), dev: name, scope: 'global', origin: by('tunnel address') }]
      : [],
    neighbours: remotes.map(({ node, vtep }) => ({
      ip: vtep,
      dev: name,
      mac: vtepMac(node.name, family),
      state: 'permanent',
      origin: by(node.name),
    })),
    fdb: remotes.flatMap(({ node }) => {
      const dst = node.addresses[family]?.ip
      const mine = vtepMac(node.name, family)
      return dst ? [{ mac: mine, dev: name, dst, flags: ['self', 'permanent'] as const, origin: by(node.name) }] : []
    }),
    routes: vxlanRoutes(plan, self, family),
  }
}

interface Remote {
  readonly node: CalicoNode
  readonly vtep: Ip
}

/** With CrossSubnet those on the own subnet are not among them. */
function remotesByVxlan(plan: CalicoPlan, self: CalicoNode, family: Family): readonly Remote[] {
  const always = plan.pools.some((p) => prefixFamily(p.cidr) === family && p.vxlan === 'Always')
  return [...plan.nodes.values()].flatMap((node) => {
    const vtep = node.tunnels.vxlan[family]
    const address = node.addresses[family]?.ip
    if (node === self || !vtep || !address) return []
    return always || !sameSubnet(self.addresses[family], address) ? [{ node, vtep }] : []
  })
}

/** Felix programs the blocks of VXLAN pools itself, and a blackhole for the node's own. */
function vxlanRoutes(plan: CalicoPlan, self: CalicoNode, family: Family): readonly Route[] {
  const inVxlan = (address: Ip) => {
    const pool = familyOf(address) === family ? poolHolding(plan.pools, address) : undefined
    return pool && pool.vxlan !== 'Never' ? pool : undefined
  }
  const device = deviceName(vxlanDevice(family))
  const felix = self.felix.routeProtocol === 3 ? '80' : String(self.felix.routeProtocol)
  const tunnelled = self.felix.routeProtocol === 3 ? 'boot' : felix
  const mtu = plan.generation.vxlanRouteMtu ? { mtu: tunnelMtu(self, 'vxlan', family) } : {}
  const base = { table: 'main', scope: 'global' as const }
  const own = self.blocks
    .filter((b) => inVxlan(b.address) && !isHostPrefix(b))
    .map((dst): Route => ({ ...base, type: 'blackhole', dst, proto: felix, origin: by('own block') }))
  const remote = [...plan.nodes.values()].flatMap((node) => {
    const address = node.addresses[family]?.ip
    const vtep = node.tunnels.vxlan[family]
    if (node === self || !address) return []
    const destinations = [...node.blocks, ...node.borrowed.map(hostPrefix)]
    return destinations.flatMap((dst): Route[] => {
      const pool = inVxlan(dst.address)
      if (!pool) return []
      const origin = by(`block of ${node.name}`)
      if (pool.vxlan === 'CrossSubnet' && sameSubnet(self.addresses[family], address)) {
        return [
          { ...base, type: 'unicast', dst, via: address, dev: self.uplink.device, proto: felix, onlink: true, origin },
        ]
      }
      if (!vtep) return []
      return [{ ...base, type: 'unicast', dst, via: vtep, dev: device, proto: tunnelled, onlink: true, ...mtu, origin }]
    })
  })
  return [...own, ...remote]
}
