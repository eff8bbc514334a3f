import { join, type NftExpression, type NftField } from '../../artefact/nft/expression.ts'
import type { NftRule } from '../../artefact/nft/ruleset.ts'
import { jumpTo, type NftStatement } from '../../artefact/nft/statement.ts'
import { literal, type NftValue } from '../../artefact/nft/value.ts'
import type { Origin, OriginObject } from '../../artefact/origin.ts'
import type { Ip } from '../../net/ip.ts'
import { isHostPrefix, type Prefix } from '../../net/prefix.ts'
import type { DetectLocal, ProxySettings } from '../proxy-settings.ts'

/** Which release's rules: they changed in shape twice. */
export type NftLayout = '1.30' | '1.34' | '1.36'

/** What rendering needs besides the plan. */
export interface NftRendering {
  readonly settings: ProxySettings
  readonly layout: NftLayout
  /** CIDRs of Services, of this family; empty where kube-proxy does not know them. */
  readonly serviceCIDRs: readonly Prefix[]
  readonly ip: 'ip' | 'ip6'
}

export function nftRendering(settings: ProxySettings, serviceCIDRs: readonly Prefix[]): NftRendering {
  const { minor, family } = settings
  const layout = minor >= 36 ? '1.36' : minor >= 34 ? '1.34' : '1.30'
  return { settings, layout, serviceCIDRs, ip: family === 'ipv4' ? 'ip' : 'ip6' }
}

export const source = ({ ip }: NftRendering): NftField => `${ip} saddr`
export const destination = ({ ip }: NftRendering): NftField => `${ip} daddr`

export const chain = {
  markForMasquerade: 'mark-for-masquerade',
  masquerading: 'masquerading',
  services: 'services',
  serviceEndpointsCheck: 'service-endpoints-check',
  nodePortEndpointsCheck: 'nodeport-endpoints-check',
  firewallCheck: 'firewall-check',
  clusterIPsCheck: 'cluster-ips-check',
  reject: 'reject-chain',
} as const

export const set = {
  clusterIPs: 'cluster-ips',
  nodePortIPs: 'nodeport-ips',
  hairpin: 'hairpin-connections',
  serviceIPs: 'service-ips',
  serviceNodePorts: 'service-nodeports',
  firewallIPs: 'firewall-ips',
  noEndpointServices: 'no-endpoint-services',
  noEndpointNodePorts: 'no-endpoint-nodeports',
} as const

export const is = (field: NftField, value: NftValue): NftStatement => match(field, '==', value)
export const isNot = (field: NftField, value: NftValue): NftStatement => match(field, '!=', value)

function match(field: NftField, op: '==' | '!=', right: NftValue): NftStatement {
  return { kind: 'match', left: { kind: 'field', field }, op, right }
}

export const inNamedSet = (field: NftField, name: string): NftStatement => ({
  kind: 'match',
  left: { kind: 'field', field },
  op: '==',
  right: { kind: 'set', set: { kind: 'named', name } },
})

/** Written with its braces even for one. */
export const inPrefixes = (field: NftField, op: '==' | '!=', prefixes: readonly Prefix[]): NftStatement => ({
  kind: 'match',
  left: { kind: 'field', field },
  op,
  right: { kind: 'set', set: { kind: 'anonymous', elements: prefixes.map((p) => ({ key: prefixValue(p) })) } },
})

export const prefixValue = (prefix: Prefix): NftValue =>
  isHostPrefix(prefix) ? literal(prefix.address) : { kind: 'prefix', prefix }

export const isNew: NftStatement = {
  kind: 'match',
  left: { kind: 'field', field: 'ct state' },
  op: 'has',
  right: literal('new'),
}
export const isFromNode: NftStatement = {
  kind: 'match',
  left: { kind: 'fib', by: ['saddr'], result: 'type' },
  op: '==',
  right: literal('local'),
}
export const isToNode: NftStatement = {
  kind: 'match',
  left: { kind: 'fib', by: ['daddr'], result: 'type' },
  op: '==',
  right: literal('local'),
}

/** `ip daddr . meta l4proto . th dport`. */
export const serviceKey = (r: NftRendering): NftExpression => join(destination(r), 'meta l4proto', 'th dport')
export const nodePortKey: NftExpression = join('meta l4proto', 'th dport')

export const verdictOf = (key: NftExpression, name: string): NftStatement => ({
  kind: 'vmap',
  key,
  map: { kind: 'named', name },
})

const mark: NftExpression = { kind: 'field', field: 'meta mark' }
export const setMark = (op: '|' | '^', bit: number): NftStatement => ({
  kind: 'assign',
  field: 'meta mark',
  value: { kind: 'bitwise', op, left: mark, right: bit },
})
export const hasMark = (bit: number, op: '==' | '!='): NftStatement => ({
  kind: 'match',
  left: { kind: 'bitwise', op: '&', left: mark, right: bit },
  op,
  right: literal('0x00000000'),
})
export const masquerade: NftStatement = { kind: 'masquerade', flags: ['fully-random'] }

/** Marks the packet for masquerading: by a chain, and since 1.36 in place. */
export const marking = ({ layout, settings }: NftRendering): NftStatement =>
  layout === '1.36' ? setMark('|', settings.masqueradeMark) : jumpTo(chain.markForMasquerade)

/** "From a pod of this node", or its contrary; undefined without a detector. Interface names end in `*` as prefixes. */
export function detect(r: NftRendering, by: DetectLocal, op: '==' | '!='): NftStatement | undefined {
  switch (by.by) {
    case 'none':
      return undefined
    case 'source':
      return match(source(r), op, prefixValue(by.prefix))
    case 'interface':
      return match('iif', op, { kind: 'literal', text: by.pattern.replace(/\+$/, '*') })
  }
}

export const rule = (
  statements: readonly NftStatement[],
  note: string,
  object?: OriginObject,
  comment?: string,
): NftRule => ({
  statements,
  ...(comment !== undefined && { comment }),
  origin: origin(note, object),
})

export const origin = (note: string, object?: OriginObject): Origin => ({
  by: 'kube-proxy',
  note,
  ...(object && { object }),
})

export const port = (value: number): string => String(value)
export const key = (...texts: readonly (Ip | string)[]): NftValue => ({ kind: 'concat', parts: texts.map(literal) })
