import { type DeviceName, defaultPortSettings, deviceName, type Link } from '../artefact/link.ts'
import type { Address, NetnsAdditions } from '../artefact/netns.ts'
import type { Origin } from '../artefact/origin.ts'
import { deviceKey } from '../artefact/sysctl.ts'
import { type Family, familyOf, type Ip } from '../net/ip.ts'
import { stableMac } from '../net/mac.ts'
import { broadcastOf, type InterfaceAddress, networkOf, nthAddress, type Prefix, prefixFamily } from '../net/prefix.ts'
import type { BridgeConf } from './bridge-conf.ts'
import { podKey } from './digest.ts'
import { cniMac } from './mac.ts'
import { podDevice, type Sandbox } from './sandbox.ts'
import { isAtLeast, type Version } from './version.ts'

export interface BridgeSetup {
  readonly conf: BridgeConf
  /** Of the plugins: MACs followed from addresses up to v0.6.0. */
  readonly version: Version
}

/** What the plugin has done to a node once every pod on it was added. Nothing before the first. */
export function bridgeOnNode({ conf, version }: BridgeSetup, sandboxes: readonly Sandbox[]): NetnsAdditions {
  const [first] = sandboxes
  if (first === undefined) return {}
  const bridge = deviceName(conf.bridge)
  const subnets = first.addresses.map((a) => networkOf(a.ip, a.length))
  const gateways = conf.isGateway ? bridgeGateways(subnets).addresses : []
  const origin: Origin = { by: 'bridge', note: 'the first pod on the node' }
  return {
    links: [bridgeLink(conf, first, gateways, version, origin), ...sandboxes.map((s) => hostVeth(conf, s, bridge))],
    addresses: gateways.map((a) => addressOn(bridge, a, origin)),
    sysctls: {
      [deviceKey('ipv6', bridge, 'accept_ra')]: '0',
      ...forwardingSysctls(gateways.map((a) => familyOf(a.ip))),
    },
  }
}

/** ip_forward and its twin: what a plugin that makes the node a gateway turns on. */
export const forwardingSysctls = (families: readonly Family[]): Readonly<Record<string, string>> => ({
  ...(families.includes('ipv4') ? { 'net.ipv4.ip_forward': '1' } : {}),
  ...(families.includes('ipv6') ? { 'net.ipv6.conf.all.forwarding': '1' } : {}),
})

/** Every gateway stands on the bridge; pods get a default route by the first of each family. */
export function bridgeGateways(subnets: readonly Prefix[]): {
  readonly addresses: readonly InterfaceAddress[]
  readonly defaultVia: readonly Ip[]
} {
  const addresses = subnets.flatMap((s) => {
    const ip = nthAddress(s, 1)
    return ip ? [{ ip, length: s.length }] : []
  })
  const firstOf = (family: Family): readonly Ip[] => {
    const gateway = addresses.find((a) => familyOf(a.ip) === family)
    return gateway ? [gateway.ip] : []
  }
  return { addresses, defaultVia: [...firstOf('ipv4'), ...firstOf('ipv6')] }
}

/** With its directed broadcast, where it has one. */
export function addressOn(dev: DeviceName, { ip, length }: InterfaceAddress, origin: Origin): Address {
  const network = networkOf(ip, length)
  const broadcast = prefixFamily(network) === 'ipv4' ? broadcastOf(network) : undefined
  return { ip, length, dev, scope: 'global', ...(broadcast ? { broadcast } : {}), origin }
}

function bridgeLink(
  conf: BridgeConf,
  first: Sandbox,
  gateways: readonly InterfaceAddress[],
  version: Version,
  origin: Origin,
): Link {
  const gateway = gateways.find((a) => familyOf(a.ip) === 'ipv4')
  const byAddress = gateway && !isAtLeast(version, 'v0.7.0')
  return {
    name: deviceName(conf.bridge),
    mac: byAddress ? cniMac(gateway.ip) : stableMac(`${conf.bridge} of ${first.node.metadata.name}`),
    mtu: mtuOf(conf),
    up: true,
    ...(conf.promiscuous ? { promiscuous: true } : {}),
    kind: { kind: 'bridge', stp: false, vlanFiltering: false },
    origin,
  }
}

export const mtuOf = (conf: { readonly mtu: number }): number => (conf.mtu === 0 ? 1500 : conf.mtu)

function hostVeth(conf: BridgeConf, sandbox: Sandbox, bridge: DeviceName): Link {
  return {
    name: sandbox.hostDevice,
    mac: stableMac(`veth of ${podKey(sandbox.pod)}`),
    mtu: mtuOf(conf),
    up: true,
    master: bridge,
    port: { ...defaultPortSettings, hairpin: conf.hairpin, isolated: conf.portIsolation },
    kind: { kind: 'veth', peer: podDevice },
    origin: podOrigin(sandbox, 'bridge'),
  }
}

export const podOrigin = ({ pod }: Sandbox, by: string): Origin => ({
  by,
  note: podKey(pod),
  object: { kind: 'Pod', namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name },
})
