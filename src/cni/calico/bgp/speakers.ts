import type { Filter } from '../../../bgp/filter.ts'
import type { LocalRoute, Neighbor, PeerGroup, PeerSettings, Speaker } from '../../../bgp/speaker.ts'
import type { BgpFilter, BgpPeer } from '../../../kube/objects/calico.ts'
import type { Node } from '../../../kube/objects/node.ts'
import { type Family, familyOf, type Ip, ip, parseIp } from '../../../net/ip.ts'
import { anyPrefix, hostPrefix, isHostPrefix, networkOf, prefixContains, prefixFamily } from '../../../net/prefix.ts'
import { calicoObjects } from '../objects.ts'
import { bgpConfiguration, type CalicoNode, type CalicoPlan } from '../plan.ts'
import { isSelected } from '../pool.ts'
import { exportFilter, importFilter, kernelFilter } from './filters.ts'
import { serviceRanges } from './service-routes.ts'

const defaultAs = 64512
const restartSeconds = 120

/** One BIRD per node and family: what confd writes into its configuration. */
export function speakersOf(plan: CalicoPlan, family: Family): readonly Speaker[] {
  if (plan.backend !== 'bird') return []
  const peering = peeringOf(plan, family)
  return peering.nodes.map((self) => speakerOf(plan, self, family, peering))
}

interface Peering {
  readonly nodes: readonly CalicoNode[]
  /** Shared by all speakers of the mesh. */
  readonly mesh: readonly Neighbor[]
  readonly filters: readonly BgpFilter[]
  readonly peers: readonly BgpPeer[]
  readonly globalAs: number
  /** One object for all who import alike: what they make of a route is then worked out once. */
  readonly importFilter: (filters: readonly BgpFilter[]) => Filter
  /** Where a node listens, where that is not TCP 179. */
  readonly portOf: (node: CalicoNode) => number | undefined
}

function peeringOf(plan: CalicoPlan, family: Family): Peering {
  const config = bgpConfiguration(plan.objects)
  const globalAs = asNumber(config.asNumber) ?? defaultAs
  const nodes = [...plan.nodes.values()].filter((n) => n.addresses[family])
  const meshed = config.nodeToNodeMeshEnabled === false ? [] : nodes.filter((n) => clusterId(n.node) === undefined)
  const configurations = calicoObjects(plan.objects, 'BGPConfiguration')
  const portOf = ({ name }: CalicoNode): number | undefined =>
    configurations.find((c) => c.metadata.name === `node.${name}`)?.spec.listenPort ?? config.listenPort
  const imports = new Map<string, Filter>()
  return {
    portOf,
    importFilter: (filters) => {
      const key = filters.map((f) => f.metadata.name).join(' ')
      const filter = imports.get(key) ?? importFilter(plan, family, filters)
      imports.set(key, filter)
      return filter
    },
    nodes,
    mesh: meshed.flatMap((n) => neighborOf('Mesh', n, family, globalAs, portOf(n))),
    filters: calicoObjects(plan.objects, 'BGPFilter'),
    peers: calicoObjects(plan.objects, 'BGPPeer').filter((p) => p.spec.localWorkloadSelector === undefined),
    globalAs,
  }
}

/** `64512`, or in asdot notation `1.10`. */
function asNumber(given: number | string | undefined): number | undefined {
  if (given === undefined) return undefined
  const [, high, low] = /^(\d+)\.(\d+)$/.exec(String(given)) ?? []
  const value = high === undefined ? Number(given) : Number(high) * 65536 + Number(low)
  return Number.isInteger(value) && value > 0 ? value : undefined
}

const asOf = ({ node }: CalicoNode, globalAs: number): number =>
  asNumber(node.metadata.annotations?.['projectcalico.org/ASNumber']) ?? globalAs

export const clusterId = (node: Node): Ip | undefined =>
  parseIp(node.metadata.annotations?.['projectcalico.org/RouteReflectorClusterID'] ?? '')

/** Dots and colons of an address become `_`. */
const sessionName = (prefix: string, address: Ip, port: number | undefined): string =>
  `${prefix}_${address.replace(/[.:]/g, '_')}${port === undefined ? '' : `_port_${port}`}`

function neighborOf(
  prefix: string,
  node: CalicoNode,
  family: Family,
  globalAs: number,
  port: number | undefined,
  portInName = false,
): readonly Neighbor[] {
  const address = node.addresses[family]?.ip
  if (address === undefined) return []
  const as = asOf(node, globalAs)
  const name = sessionName(prefix, address, portInName ? port : undefined)
  return [{ name, address, as, ...(port === undefined ? {} : { port }) }]
}

