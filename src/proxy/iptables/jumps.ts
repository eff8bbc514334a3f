import type { IptablesEdit } from '../../artefact/iptables/edit.ts'
import type { BuiltinChain, Match, TableName } from '../../artefact/iptables/rule.ts'
import { chain } from './chain-names.ts'
import type { Rendering } from './rendering.ts'
import { comment } from './rule-parts.ts'
import { jumpTo } from './top-level.ts'

interface Jump {
  readonly table: TableName
  readonly to: string
  readonly from: BuiltinChain
  /** `NEW`: only the first packet of a connection. */
  readonly matches: readonly Match[]
}

const isNew: Match = { kind: 'conntrack', state: { value: ['NEW'] } }
const portals = 'kubernetes service portals'
const external = 'kubernetes externally-visible service portals'
const balancerFirewall = 'kubernetes load balancer firewall'

/** In the order in which they are ensured: each goes to position 1, so the last one ends up first. */
const common: readonly Jump[] = [
  { table: 'filter', to: chain.externalServices, from: 'INPUT', matches: [isNew, comment(external)] },
  { table: 'filter', to: chain.externalServices, from: 'FORWARD', matches: [isNew, comment(external)] },
  { table: 'filter', to: chain.nodePorts, from: 'INPUT', matches: [comment('kubernetes health check service ports')] },
  { table: 'filter', to: chain.services, from: 'FORWARD', matches: [isNew, comment(portals)] },
  { table: 'filter', to: chain.services, from: 'OUTPUT', matches: [isNew, comment(portals)] },
  { table: 'filter', to: chain.forward, from: 'FORWARD', matches: [comment('kubernetes forwarding rules')] },
]

const sourceRanges: readonly Jump[] = [
  { table: 'filter', to: chain.proxyFirewall, from: 'INPUT', matches: [isNew, comment(balancerFirewall)] },
  { table: 'filter', to: chain.proxyFirewall, from: 'OUTPUT', matches: [isNew, comment(balancerFirewall)] },
  { table: 'filter', to: chain.proxyFirewall, from: 'FORWARD', matches: [isNew, comment(balancerFirewall)] },
]

const nat: readonly Jump[] = [
  { table: 'nat', to: chain.services, from: 'OUTPUT', matches: [comment(portals)] },
  { table: 'nat', to: chain.services, from: 'PREROUTING', matches: [comment(portals)] },
  { table: 'nat', to: chain.postrouting, from: 'POSTROUTING', matches: [comment('kubernetes postrouting rules')] },
]

/** Shared with kubelet, in both families and whatever `localhostNodePorts` says. */
const firewall: readonly Jump[] = [
  { table: 'filter', to: chain.firewall, from: 'INPUT', matches: [] },
  { table: 'filter', to: chain.firewall, from: 'OUTPUT', matches: [] },
]

/** The canaries (their loss tells kube-proxy that somebody flushed the tables), then the jumps: part of a full sync. */
export function jumpEdits({ behaviour }: Rendering): IptablesEdit[] {
  const jumps = [
    ...common,
    ...(behaviour.layout === 'firewall' ? sourceRanges : []),
    ...nat,
    ...(behaviour.writesKubeFirewall ? firewall : []),
  ]
  return [
    ...canaryEdits(chain.proxyCanary),
    ...jumps.flatMap(({ table, to, from, matches }): IptablesEdit[] => [
      { op: 'ensure-chain', table, chain: to },
      { op: 'ensure-prepended', table, chain: from, rule: jumpTo(to, matches) },
    ]),
    ...(behaviour.layout === 'firewall' ? [] : [ensureMarkDrop]),
  ]
}

/** kubelet fills it; kube-proxy only jumps to it. */
const ensureMarkDrop: IptablesEdit = { op: 'ensure-chain', table: 'nat', chain: chain.markDrop }

export const canaryEdits = (name: string): IptablesEdit[] =>
  (['mangle', 'nat', 'filter'] as const).map((table) => ({ op: 'ensure-chain', table, chain: name }))
