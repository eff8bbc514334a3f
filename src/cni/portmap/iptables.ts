import type { IptablesEdit } from '../../artefact/iptables/edit.ts'
import type { Match, Rule, Target } from '../../artefact/iptables/rule.ts'
import type { Origin } from '../../artefact/origin.ts'
import { familyOf, type Ip, ip } from '../../net/ip.ts'
import { hostPrefix, type InterfaceAddress, networkOf, type Prefix } from '../../net/prefix.ts'
import { cniChainName } from '../chain-name.ts'
import { byProtocol, concerns, hostAddress, type PortMapping } from '../port-mapping.ts'
import {
  bit,
  comment,
  dport,
  ensureChain,
  fillChain,
  is,
  jump,
  mark,
  masquerade,
  rule,
  toLocal,
} from '../rule-parts.ts'
import { isAtLeast, type Version } from '../version.ts'
import type { PortmapConf } from './conf.ts'

/** One ADD of the portmap plugin, for one address of the pod. */
export interface PortmapAdd {
  readonly network: string
  readonly containerId: string
  readonly address: InterfaceAddress
  readonly mappings: readonly PortMapping[]
  readonly conf: PortmapConf
  readonly version: Version
  /** The user's extra matches of the entry rules, read into a rule without target. */
  readonly conditions?: Rule
  readonly origin?: Origin
}

export const dnatTopChain = 'CNI-HOSTPORT-DNAT'
export const setMarkChain = 'CNI-HOSTPORT-SETMARK'
export const masqChain = 'CNI-HOSTPORT-MASQ'

/** Ports that one multiport match takes (XT_MULTI_PORTS). */
const portsPerRule = 15

export const dnatChain = (add: Pick<PortmapAdd, 'network' | 'containerId'>): string =>
  cniChainName(add.network, add.containerId, 'DN-')

/** In the order in which the plugin (v0.7.0 on) makes them. Nothing where there is nothing to map. */
export function portmapEdits(add: PortmapAdd): readonly IptablesEdit[] {
  if (add.mappings.length === 0) return []
  const shared = add.conf.snat && add.conf.externalSetMarkChain === undefined ? markEdits(add) : []
  const entries = entryRules(add).map((r): IptablesEdit => {
    return { op: 'ensure-appended', table: 'nat', chain: dnatTopChain, rule: r }
  })
  return [
    ...shared,
    ...topLevelEdits(add.version),
    ...fillChain('nat', dnatChain(add), containerRules(add)),
    ...entries,
  ]
}

/** The chains that mark and masquerade what comes from localhost or the pod's own subnet. */
function markEdits({ conf }: PortmapAdd): readonly IptablesEdit[] {
  const requiring = rule({ matches: [comment('CNI portfwd requiring masquerade')], target: jump(masqChain) })
  return [
    ...ensureChain('nat', setMarkChain, [setMarkRule(conf.markMasqBit)]),
    ...ensureChain('nat', masqChain, [masqRule(conf.markMasqBit)]),
    { op: 'ensure-prepended', table: 'nat', chain: 'POSTROUTING', rule: requiring },
  ]
}

export const setMarkRule = (markMasqBit: number): Rule =>
  rule({ matches: [comment('CNI portfwd masquerade mark')], target: { kind: 'mark', xmark: bit(markMasqBit) } })

export const masqRule = (markMasqBit: number): Rule => rule({ matches: [mark(bit(markMasqBit))], target: masquerade })

/** The jumps are appended since v0.8.0, so that kube-proxy's come first. */
export const topLevelEdits = (version: Version): readonly IptablesEdit[] => [
  { op: 'ensure-chain', table: 'nat', chain: dnatTopChain },
  ...['PREROUTING', 'OUTPUT'].map((chain): IptablesEdit => {
    const op = isAtLeast(version, 'v0.8.0') ? 'ensure-appended' : 'ensure-prepended'
    return { op, table: 'nat', chain, rule: rule({ matches: [toLocal], target: jump(dnatTopChain) }) }
  }),
]

/** One per protocol and 15 ports. Every port of the protocol is listed, also those of the other family. */
export function entryRules(add: PortmapAdd): readonly Rule[] {
  const text = `dnat name: ${JSON.stringify(add.network)} id: ${JSON.stringify(add.containerId)}`.slice(0, 255)
  const { matches = [], ...conditions } = add.conditions ?? {}
  return byProtocol(add.mappings).flatMap(([protocol, mappings]) =>
    chunks(mappings.map((m) => m.hostPort)).map((ports) =>
      rule({
        ...conditions,
        protocol: is(protocol),
        matches: [comment(text), destinationPorts(ports), ...matches],
        target: jump(dnatChain(add)),
        ...(add.origin ? { origin: add.origin } : {}),
      }),
    ),
  )
}

const chunks = (ports: readonly number[]): readonly (readonly number[])[] =>
  Array.from({ length: Math.ceil(ports.length / portsPerRule) }, (_, i) =>
    ports.slice(i * portsPerRule, (i + 1) * portsPerRule),
  )

const destinationPorts = (ports: readonly number[]): Match => ({
  kind: 'multiport',
  side: 'destination',
  ports: is(ports.map((port) => ({ from: port, to: port }))),
})

/** The pod's own chain: per mapping, who gets masqueraded, and then where it goes. */
export const containerRules = (add: PortmapAdd): readonly Rule[] =>
  add.mappings.filter((m) => concerns(m, familyOf(add.address.ip))).flatMap((m) => mappingRules(add, m))

function mappingRules(add: PortmapAdd, mapping: PortMapping): readonly Rule[] {
  const to = hostAddress(mapping)
  const { protocol, hostPort, containerPort } = mapping
  const make = (source: Prefix | undefined, target: Target): Rule =>
    rule({
      ...(source && source.length > 0 ? { source: is(source) } : {}),
      ...(to ? { destination: is(hostPrefix(to)) } : {}),
      protocol: is(protocol),
      matches: [dport(protocol, hostPort)],
      target,
      ...originOfMapping(add, mapping),
    })
  const marking = jump(add.conf.externalSetMarkChain ?? setMarkChain)
  const masqueraded = add.conf.snat ? masqueradedSources(add) : []
  return [...masqueraded.map((s) => make(s, marking)), make(undefined, dnatTo(add.address.ip, containerPort))]
}

/** The pod's subnet (the pod alone before v0.8.6, everybody with masqAll), and localhost, which IPv6 cannot route. */
function masqueradedSources({ address, conf, version }: PortmapAdd): readonly Prefix[] {
  const subnet = isAtLeast(version, 'v0.8.6') ? networkOf(address.ip, address.length) : hostPrefix(address.ip)
  const hairpin = conf.masqAll && isAtLeast(version, 'v1.2.0') ? networkOf(address.ip, 0) : subnet
  return familyOf(address.ip) === 'ipv4' ? [hairpin, localhost] : [hairpin]
}

const localhost = hostPrefix(ip('127.0.0.1'))

export const dnatTo = (address: Ip, port: number): Target => ({
  kind: 'dnat',
  to: { address: { from: address, to: address }, ports: { from: port, to: port } },
})

function originOfMapping({ origin }: PortmapAdd, { field, hostPort }: PortMapping): { readonly origin?: Origin } {
  if (!origin) return {}
  const object = origin.object && field ? { ...origin.object, field } : origin.object
  return { origin: { ...origin, note: `hostPort ${hostPort}`, ...(object ? { object } : {}) } }
}