function speakerOf(plan: CalicoPlan, self: CalicoNode, family: Family, peering: Peering): Speaker {
  const own = self.addresses[family]?.ip ?? ip('0.0.0.0')
  const config = bgpConfiguration(plan.objects)
  const listenPort = peering.portOf(self)
  const inMesh = peering.mesh.some((n) => n.address === own)
  const graceful = seconds(config.nodeMeshMaxRestartTime)
  const mesh: PeerGroup = {
    settings: {
      ...baseSettings(plan, self, family, peering, []),
      sourceAddress: own,
      passive: 'by address',
      gracefulRestart: graceful,
    },
    neighbors: peering.mesh,
  }
  return {
    id: self.name,
    routerId: self.addresses.ipv4?.ip ?? ip('0.0.0.1'),
    as: asOf(self, peering.globalAs),
    addresses: [own],
    ...(listenPort === undefined ? {} : { listen: { port: listenPort } }),
    peers: [...(inMesh ? [mesh] : []), ...explicitPeers(plan, self, family, peering)],
    routes: localRoutes(plan, self, family),
    kernel: { exportFilter: kernelFilter(plan, self, family), mergePaths: true },
  }
}

const seconds = (text: string | undefined): number => {
  const [, n, unit] = /^(\d+)(s|m|h)$/.exec(text ?? '') ?? []
  return n === undefined ? restartSeconds : Number(n) * (unit === 'h' ? 3600 : unit === 'm' ? 60 : 1)
}

const baseSettings = (
  plan: CalicoPlan,
  self: CalicoNode,
  family: Family,
  peering: Peering,
  filters: readonly BgpFilter[],
): PeerSettings => ({
  importFilter: peering.importFilter(filters),
  exportFilter: exportFilter(plan, self, family, filters),
})

/** BGPPeers of this node; global ones win over those of a node at the same address. */
function explicitPeers(plan: CalicoPlan, self: CalicoNode, family: Family, peering: Peering): readonly PeerGroup[] {
  const own = self.addresses[family]?.ip
  const seen = new Set<string>()
  const place = ({ address, port }: Neighbor): string => `${address} ${port ?? ''}`
  const isGlobal = ({ spec }: BgpPeer): boolean => !spec.node && !spec.nodeSelector
  const ordered = [...peering.peers.filter(isGlobal), ...peering.peers.filter((p) => !isGlobal(p))]
  return ordered.flatMap((peer) => {
    const prefix = isGlobal(peer) ? 'Global' : 'Node'
    const found = neighborsOf(peer, self, family, peering, prefix).filter(
      ({ neighbor: n }) => n.address !== own && !seen.has(place(n)),
    )
    for (const { neighbor } of found) seen.add(place(neighbor))
    return found.map(({ neighbor, node }) => ({
      settings: peerSettings(plan, self, family, peering, peer, node),
      neighbors: [neighbor],
    }))
  })
}

interface FoundPeer {
  readonly neighbor: Neighbor
  /** Set where the peer is a node of the cluster. */
  readonly node: CalicoNode | undefined
}

function neighborsOf(
  peer: BgpPeer,
  self: CalicoNode,
  family: Family,
  peering: Peering,
  prefix: string,
): readonly FoundPeer[] {
  const { peerIP, peerSelector, reversePeering } = peer.spec
  const labels = self.node.metadata.labels ?? {}
  const here = appliesTo(peer, self)
  if (peerSelector === undefined || peerSelector === '') {
    const address = here && peerIP ? peerAddress(peerIP) : undefined
    if (!address || familyOf(address.ip) !== family) return []
    const node = peering.nodes.find((n) => n.addresses[family]?.ip === address.ip)
    const as = asNumber(peer.spec.asNumber) ?? (node ? asOf(node, peering.globalAs) : peering.globalAs)
    const port = address.port ?? (node ? peering.portOf(node) : undefined)
    const name = sessionName(prefix, address.ip, port)
    const neighbor = { name, address: address.ip, as, ...(port === undefined ? {} : { port }) }
    return [{ neighbor, node }]
  }
  const selected = here ? peering.nodes.filter((n) => isSelected(peerSelector, n.node.metadata.labels ?? {})) : []
  const back =
    reversePeering !== 'Manual' && isSelected(peerSelector, labels)
      ? peering.nodes.filter((n) => appliesTo(peer, n))
      : []
  return [...new Set([...selected, ...back])].flatMap((node) =>
    neighborOf(prefix, node, family, peering.globalAs, peering.portOf(node), true).map((neighbor) => ({
      neighbor,
      node,
    })),
  )
}

