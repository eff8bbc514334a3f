import type { IptablesEdit } from '../../artefact/iptables/edit.ts'
import type { Match, Rule, Target } from '../../artefact/iptables/rule.ts'
import type { Origin } from '../../artefact/origin.ts'
import type { Family } from '../../net/ip.ts'
import { type Prefix, prefix, prefixFamily } from '../../net/prefix.ts'
import { accept, bit, comment, fillChain, is, jump, mark, not, returns, rule } from '../rule-parts.ts'
import type { RuleGeneration } from './generation.ts'

/** What flanneld's rules of one family on one node follow from. */
export interface MasqueradePlan {
  readonly network: Prefix
  /** This node's podCIDR. */
  readonly subnet: Prefix
  /** `--ip-masq`. */
  readonly ipMasq: boolean
  /** `--iptables-forward-rules`. */
  readonly forwardRules: boolean
  /** iptables 1.6.2 or later, and no `--ip-masq-fully-random-disable`. */
  readonly randomFully: boolean
  readonly generation: RuleGeneration
  readonly origins?: RuleOrigins
}

/** What rules about the whole network follow from, and those about this node's podCIDR. */
export interface RuleOrigins {
  readonly network: Origin
  readonly subnet: Origin
}

export const multicast: Readonly<Record<Family, Prefix>> = { ipv4: prefix('224.0.0.0/4'), ipv6: prefix('ff00::/8') }

/** kube-proxy's masqueradeBit 14. */
const kubeProxyMark = mark(bit(14))

export const postroutingChain = 'FLANNEL-POSTRTG'
export const forwardChain = 'FLANNEL-FWD'

/** In the order in which flanneld makes them. */
export function masqueradeEdits(plan: MasqueradePlan): readonly IptablesEdit[] {
  if (prefixFamily(plan.network) === 'ipv6' && !plan.generation.ipv6) return []
  return [
    ...(plan.ipMasq ? natEdits(plan) : []),
    ...(plan.forwardRules && plan.generation.forwards ? filterEdits(plan) : []),
  ]
}

function natEdits(plan: MasqueradePlan): readonly IptablesEdit[] {
  switch (plan.generation.chains) {
    case 'own':
      return [...fillChain('nat', postroutingChain, masqueradeRules(plan)), jumpEdit(plan, 'nat', masqueradeJump(plan))]
    case 'flat':
      return masqueradeRules(plan).map((r) => appendTo('nat', 'POSTROUTING', r))
    case 'flannel':
      return firstChain(plan)
  }
}

/** The jump and the rules behind it: what flanneld looks for, deletes and appends as one set. */
export const masqueradeJump = (plan: MasqueradePlan): Rule =>
  flannelRule(plan, { target: jump(postroutingChain) }, plan.generation.comments?.masq)

export function masqueradeRules(plan: MasqueradePlan): readonly Rule[] {
  const { network, subnet, generation: g } = plan
  const masq = (parts: Partial<Rule>): Rule => flannelRule(plan, parts, g.comments?.masq)
  const wide = (parts: Partial<Rule>): Rule =>
    flannelRule(plan, { ...parts, target: masqueradeTarget(plan) }, g.comments?.masquerade)
  const inbound = wide({ source: not(network), destination: is(network) })
  const keepInbound = masq({ source: not(network), destination: is(subnet), target: returns })
  const outbound = wide({ source: is(network), destination: not(multicast[prefixFamily(network)]) })
  if (g.returns === 'by-network') {
    const overlay = masq({ source: is(network), destination: is(network), target: returns })
    return [...marked(plan), overlay, outbound, ...(g.keepsInbound ? [keepInbound] : []), inbound]
  }
  return [
    ...marked(plan),
    masq({ source: is(subnet), destination: is(network), target: returns }),
    masq({ source: is(network), destination: is(subnet), target: returns }),
    keepInbound,
    outbound,
    inbound,
  ]
}

const marked = (plan: MasqueradePlan): readonly Rule[] =>
  plan.generation.returnsMarked
    ? [flannelRule(plan, { matches: [kubeProxyMark], target: returns }, plan.generation.comments?.masq)]
    : []

const masqueradeTarget = (plan: MasqueradePlan): Target => ({
  kind: 'masquerade',
  ...(plan.randomFully && plan.generation.randomFully ? { randomFully: true } : {}),
})

/** v0.3.0 to v0.5.5. */
function firstChain(plan: MasqueradePlan): readonly IptablesEdit[] {
  const { network } = plan
  const family = prefixFamily(network)
  const plain = (parts: Partial<Rule>): Rule => flannelRule(plan, parts, undefined)
  const inbound = plain({ source: not(network), destination: is(network), target: masqueradeTarget(plan) })
  return [
    ...fillChain('nat', 'FLANNEL', [
      plain({ destination: is(network), target: accept }),
      plain({ destination: not(multicast[family]), target: masqueradeTarget(plan) }),
    ]),
    appendTo('nat', 'POSTROUTING', plain({ source: is(network), target: jump('FLANNEL') })),
    ...(plan.generation.masqueradesInbound ? [appendTo('nat', 'POSTROUTING', inbound)] : []),
  ]
}

function filterEdits(plan: MasqueradePlan): readonly IptablesEdit[] {
  const forward = (parts: Partial<Rule>): Rule => flannelRule(plan, parts, plan.generation.comments?.forward)
  const rules = [
    forward({ source: is(plan.network), target: accept }),
    forward({ destination: is(plan.network), target: accept }),
  ]
  if (plan.generation.chains !== 'own') return rules.map((r) => appendTo('filter', 'FORWARD', r))
  return [
    ...fillChain('filter', forwardChain, rules),
    jumpEdit(plan, 'filter', forward({ target: jump(forwardChain) })),
  ]
}

const jumpEdit = (plan: MasqueradePlan, table: 'nat' | 'filter', r: Rule): IptablesEdit => ({
  op: plan.generation.jump === 'inserted' ? 'ensure-prepended' : 'ensure-appended',
  table,
  chain: table === 'nat' ? 'POSTROUTING' : 'FORWARD',
  rule: r,
})

const appendTo = (table: 'nat' | 'filter', chain: string, r: Rule): IptablesEdit => ({
  op: 'ensure-appended',
  table,
  chain,
  rule: r,
})

function flannelRule(plan: MasqueradePlan, parts: Partial<Rule>, text: string | undefined): Rule {
  const matches: readonly Match[] = [...(parts.matches ?? []), ...(text === undefined ? [] : [comment(text)])]
  const origin = plan.origins && originFor(plan, plan.origins, parts)
  return rule({ ...parts, matches, ...(origin ? { origin } : {}) })
}

/** A rule that names no address, as the jump to a chain, is flannel's whatever the objects say. */
function originFor(plan: MasqueradePlan, origins: RuleOrigins, { source, destination }: Partial<Rule>): Origin {
  const named = [source?.value, destination?.value]
  if (named.includes(plan.subnet)) return origins.subnet
  return named.includes(plan.network) ? origins.network : { by: 'flannel' }
}
