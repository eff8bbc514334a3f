import { join } from '../../artefact/nft/expression.ts'
import type { NftBase, NftChain, NftRule } from '../../artefact/nft/ruleset.ts'
import { jumpTo, type NftStatement, verdict } from '../../artefact/nft/statement.ts'
import { prefix } from '../../net/prefix.ts'
import {
  chain,
  destination,
  detect,
  hasMark,
  inNamedSet,
  inPrefixes,
  isNew,
  isNot,
  isToNode,
  marking,
  masquerade,
  type NftRendering,
  nodePortKey,
  prefixValue,
  rule,
  serviceKey,
  set,
  setMark,
  verdictOf,
} from './rendering.ts'

/** A base chain and where it jumps to; `isNew` first, except in nat chains, which see new connections alone. */
interface Base {
  readonly name: string
  readonly base: Omit<NftBase, 'policy'>
  readonly jumps: readonly string[]
}

const nat: readonly Base[] = [
  { name: 'nat-prerouting', base: { type: 'nat', hook: 'prerouting', priority: -100 }, jumps: [chain.services] },
  { name: 'nat-output', base: { type: 'nat', hook: 'output', priority: -100 }, jumps: [chain.services] },
  { name: 'nat-postrouting', base: { type: 'nat', hook: 'postrouting', priority: 100 }, jumps: [chain.masquerading] },
]

const filter = (name: string, hook: NftBase['hook'], priority: number, ...jumps: readonly string[]): Base => ({
  name,
  base: { type: 'filter', hook, priority },
  jumps,
})

/** 1.34: checks of endpoints at the usual priority, after DNAT; source ranges before it (PR 132456). */
const since134: readonly Base[] = [
  filter('filter-prerouting-pre-dnat', 'prerouting', -110, chain.firewallCheck),
  filter('filter-output-pre-dnat', 'output', -110, chain.firewallCheck),
  filter('filter-input', 'input', 0, chain.nodePortEndpointsCheck, chain.serviceEndpointsCheck),
  filter('filter-forward', 'forward', 0, chain.serviceEndpointsCheck, chain.clusterIPsCheck),
  filter('filter-output', 'output', 0, chain.serviceEndpointsCheck, chain.clusterIPsCheck),
  ...nat,
]

const before134: readonly Base[] = [
  filter('filter-prerouting', 'prerouting', -110, chain.firewallCheck),
  filter('filter-input', 'input', -110, chain.nodePortEndpointsCheck, chain.serviceEndpointsCheck),
  filter('filter-forward', 'forward', -110, chain.serviceEndpointsCheck, chain.clusterIPsCheck),
  filter('filter-output', 'output', -110, chain.serviceEndpointsCheck, chain.firewallCheck),
  filter('filter-output-post-dnat', 'output', -90, chain.clusterIPsCheck),
  ...nat,
]

/** The chains that every service shares. */
export function sharedChains(r: NftRendering): readonly NftChain[] {
  const bases = r.layout === '1.30' ? before134 : since134
  return [
    ...bases.map(baseChain),
    ...(r.layout === '1.36' ? [] : [markChain(r)]),
    { name: chain.masquerading, rules: masqueradingRules(r) },
    { name: chain.services, rules: servicesRules(r) },
    { name: chain.serviceEndpointsCheck, rules: [refuse(r, [verdictOf(serviceKey(r), set.noEndpointServices)])] },
    {
      name: chain.nodePortEndpointsCheck,
      rules: [refuse(r, [...toNodePorts(r, false), verdictOf(nodePortKey, set.noEndpointNodePorts)])],
    },
    {
      name: chain.firewallCheck,
      rules: [rule([verdictOf(serviceKey(r), set.firewallIPs)], 'source ranges')],
    },
    { name: chain.clusterIPsCheck, rules: clusterIPsRules(r) },
    {
      name: chain.reject,
      comment: 'helper for @no-endpoint-services / @no-endpoint-nodeports',
      rules: [rule([{ kind: 'reject' }], 'has no endpoints')],
    },
  ]
}

