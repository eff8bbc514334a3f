import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import type { Rule } from '../artefact/iptables/rule.ts'
import { type DeviceName, defaultPortSettings, deviceName } from '../artefact/link.ts'
import {
  addToNetns,
  emptyNetns,
  type ListeningSocket,
  type NetnsAdditions,
  type NetnsState,
} from '../artefact/netns.ts'
import type { Origin } from '../artefact/origin.ts'
import type { Ip } from '../net/ip.ts'
import { stableMac } from '../net/mac.ts'
import { anyPrefix, hostPrefix, type InterfaceAddress, prefix } from '../net/prefix.ts'
import { addressOn, forwardingSysctls, podOrigin } from './bridge.ts'
import { podKey } from './digest.ts'
import { subnetBehind } from './flannel/subnet-env.ts'
import { type AddressRange, addressesFrom } from './host-local.ts'
import { loopback } from './loopback.ts'
import { dockerMac } from './mac.ts'
import type { Allocator } from './pod-addresses.ts'
import { podRoute } from './pod-netns.ts'
import { hostAddress, portMappings } from './port-mapping.ts'
import { dnatTo } from './portmap/iptables.ts'
import { accept, dport, ensureChain, is, jump, masquerade, not, returns, rule, toLocal } from './rule-parts.ts'
import { podDevice, type Sandbox } from './sandbox.ts'

/** A docker daemon whose bridge holds the node's subnet: `--bip`, `--ip-masq`, `--mtu` as flannel writes them. */
export interface DockerSetup {
  readonly bip: InterfaceAddress
  readonly ipMasq: boolean
  readonly mtu: number
}

export const docker0 = deviceName('docker0')
const origin: Origin = { by: 'docker' }

/** Docker's own: the lowest free address, the gateway apart. */
export const lowestFree: Allocator = (ranges: readonly AddressRange[], held) => {
  const taken = new Set<Ip>(held.map(([address]) => address))
  return () => {
    for (const { ip: free } of addressesFrom(ranges)) {
      if (taken.has(free)) continue
      taken.add(free)
      return { ip: free }
    }
    return { error: 'no available IPv4 addresses on this network' }
  }
}

/** docker0 stands with the daemon, before any container. */
export function dockerOnNode(setup: DockerSetup, node: string, sandboxes: readonly Sandbox[]): NetnsAdditions {
  return {
    links: [
      {
        name: docker0,
        mac: stableMac(`docker0 of ${node}`),
        mtu: setup.mtu,
        up: true,
        kind: { kind: 'bridge', stp: false, vlanFiltering: false },
        origin,
      },
      ...sandboxes.map((s) => ({
        name: s.hostDevice,
        mac: stableMac(`veth of ${podKey(s.pod)}`),
        mtu: setup.mtu,
        up: true,
        master: docker0,
        port: defaultPortSettings,
        kind: { kind: 'veth', peer: podDevice } as const,
        origin: podOrigin(s, 'docker'),
      })),
    ],
    addresses: [addressOn(docker0, setup.bip, origin)],
    sysctls: forwardingSysctls(['ipv4']),
  }
}

/** The pause container's namespace: one address, one default route; MAC from the address. */
export function dockerNetns(setup: DockerSetup, sandbox: Sandbox, sockets: readonly ListeningSocket[]): NetnsState {
  const by = podOrigin(sandbox, 'docker')
  const [address] = sandbox.addresses
  if (address === undefined) return addToNetns(emptyNetns, { ...loopback, sockets })
  return addToNetns(addToNetns(emptyNetns, loopback), {
    links: [
      {
        name: podDevice,
        mac: dockerMac(address.ip),
        mtu: setup.mtu,
        up: true,
        kind: { kind: 'veth', peer: sandbox.hostDevice },
        origin: by,
      },
    ],
    addresses: [addressOn(podDevice, address, by)],
    routes: [podRoute(anyPrefix('ipv4'), setup.bip.ip, by)],
    sockets,
  })
}

