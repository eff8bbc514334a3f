import { expect } from 'vitest'
import { connectedRoutes } from '../../src/artefact/connected.ts'
import { formatFdb } from '../../src/artefact/fdb-text.ts'
import { deviceName } from '../../src/artefact/link.ts'
import { formatLink } from '../../src/artefact/link-text.ts'
import { listNeighbour } from '../../src/artefact/neighbour-text.ts'
import type { NetnsAdditions } from '../../src/artefact/netns.ts'
import type { Route } from '../../src/artefact/route.ts'
import { formatRoute } from '../../src/artefact/route-text.ts'
import { renderFlannel } from '../../src/cni/flannel.ts'
import { loopback } from '../../src/cni/loopback.ts'
import { compareIps, familyOf, ip } from '../../src/net/ip.ts'
import { mac } from '../../src/net/mac.ts'
import { anyPrefix } from '../../src/net/prefix.ts'
import { address, daemonSet, flannelConfig, node, pod, settings, storeOf, uplink } from '../cni/objects.ts'

interface NodeConfig {
  readonly name: string
  readonly ip: string
  readonly podCIDR: string
}

interface NodeStateCase {
  readonly name: string
  readonly config: {
    readonly network?: string
    readonly backend?: string
    readonly bridge?: string
    readonly nodes?: readonly NodeConfig[]
    readonly pods?: readonly { readonly name: string; readonly node: string; readonly ip: string }[]
    readonly ipv6Network?: string
    readonly node0?: string
    readonly node1?: string
    readonly podCIDR0?: string
    readonly podCIDR1?: string
  }
  readonly expect: Readonly<Record<string, string | number>>
}

/** Answers of the kernel to a command or a packet, which no artefact holds. */
const kernelsOwn = [
  /^ip route get /,
  /^ip route add /,
  /^same/,
  /^outer frame$/,
  /^overlay route before v0\.11\.0$/, // covered by the project's own tests: the address has the network's length
]

export function nodeState(golden: NodeStateCase): void {
  const lab = golden.config.nodes ? dualFree(golden.config) : ipv6Half(golden.config)
  for (const [command, expected] of Object.entries(golden.expect)) {
    if (kernelsOwn.some((k) => k.test(command))) continue
    expect(shown(command, lab), command).toBe(comparable(command, String(expected)))
  }
}

interface Lab {
  readonly node: NetnsAdditions
  readonly pod: NetnsAdditions
}

/** The network card is the underlay's. */
const eth0 = (text: string): NetnsAdditions => ({
  links: [{ name: deviceName('eth0'), mac: mac('52:54:00:00:00:00'), mtu: 1500, up: true, kind: { kind: 'physical' } }],
  addresses: [
    {
      ...address(text),
      dev: deviceName('eth0'),
      scope: 'global',
      ...(text.includes(':') ? {} : { broadcast: ip('192.168.0.255') }),
    },
  ],
})

const labMac = (i: number, prefix: string): string => `${prefix}:00:00:00:0${i}`

function dualFree({ network, backend, bridge, nodes = [], pods = [] }: NodeStateCase['config']): Lab {
  const objects = storeOf(
    flannelConfig({ Network: network, Backend: { Type: backend } }),
    daemonSet('flannel:v0.28.9', ['--ip-masq', '--kube-subnet-mgr']),
    ...nodes.map((n, i) =>
      node(n.name, [n.podCIDR], {
        annotations: {
          'flannel.alpha.coreos.com/backend-data': JSON.stringify({ VNI: 1, VtepMAC: labMac(i, '0e:00') }),
          ...(bridge === 'docker0' ? { 'kubehop.dev/pod-network': 'docker0' } : {}),
        },
      }),
    ),
    ...pods.map((p) => pod(p.name, p.node)),
  )
  const uplinks = new Map(nodes.map((n) => [n.name, uplink([`${n.ip}/24`])]))
  const router: Route = {
    type: 'unicast',
    dst: anyPrefix('ipv4'),
    via: ip('192.168.0.1'),
    dev: deviceName('eth0'),
    table: 'main',
    proto: 'boot',
    scope: 'global',
  }
  return labOf(objects, uplinks, [loopback, eth0('192.168.0.100/24'), { routes: [router] }])
}

function ipv6Half({ ipv6Network, node0, node1, podCIDR0, podCIDR1 }: NodeStateCase['config']): Lab {
  const objects = storeOf(
    flannelConfig({ EnableIPv4: false, EnableIPv6: true, IPv6Network: ipv6Network, Backend: { Type: 'vxlan' } }),
    ...[podCIDR0, podCIDR1].map((cidr, i) =>
      node(`node${i}`, [cidr ?? ''], {
        annotations: { 'flannel.alpha.coreos.com/backend-v6-data': JSON.stringify({ VtepMAC: labMac(i, '0e:06') }) },
      }),
    ),
    pod('a', 'node0'),
  )
  const uplinks = new Map([node0, node1].map((a, i) => [`node${i}`, uplink([`${a}/64`])]))
  return labOf(objects, uplinks, [])
}

