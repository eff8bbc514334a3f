import type { Link } from '../artefact/link.ts'
import { addToNetns, emptyNetns, type ListeningSocket, type NetnsState } from '../artefact/netns.ts'
import type { Origin } from '../artefact/origin.ts'
import type { Route } from '../artefact/route.ts'
import { type Family, familyOf, type Ip } from '../net/ip.ts'
import { stableMac } from '../net/mac.ts'
import { anyPrefix, type Prefix, prefixFamily } from '../net/prefix.ts'
import { addressOn, mtuOf, podOrigin } from './bridge.ts'
import type { IpamRoute } from './bridge-conf.ts'
import { podKey } from './digest.ts'
import { loopback } from './loopback.ts'
import { cniMac } from './mac.ts'
import { podDevice, type Sandbox } from './sandbox.ts'
import { isAtLeast, type Version } from './version.ts'

/** What the inside of a pod follows from, whatever plugin wired it. */
export interface PodSetup {
  readonly by: 'bridge' | 'ptp'
  readonly mtu: number
  readonly routes: readonly IpamRoute[]
  /** The plugin's own default route: only where the IPAM gave none of that family. */
  readonly defaultGateway: boolean
  readonly version: Version
}

export function podNetns(setup: PodSetup, sandbox: Sandbox, sockets: readonly ListeningSocket[]): NetnsState {
  const origin = podOrigin(sandbox, setup.by)
  const families = sandbox.addresses.map((a) => familyOf(a.ip))
  return addToNetns(addToNetns(emptyNetns, loopback), {
    links: [podVeth(setup, sandbox, origin)],
    addresses: sandbox.addresses.map((a) => addressOn(podDevice, a, origin)),
    routes: [...ipamRouteList(setup, sandbox, origin), ...defaultRoutes(setup, sandbox, origin)],
    sysctls: podSysctls(families),
    sockets,
  })
}

function podVeth(setup: PodSetup, sandbox: Sandbox, origin: Origin): Link {
  const address = sandbox.addresses.find((a) => familyOf(a.ip) === 'ipv4')
  const byAddress = setup.by === 'bridge' && address && !isAtLeast(setup.version, 'v0.7.0')
  return {
    name: podDevice,
    mac: byAddress ? cniMac(address.ip) : stableMac(`eth0 of ${podKey(sandbox.pod)}`),
    mtu: mtuOf(setup),
    up: true,
    kind: { kind: 'veth', peer: sandbox.hostDevice },
    origin,
  }
}

const gatewayOf = (sandbox: Sandbox, family: Family): Ip | undefined =>
  sandbox.addresses.find((a) => familyOf(a.ip) === family)?.gateway

/** In the order of the configuration; a route of a family that the pod lacks has no gateway and is left out. */
const ipamRouteList = (setup: PodSetup, sandbox: Sandbox, origin: Origin): readonly Route[] =>
  setup.routes.flatMap(({ dst, gateway }) => {
    const via = gateway ?? gatewayOf(sandbox, prefixFamily(dst))
    return via ? [podRoute(dst, via, origin)] : []
  })

function defaultRoutes(setup: PodSetup, sandbox: Sandbox, origin: Origin): readonly Route[] {
  if (!setup.defaultGateway) return []
  const given = new Set(setup.routes.filter((r) => r.dst.length === 0).map((r) => prefixFamily(r.dst)))
  return sandbox.addresses
    .filter((a, i, all) => all.findIndex((b) => familyOf(b.ip) === familyOf(a.ip)) === i)
    .filter((a) => !given.has(familyOf(a.ip)))
    .map((a) => podRoute(anyPrefix(familyOf(a.ip)), a.gateway, origin))
}

export const podRoute = (dst: Prefix, via: Ip, origin: Origin): Route => ({
  type: 'unicast',
  dst,
  via,
  dev: podDevice,
  table: 'main',
  proto: 'boot',
  scope: 'global',
  origin,
})

/** Peers learn a reused address at once; an IPv6 address is usable at once. */
const podSysctls = (families: readonly Family[]): Readonly<Record<string, string>> => ({
  'net.ipv4.conf.eth0.arp_notify': '1',
  'net.ipv6.conf.eth0.accept_dad': '0',
  ...(families.includes('ipv6')
    ? {
        'net.ipv6.conf.lo.disable_ipv6': '0',
        'net.ipv6.conf.eth0.disable_ipv6': '0',
        'net.ipv6.conf.eth0.keep_addr_on_down': '1',
      }
    : {}),
})