/** The daemon inserts its rules, last first, so that the listing stands in this order and before flannel's. */
export function dockerEdits(setup: DockerSetup, sandboxes: readonly Sandbox[]): readonly IptablesEdit[] {
  const published = sandboxes.flatMap((s) => publishedPorts(s))
  return [
    ...ensureChain('nat', 'DOCKER', [rule({ inInterface: is(docker0), target: returns, origin })]),
    ...ensureChain('filter', 'DOCKER', []),
    ...ensureChain('filter', 'DOCKER-ISOLATION', [rule({ target: returns, origin })]),
    ...appendAll('nat', 'PREROUTING', [rule({ matches: [toLocal], target: jump('DOCKER'), origin })]),
    ...appendAll('nat', 'OUTPUT', [outputRule]),
    ...(setup.ipMasq ? prependAll('nat', 'POSTROUTING', [masqueradeRule(setup, docker0)]) : []),
    ...prependAll('filter', 'FORWARD', forwardRules),
    ...published.flatMap((p) => [
      ...appendAll('nat', 'POSTROUTING', [p.hairpin]),
      ...appendAll('nat', 'DOCKER', [p.dnat]),
      ...appendAll('filter', 'DOCKER', [p.forward]),
    ]),
  ]
}

const outputRule = rule({
  destination: not(prefix('127.0.0.0/8')),
  matches: [toLocal],
  target: jump('DOCKER'),
  origin,
})

const masqueradeRule = (setup: DockerSetup, bridge: DeviceName): Rule =>
  rule({ source: is(subnetBehind(setup.bip)), outInterface: not(bridge), target: masquerade, origin })

const established = { kind: 'conntrack', state: is(['RELATED', 'ESTABLISHED'] as const) } as const

const forwardRules: readonly Rule[] = [
  rule({ target: jump('DOCKER-ISOLATION'), origin }),
  rule({ outInterface: is(docker0), matches: [established], target: accept, origin }),
  rule({ outInterface: is(docker0), target: jump('DOCKER'), origin }),
  rule({ inInterface: is(docker0), outInterface: not(docker0), target: accept, origin }),
  rule({ inInterface: is(docker0), outInterface: is(docker0), target: accept, origin }),
]

/** hostPorts are docker's published ports: dockershim with the no-op plugin hands them on. */
const publishedPorts = (sandbox: Sandbox) =>
  sandbox.addresses.flatMap(({ ip: address }) =>
    portMappings(sandbox.pod).map((m) => {
      const to = is(hostPrefix(address))
      const by: Origin = { ...podOrigin(sandbox, 'docker'), note: `hostPort ${m.hostPort}` }
      const host = hostAddress(m)
      const protocol = is(m.protocol)
      return {
        hairpin: rule({
          source: to,
          destination: to,
          protocol,
          matches: [dport(m.protocol, m.containerPort)],
          target: masquerade,
          origin: by,
        }),
        dnat: rule({
          ...(host ? { destination: is(hostPrefix(host)) } : {}),
          inInterface: not(docker0),
          protocol,
          matches: [dport(m.protocol, m.hostPort)],
          target: dnatTo(address, m.containerPort),
          origin: by,
        }),
        forward: rule({
          destination: to,
          inInterface: not(docker0),
          outInterface: is(docker0),
          protocol,
          matches: [dport(m.protocol, m.containerPort)],
          target: accept,
          origin: by,
        }),
      }
    }),
  )

const appendAll = (table: 'nat' | 'filter', chain: string, rules: readonly Rule[]): readonly IptablesEdit[] =>
  rules.map((r) => ({ op: 'ensure-appended', table, chain, rule: r }))

const prependAll = (table: 'nat' | 'filter', chain: string, rules: readonly Rule[]): readonly IptablesEdit[] =>
  rules.toReversed().map((r) => ({ op: 'ensure-prepended', table, chain, rule: r }))