function labOf(
  objects: Parameters<typeof renderFlannel>[0],
  uplinks: Parameters<typeof renderFlannel>[2],
  underlay: readonly NetnsAdditions[],
): Lab {
  const result = renderFlannel(objects, settings, uplinks)
  const parts = [...underlay, result.nodes.get('node0')?.additions ?? {}]
  const own = result.pods.find((p) => p.pod.name === 'a')?.netns
  expect(own).toBeDefined()
  return { node: withKernelRoutes(parts), pod: withKernelRoutes([own ?? {}]) }
}

function withKernelRoutes(parts: readonly NetnsAdditions[]): NetnsAdditions {
  const links = parts.flatMap((p) => p.links ?? [])
  const addresses = parts.flatMap((p) => p.addresses ?? [])
  return {
    links,
    addresses,
    routes: [...parts.flatMap((p) => p.routes ?? []), ...connectedRoutes(links, addresses)],
    neighbours: parts.flatMap((p) => p.neighbours ?? []),
    fdb: parts.flatMap((p) => p.fdb ?? []),
  }
}

/** By address, then the longer prefix; the default route of IPv6 stands last. */
function listing(state: NetnsAdditions, keep: (r: Route) => boolean): string {
  const key = (r: Route): number => (r.dst.length === 0 && familyOf(r.dst.address) === 'ipv6' ? 1 : 0)
  return (state.routes ?? [])
    .filter(keep)
    .toSorted(
      (a, b) =>
        key(a) - key(b) || compareIps(a.dst.address, b.dst.address) || longest(a, b) || (a.type < b.type ? -1 : 1),
    )
    .map(formatRoute)
    .map((line) => line.replace(/^(local|broadcast) (.*) table local /, '$1 $2 '))
    .join('\n')
}

const longest = (a: Route, b: Route): number =>
  a.dst.length === 0 || b.dst.length === 0 ? a.dst.length - b.dst.length : b.dst.length - a.dst.length

const isIpv4 = (r: Route): boolean => familyOf(r.dst.address) === 'ipv4'

function shown(command: string, { node: state, pod: inside }: Lab): string {
  const device = /(?:show|dev) (flannel\S*)/.exec(command)?.[1] ?? /^(flannel\S*) mtu/.exec(command)?.[1]
  const link = state.links?.find((l) => l.name === device)
  if (/^ip route( \(|$)/.test(command)) return listing(state, (r) => r.table === 'main' && isIpv4(r))
  if (command === 'ip route show table local') return sorted(listing(state, (r) => r.table === 'local' && isIpv4(r)))
  if (command === 'pod: ip route') return listing(inside, (r) => r.table === 'main' && isIpv4(r))
  if (command === 'pod: ip -6 route') return sorted(listing(inside, (r) => r.table === 'main' && !isIpv4(r)))
  if (command.startsWith('ip -6 route')) return overlay(state)
  if (command.includes('neigh show'))
    return (state.neighbours ?? []).map((n) => listNeighbour(n).replace(` dev ${n.dev}`, '')).join('\n')
  if (command.startsWith('bridge fdb'))
    return (state.fdb ?? []).map((e) => formatFdb(e).replace(` dev ${e.dev}`, '')).join('\n')
  if (command.endsWith(' mtu')) return String(link?.mtu)
  if (command.startsWith('ip -d link')) return link ? modelled(formatLink(link)) : ''
  if (command.startsWith('ip -6 addr')) {
    const a = state.addresses?.find((b) => b.dev === device)
    return `inet6 ${a?.ip}/${a?.length} scope ${a?.scope}`
  }
  throw new Error(`not compared: ${command}`)
}

const sorted = (text: string): string => text.split('\n').toSorted().join('\n')

/** The kernel's multicast and link-local routes are left out, as the case does. */
const overlay = (state: NetnsAdditions): string =>
  listing(state, (r) => r.table === 'main' && !isIpv4(r) && /flannel|cni0/.test(r.dev ?? ''))

/** The words that a link's text has for what is modelled, in the case's order. */
const modelled = (text: string): string =>
  text
    .split('\n')
    .flatMap((line) => line.trim().split(/\s+/))
    .filter((word) => word !== 'state' && word !== 'UP' && word !== 'UNKNOWN')
    .toSorted()
    .join(' ')

const unmodelled =
  / (qdisc|mode|group|qlen|promiscuity|allmulti|minmtu|maxmtu|ageing|ttl|vnet_hdr|persist|state) +\S+| srcport 0 0| udpcsum| noudp6zerocsum[tr]x/g

function comparable(command: string, expected: string): string {
  if (command.startsWith('ip -d link')) return modelled(expected.replaceAll(unmodelled, ''))
  if (command === 'ip route show table local') return sorted(expected)
  if (command === 'pod: ip -6 route')
    // The link-local route comes with the device's own address, which the kernel makes.
    return sorted(
      expected
        .split('\n')
        .filter((l) => !l.startsWith('fe80::'))
        .join('\n'),
    )
  return expected
}