const appliesTo = ({ spec }: BgpPeer, { name, node }: CalicoNode): boolean => {
  if (spec.node) return spec.node === name
  return !spec.nodeSelector || isSelected(spec.nodeSelector, node.metadata.labels ?? {})
}

/** `10.0.0.1`, `10.0.0.1:1179`, `[fd00::1]:1179`. */
function peerAddress(text: string): { readonly ip: Ip; readonly port: number | undefined } | undefined {
  const whole = parseIp(text)
  if (whole) return { ip: whole, port: undefined }
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([\d.]+)):(\d+)$/.exec(text) ?? []
  const address = parseIp(bracketed ?? plain ?? '')
  return address && { ip: address, port: Number(port) }
}

function peerSettings(
  plan: CalicoPlan,
  self: CalicoNode,
  family: Family,
  peering: Peering,
  { spec }: BgpPeer,
  node: CalicoNode | undefined,
): PeerSettings {
  const filters = (spec.filters ?? []).flatMap((name) => peering.filters.find((f) => f.metadata.name === name) ?? [])
  const ownId = clusterId(self.node)
  const sameAs = node && asOf(node, peering.globalAs) === asOf(self, peering.globalAs)
  const isClient = ownId !== undefined && node && sameAs && clusterId(node.node) !== ownId
  const mode = spec.nextHopMode ?? (spec.keepOriginalNextHop ? 'Keep' : 'Auto')
  const localAs = asNumber(spec.localASNumber)
  const own = self.addresses[family]?.ip
  return {
    ...baseSettings(plan, self, family, peering, filters),
    ...(own && spec.sourceAddress !== 'None' ? { sourceAddress: own } : {}),
    ...(node && !spec.node && !spec.nodeSelector ? { passive: 'by address' as const } : {}),
    ...(spec.ttlSecurity ? { ttlSecurity: true, multihop: spec.ttlSecurity } : { multihop: true }),
    ...(isClient ? { rrClient: true, clusterId: ownId } : {}),
    ...(localAs === undefined ? {} : { localAs }),
    ...(spec.numAllowedLocalASNumbers ? { allowLocalAs: spec.numAllowedLocalASNumbers } : {}),
    nextHop: mode === 'Self' ? 'self' : mode === 'Keep' ? 'keep' : 'auto',
    gracefulRestart: seconds(spec.maxRestartTime),
  }
}

/** Blocks and Services as blackholes; subnets and tunnel addresses of devices; what BIRD learns from the kernel. */
function localRoutes(plan: CalicoPlan, self: CalicoNode, family: Family): readonly LocalRoute[] {
  const ofFamily = self.blocks.filter((b) => prefixFamily(b) === family && !isHostPrefix(b))
  const statics = [...ofFamily, ...serviceRanges(plan, self, family)].map(
    (prefix): LocalRoute => ({ prefix, source: 'static', target: { kind: 'blackhole' } }),
  )
  const device = self.uplink.device
  const own = self.addresses[family]
  const direct: LocalRoute[] = own
    ? [{ prefix: networkOf(own.ip, own.length), source: 'direct', target: { kind: 'device', device } }]
    : []
  const tunnels: LocalRoute[] =
    family === 'ipv4' && self.tunnels.ipip
      ? [{ prefix: hostPrefix(self.tunnels.ipip), source: 'direct', target: { kind: 'device', device: 'tunl0' } }]
      : []
  const pods = self.workloads.flatMap((w) =>
    w.ips
      .filter((address) => familyOf(address) === family)
      .map(
        (address): LocalRoute => ({
          prefix: hostPrefix(address),
          source: 'kernel',
          target: { kind: 'device', device: w.interface },
          ...(plan.generation.metric === undefined ? {} : { metric: plan.generation.metric }),
        }),
      ),
  )
  const gateway = gatewayOf(self, family)
  const learned: LocalRoute[] = gateway
    ? [{ prefix: anyPrefix(family), source: 'kernel', target: { kind: 'gateway', gateway, device } }]
    : []
  return [...statics, ...direct, ...tunnels, ...pods, ...learned]
}

/** The default route's. */
export const gatewayOf = ({ uplink }: CalicoNode, family: Family): Ip | undefined =>
  uplink.gateways?.find((g) => familyOf(g) === family)

export const isOnLink = ({ uplink }: CalicoNode, address: Ip): boolean =>
  uplink.addresses.some((a) => prefixContains(networkOf(a.ip, a.length), address))