function baseChain({ name, base, jumps }: Base): NftChain {
  const condition = base.type === 'filter' ? [isNew] : []
  return {
    name,
    base: { ...base, policy: 'accept' },
    rules: jumps.map((to) => rule([...condition, jumpTo(to)], 'entry')),
  }
}

const refuse = (_: NftRendering, statements: readonly NftStatement[]): NftRule => rule(statements, 'no endpoints')

const markChain = ({ settings }: NftRendering): NftChain => ({
  name: chain.markForMasquerade,
  rules: [rule([setMark('|', settings.masqueradeMark)], 'mark for masquerade')],
})

function masqueradingRules(r: NftRendering): readonly NftRule[] {
  const { masqueradeMark: bit } = r.settings
  const unmark = setMark('^', bit)
  if (r.layout !== '1.36') {
    return [
      rule([hasMark(bit, '=='), verdict('return')], 'not marked'),
      rule([unmark], 'unmark'),
      rule([masquerade], 'masquerade'),
    ]
  }
  const isDnat: NftStatement = {
    kind: 'match',
    left: { kind: 'field', field: 'ct status' },
    op: 'has',
    right: { kind: 'literal', text: 'dnat' },
  }
  const isHairpin: NftStatement = {
    kind: 'match',
    left: join(`${r.ip} saddr`, `${r.ip} daddr`, 'meta l4proto', 'th dport'),
    op: '==',
    right: { kind: 'set', set: { kind: 'named', name: set.hairpin } },
  }
  return [
    rule([hasMark(bit, '!='), unmark, masquerade], 'masquerade'),
    rule([isDnat, isHairpin, masquerade], 'masquerade hairpin connections'),
  ]
}

function servicesRules(r: NftRendering): readonly NftRule[] {
  return [
    ...(r.layout === '1.36' ? markClusterIPs(r) : []),
    rule([verdictOf(serviceKey(r), set.serviceIPs)], 'service addresses'),
    rule([...toNodePorts(r, true), verdictOf(nodePortKey, set.serviceNodePorts)], 'node ports'),
  ]
}

/** Since 1.36 in one rule for all cluster IPs. */
function markClusterIPs(r: NftRendering): readonly NftRule[] {
  const { masqueradeAll, detectLocal } = r.settings
  const isClusterIP = inNamedSet(destination(r), set.clusterIPs)
  const note = 'masquerade cluster IP traffic'
  if (masqueradeAll) {
    return [rule([isClusterIP, marking(r)], note, undefined, 'masquerade all clusterIP traffic')]
  }
  const outside = detect(r, detectLocal, '!=')
  if (!outside) return []
  return [
    rule([isClusterIP, outside, marking(r)], note, undefined, 'masquerade clusterIP traffic from outside cluster'),
  ]
}

/** Addresses that answer node ports. Never loopback. */
function toNodePorts(r: NftRendering, isNat: boolean): readonly NftStatement[] {
  if (r.settings.nodePortAddresses !== undefined) return [inNamedSet(destination(r), set.nodePortIPs)]
  const loopback = prefix(r.ip === 'ip' ? '127.0.0.0/8' : '::1/128')
  const notLoopback = isNot(destination(r), prefixValue(loopback))
  return isNat ? [isToNode, notLoopback] : [notLoopback]
}

function clusterIPsRules(r: NftRendering): readonly NftRule[] {
  const to = destination(r)
  const unused = rule(
    [inNamedSet(to, set.clusterIPs), { kind: 'reject' }],
    'port of a cluster IP that no service has',
    undefined,
    'Reject traffic to invalid ports of ClusterIPs',
  )
  if (r.serviceCIDRs.length === 0) return [unused]
  const comment = 'Drop traffic to unallocated ClusterIPs'
  return [
    unused,
    rule([inPrefixes(to, '==', r.serviceCIDRs), verdict('drop')], 'cluster IP of no service', undefined, comment),
  ]
}
