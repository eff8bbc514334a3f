import { formatPrefix } from '../net/prefix.ts'
import type { Connection } from './connection.ts'
import type { DirectionDecision, Unsettled } from './decision.ts'
import type { RuleResult } from './match.ts'
import type { Miss } from './miss.ts'
import { formatPolicyObject, formatRuleRef } from './policy.ts'

/** What a rule wants and what was found: `port 80, but the pod's port after DNAT is 8080`. */
export function missSentence(miss: Miss): string {
  switch (miss.field) {
    case 'end':
      return `a ${miss.wants}, but the other end is ${article(miss.found)}`
    case 'namespace':
      return `namespace ${miss.wants}, but the pod is in namespace ${miss.found}`
    case 'namespace-label':
    case 'pod-label':
    case 'node-label':
      return labelSentence(miss)
    case 'address': {
      const blocks = miss.wants.map(formatPrefix).join(', ')
      return `an address in ${blocks}, but ${miss.found === undefined ? 'no address is known' : `the address is ${miss.found}`}`
    }
    case 'except':
      return `no address in the exception ${formatPrefix(miss.wants)}, but the address is ${miss.found}`
    case 'domain':
      return `domain ${miss.wants.join(', ')}, but ${miss.found === undefined ? 'no name is known' : `the name is ${miss.found}`}`
    case 'protocol':
      return `protocol ${miss.wants.toUpperCase()}, but the connection is ${miss.found.toUpperCase()}`
    case 'port':
      return portSentence(miss)
    case 'port-name':
      return miss.pod
        ? `a port named ${miss.wants}, but the pod declares none`
        : `a port named ${miss.wants}, but the destination is no pod`
    case 'entry':
      return 'an entry that matches nothing'
  }
}

const article = (end: 'pod' | 'node' | 'address'): string => (end === 'address' ? 'an address' : `a ${end}`)

function labelSentence(miss: Miss & { field: 'namespace-label' | 'pod-label' | 'node-label' }): string {
  const object = miss.field.replace('-label', '')
  const found = miss.found === undefined ? `has no label ${miss.key}` : `has ${miss.key}=${miss.found}`
  return `${object} label ${miss.wants}, but the ${object} ${found}`
}

function portSentence({ wants, found, name, dialled }: Miss & { field: 'port' }): string {
  const numbers = wants.from === wants.to ? `${wants.from}` : `${wants.from}-${wants.to}`
  const port = name === undefined ? `port ${numbers}` : `port ${name} (${numbers})`
  if (found === undefined) return `${port}, but the connection has no port`
  return dialled === undefined
    ? `${port}, but the port is ${found}`
    : `${port}, but the pod's port after DNAT is ${found}`
}

/** `ingress[0] of NetworkPolicy shop/allow-web: port 80, but the port is 8080; ...` */
export function nearMissSentence(
  policy: Parameters<typeof formatPolicyObject>[0],
  result: RuleResult | undefined,
): string {
  if (result === undefined) return `${formatPolicyObject(policy)} has no rule that could allow it`
  const misses = result.misses.map(missSentence).join('; ')
  return `${formatRuleRef(result.rule)} of ${formatPolicyObject(policy)}: ${misses}`
}

/** Why a direction is allowed or denied, in one sentence. */
export function reasonSentence({ reason, direction }: DirectionDecision): string {
  switch (reason.kind) {
    case 'no-subject':
      return `the ${direction === 'egress' ? 'source' : 'destination'} is ${article(reason.end)}: policy selects pods only`
    case 'own-address':
      return 'a pod always reaches its own address'
    case 'own-node':
      return `the source is the pod's own node ${reason.node}, which is always let in`
    case 'rules-allow':
      return `allowed by ${reason.by.map(({ policy, rule }) => `${formatRuleRef(rule)} of ${formatPolicyObject(policy.object)}`).join(', ')}`
    case 'rule-denies':
      return `denied by ${formatRuleRef(reason.by.rule)} of ${formatPolicyObject(reason.by.policy.object)}`
    case 'isolated':
      return `isolated by ${reason.policies.map((p) => formatPolicyObject(p.object)).join(', ')}, and no rule allows it`
    case 'not-isolated':
      return `no policy isolates the pod for ${direction}`
  }
}

const unsettledSentences: Readonly<Record<Unsettled, string>> = {
  'own-node-egress': "plugins differ on whether policy applies to a pod's traffic to its own node; taken as yes",
  icmp: 'NetworkPolicy does not define what it means for ICMP; taken as covered by rules without ports',
  'same-priority': 'a policy of the same priority says the contrary; either may win, the first by name was taken',
  'baseline-other-direction':
    'plugins differ on the baseline tier for a pod that a NetworkPolicy isolates in the other direction; taken as asked',
  hairpin: 'plugins differ on whether policy applies to a pod that reaches itself through a Service; taken as yes',
  'unknown-address': 'a rule would hold if the other end had an address in its block',
  'unknown-domain': 'a rule would hold if the other end were known by its domain name',
}

export const unsettledSentence = (point: Unsettled): string => unsettledSentences[point]

/** `tcp 8080`, `icmp`. */
export const formatService = ({ protocol, port }: Pick<Connection, 'protocol' | 'port'>): string =>
  port === undefined ? protocol : `${protocol} ${port}`
