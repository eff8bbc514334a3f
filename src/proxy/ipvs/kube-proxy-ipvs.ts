import type { IpSet } from '../../artefact/ipset.ts'
import type { IptablesEdit } from '../../artefact/iptables/edit.ts'
import type { TableName } from '../../artefact/iptables/rule.ts'
import type { IpvsService } from '../../artefact/ipvs.ts'
import { deviceName, type Link } from '../../artefact/link.ts'
import type { Address } from '../../artefact/netns.ts'
import type { Origin } from '../../artefact/origin.ts'
import { type Ip, widthOf } from '../../net/ip.ts'
import { stableMac } from '../../net/mac.ts'
import { canaryEdits } from '../iptables/jumps.ts'
import { type ChainRule, comment, jump } from '../iptables/rule-parts.ts'
import type { ServicePortPlan } from '../plan.ts'
import type { ProxySettings } from '../proxy-settings.ts'
import { boundAddresses, setMembers } from './members.ts'
import { filterChains, filterRules, jumps, natChains, natRules } from './rules.ts'
import { ipSet, setKeys } from './set-names.ts'
import { virtualServers } from './virtual-servers.ts'

/** What one kube-proxy in IPVS mode installs on its node. */
export interface KubeProxyIpvs {
  readonly edits: readonly IptablesEdit[]
  readonly sets: readonly IpSet[]
  readonly services: readonly IpvsService[]
  /** Addresses of kube-ipvs0, which make the addresses of services local. */
  readonly bound: readonly Ip[]
  readonly sysctls: Readonly<Record<string, string>>
}

export function kubeProxyIpvs(plans: readonly ServicePortPlan[], settings: ProxySettings): KubeProxyIpvs {
  const members = setMembers(plans, settings)
  const nat = natRules(members, settings)
  const filter = filterRules(plans, members, settings)
  return {
    edits: [...jumpEdits(), ...restore('nat', natChains, nat), ...restore('filter', filterChains, filter)],
    sets: setKeys.map((key) => ipSet(key, settings.family, members[key])),
    services: virtualServers(plans, settings),
    bound: boundAddresses(plans, settings),
    sysctls: sysctls(settings),
  }
}

function jumpEdits(): readonly IptablesEdit[] {
  return [
    ...canaryEdits('KUBE-PROXY-CANARY'),
    ...natChains.map((name): IptablesEdit => ({ op: 'ensure-chain', table: 'nat', chain: name })),
    ...filterChains.map((name): IptablesEdit => ({ op: 'ensure-chain', table: 'filter', chain: name })),
    ...jumps.map(({ table, from, to, comment: text }): IptablesEdit => {
      const rule = { matches: [comment(text)], target: jump(to), origin: { by: 'kube-proxy', note: text } }
      return { op: 'ensure-prepended', table, chain: from, rule }
    }),
  ]
}

const restore = (table: TableName, chains: readonly string[], rules: readonly ChainRule[]): readonly IptablesEdit[] => [
  ...chains.map((name): IptablesEdit => ({ op: 'flush-chain', table, chain: name })),
  ...rules.map(({ chain, rule }): IptablesEdit => ({ op: 'append', table, chain, rule })),
]

const sysctls = ({ ipvs }: ProxySettings): Readonly<Record<string, string>> => ({
  'net.ipv4.vs.conntrack': '1',
  'net.ipv4.vs.expire_nodest_conn': '1',
  'net.ipv4.vs.expire_quiescent_template': '1',
  'net.ipv4.ip_forward': '1',
  ...(ipvs?.strictARP && { 'net.ipv4.conf.all.arp_ignore': '1', 'net.ipv4.conf.all.arp_announce': '2' }),
  'net.netfilter.nf_conntrack_tcp_timeout_established': '86400',
  'net.netfilter.nf_conntrack_tcp_timeout_close_wait': '3600',
})

const dummy = deviceName('kube-ipvs0')
const origin: Origin = { by: 'kube-proxy', note: 'addresses of services' }

/** The device is never up: its addresses are local all the same. */
export const ipvsDevice = (node: string): Link => ({
  name: dummy,
  mac: stableMac(`${node} kube-ipvs0`),
  mtu: 1500,
  up: false,
  kind: { kind: 'dummy' },
  origin,
})

export const ipvsAddress = (ip: Ip): Address => ({
  dev: dummy,
  ip,
  length: widthOf(ip.includes(':') ? 'ipv6' : 'ipv4'),
  scope: 'global',
  origin,
})
