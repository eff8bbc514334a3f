import { type DeviceName, defaultPortSettings, deviceName, type Link } from '../artefact/link.ts'
import type { Address, ListeningSocket, NetnsState } from '../artefact/netns.ts'
import { addToNetns } from '../artefact/netns.ts'
import type { Route } from '../artefact/route.ts'
import { bgpPort } from '../bgp/speaker.ts'
import { lazy } from '../cni/lazy.ts'
import type { Uplink } from '../cni/result.ts'
import { familyOf, type Ip } from '../net/ip.ts'
import { stableMac } from '../net/mac.ts'
import { hostPrefix, prefixContains } from '../net/prefix.ts'
import { balancerMachine } from './balancer-machine.ts'
import { blockRules } from './blocks.ts'
import {
  balancerNetns,
  hostNetns,
  type Machine,
  type NetnsId,
  nodeNetns,
  type Port,
  routerNetns,
  switchNetns,
  type Wire,
} from './machine.ts'
import type { Host, Router, Segment, UnderlayPlan } from './underlay.ts'
import { card, defaultRoutes, loopbackOnly, onSegment, unicast } from './underlay-stations.ts'

/** An address beyond the cluster that a question names: the outside host answers for it. */
export interface OutsideTarget {
  readonly ip: Ip | undefined
  readonly socket: ListeningSocket | undefined
}

/** What a router has from BGP, by its namespace. */
export type LearnedRoutes = (router: NetnsId) => readonly Route[]

/** The namespaces of switches, routers and hosts, and the cables between all that is on a segment. */
export function underlayMachines(
  plan: UnderlayPlan,
  targets: readonly OutsideTarget[],
  learned: LearnedRoutes = () => [],
): { readonly machines: readonly Machine[]; readonly wires: readonly Wire[] } {
  const machines = [
    ...plan.segments.map((s) => switchMachine(s, plan)),
    ...plan.routers.map((r) => routerMachine(r, plan, targets, learned)),
    ...plan.balancers.map((b) => balancerMachine(b, plan)),
    ...plan.hosts.map((h, i) => hostMachine(h, plan, i === 0 ? targets : [])),
  ]
  return { machines, wires: plan.segments.flatMap((s) => segmentWires(s, plan)) }
}

/** The devices by which a node hangs on its segments: `eth0` on the first, `eth1` on the next. */
export function uplinksOf(node: string, plan: UnderlayPlan): readonly Uplink[] {
  return plan.segments
    .filter((s) => s.nodes.some((n) => n.name === node))
    .map((segment, i) => ({
      device: deviceName(`eth${i}`),
      mtu: segment.mtu,
      addresses: (segment.nodes.find((n) => n.name === node)?.addresses ?? []).map((ip) => onSegment(ip, segment)),
    }))
    .map((uplink, i) => (i === 0 ? { ...uplink, gateways: gatewaysOf(node, plan) } : uplink))
}

/** Where default routes lead: they leave by the first card. */
function gatewaysOf(node: string, plan: UnderlayPlan): readonly Ip[] {
  const segment = plan.segments.find((s) => s.nodes.some((n) => n.name === node))
  const own = segment?.nodes.find((n) => n.name === node)?.addresses ?? []
  return segment ? defaultRoutes(segment, plan, deviceName('eth0'), own).flatMap((r) => r.via ?? []) : []
}

/** A node's root namespace before any agent: its loopback, its cards, their addresses, the way out. */
export function bareNode(node: string, plan: UnderlayPlan): NetnsState {
  const uplinks = uplinksOf(node, plan)
  const segments = plan.segments.filter((s) => s.nodes.some((n) => n.name === node))
  return addToNetns(loopbackOnly, {
    // kubeadm's preflight refuses a node that does not forward; CNI plugins set it again with the first pod.
    sysctls: { 'net.ipv4.ip_forward': '1', 'net.ipv6.conf.all.forwarding': '1' },
    links: uplinks.map((u) => card(u.device, `${node} ${u.device}`, u.mtu)),
    addresses: uplinks.flatMap((u) => u.addresses.map((a): Address => ({ ...a, dev: u.device, scope: 'global' }))),
    routes: segments.flatMap((s, i) =>
      i === 0 ? defaultRoutes(s, plan, deviceName(`eth${i}`), uplinks[i]?.addresses.map((a) => a.ip) ?? []) : [],
    ),
  })
}

function switchMachine(segment: Segment, plan: UnderlayPlan): Machine {
  const bridge = deviceName('br0')
  const ports = stationsOf(segment, plan).map(
    ({ port }): Link => ({
      name: port,
      mac: stableMac(`switch ${segment.name} ${port}`),
      mtu: segment.mtu,
      up: true,
      master: bridge,
      port: defaultPortSettings,
      kind: { kind: 'physical' },
    }),
  )
  const state = lazy((): NetnsState => {
    const base = addToNetns(loopbackOnly, {
      links: [
        {
          name: bridge,
          mac: stableMac(`switch ${segment.name}`),
          mtu: segment.mtu,
          up: true,
          kind: { kind: 'bridge', stp: false, vlanFiltering: false },
        },
        ...ports,
      ],
    })
    return blockRules(base, segment.blocks)
  })
  return { id: switchNetns(segment.name), kind: 'switch', name: segment.name, state }
}

function routerMachine(
  router: Router,
  plan: UnderlayPlan,
  targets: readonly OutsideTarget[],
  learned: LearnedRoutes,
): Machine {
  const state = lazy(() => {
    const ports = router.ports.map((p, i) => ({
      ...p,
      device: deviceName(`eth${i}`),
      on: plan.segments.find((s) => s.name === p.segment),
    }))
    const nexthopDevice = (via: Ip): DeviceName | undefined =>
      ports.find((p) => p.on?.prefixes.some((q) => prefixContains(q, via)))?.device
    const [host] = plan.hosts
    const outside = targets.flatMap(({ ip }) => {
      const via = ip && host?.addresses.find((a) => familyOf(a) === familyOf(ip))
      return ip && via && !host?.addresses.includes(ip) ? [{ to: hostPrefix(ip), via }] : []
    })
    return addToNetns(loopbackOnly, {
      links: ports.map((p) => card(p.device, `router ${router.name} ${p.segment}`, p.on?.mtu ?? 1500)),
      addresses: ports.flatMap((p) =>
        p.addresses.map(
          (ip): Address => ({ ...(p.on ? onSegment(ip, p.on) : { ip, length: 32 }), dev: p.device, scope: 'global' }),
        ),
      ),
      routes: [
        ...[...router.routes, ...outside, ...balancerRoutes(router, plan)].flatMap(({ to, via }) => {
          const dev = nexthopDevice(via)
          return dev ? [unicast(to, dev, via)] : []
        }),
        ...learned(routerNetns(router.name)),
      ],
      sockets: router.bgp ? [{ protocol: 'tcp', address: undefined, port: bgpPort, owner: 'bird' }] : [],
      sysctls: { 'net.ipv4.ip_forward': '1', 'net.ipv6.conf.all.forwarding': '1' },
    })
  })
  return { id: routerNetns(router.name), kind: 'router', name: router.name, state }
}

/** VIPs lie behind their balancer, on whatever segment of this router it has a leg. */
function balancerRoutes(router: Router, plan: UnderlayPlan): Router['routes'] {
  return plan.balancers.flatMap(({ ports, vips }) => {
    const near = ports.filter((p) => router.ports.some((q) => q.segment === p.segment)).flatMap((p) => p.addresses)
    return [...new Set(vips.map((v) => v.ip))].flatMap((ip) => {
      const via = near.find((a) => familyOf(a) === familyOf(ip))
      return via ? [{ to: hostPrefix(ip), via }] : []
    })
  })
}

function hostMachine(host: Host, plan: UnderlayPlan, targets: readonly OutsideTarget[]): Machine {
  const state = lazy(() => {
    const segment = plan.segments.find((s) => s.name === host.segment)
    const dev = deviceName('eth0')
    const extra = targets.flatMap((t) => (t.ip && !host.addresses.includes(t.ip) ? [t.ip] : []))
    const listens = host.listens.flatMap((text): ListeningSocket[] => {
      const [protocol = '', port = ''] = text.toLowerCase().split('/')
      const known = protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp' ? protocol : undefined
      return known ? [{ protocol: known, address: undefined, port: Number(port), owner: `host ${host.name}` }] : []
    })
    return addToNetns(loopbackOnly, {
      links: [card(dev, `host ${host.name}`, segment?.mtu ?? 1500)],
      addresses: [
        ...host.addresses.map(
          (ip): Address => ({ ...(segment ? onSegment(ip, segment) : { ip, length: 32 }), dev, scope: 'global' }),
        ),
        ...extra.map((ip): Address => ({ ip, length: hostPrefix(ip).length, dev, scope: 'global' })),
      ],
      routes: segment ? defaultRoutes(segment, plan, dev, host.addresses) : [],
      sockets: [...listens, ...targets.flatMap((t) => t.socket ?? [])],
    })
  })
  return { id: hostNetns(host.name), kind: 'host', name: host.name, state }
}

interface OnSegment {
  readonly port: DeviceName
  readonly far: Port
}

/** Who hangs on a segment, by the name of the switch's port and the device at the far end. */
function stationsOf(segment: Segment, plan: UnderlayPlan): readonly OnSegment[] {
  const nodes = segment.nodes.map((n) => ({
    name: n.name,
    far: { netns: nodeNetns(n.name), device: nodeDevice(n.name, segment, plan) },
  }))
  const routers = plan.routers.flatMap((r) =>
    r.ports.flatMap((p, i) =>
      p.segment === segment.name
        ? [{ name: r.name, far: { netns: routerNetns(r.name), device: deviceName(`eth${i}`) } }]
        : [],
    ),
  )
  const balancers = plan.balancers.flatMap((b) =>
    b.ports.flatMap((p, i) =>
      p.segment === segment.name
        ? [{ name: b.name, far: { netns: balancerNetns(b.name), device: deviceName(`eth${i}`) } }]
        : [],
    ),
  )
  const hosts = plan.hosts
    .filter((h) => h.segment === segment.name)
    .map((h) => ({ name: h.name, far: { netns: hostNetns(h.name), device: deviceName('eth0') } }))
  const stations = [...nodes, ...routers, ...hosts, ...balancers]
  return stations.map(({ name, far }, i) => {
    const isFirst = stations.findIndex((s) => s.name === name) === i
    return { port: portName(isFirst ? name : undefined, i), far }
  })
}

function nodeDevice(node: string, segment: Segment, plan: UnderlayPlan): DeviceName {
  const mine = plan.segments.filter((s) => s.nodes.some((n) => n.name === node))
  return deviceName(`eth${mine.indexOf(segment)}`)
}

/** Device names end at 15 bytes; a long station name, or one that is taken, gives way to its number on the segment. */
const portName = (station: string | undefined, index: number): DeviceName =>
  deviceName(station !== undefined && station.length <= 15 ? station : `port${index + 1}`)

const segmentWires = (segment: Segment, plan: UnderlayPlan): readonly Wire[] =>
  stationsOf(segment, plan).map(({ port, far }) => ({ a: { netns: switchNetns(segment.name), device: port }, b: far }))
