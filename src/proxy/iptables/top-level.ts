import type { MaskedValue, Match, Rule } from '../../artefact/iptables/rule.ts'
import { prefix } from '../../net/prefix.ts'
import type { ProxySettings } from '../proxy-settings.ts'
import { chain } from './chain-names.ts'
import type { Rendering } from './rendering.ts'
import { type ChainRule, comment, jump, origin, rule } from './rule-parts.ts'

/** Filter chains that are rewritten whole in every sync, in the order of their chain lines. */
export function topFilterChains(r: Rendering): readonly string[] {
  return [
    chain.services,
    chain.externalServices,
    chain.forward,
    chain.nodePorts,
    ...(r.behaviour.layout === 'firewall' ? [chain.proxyFirewall] : []),
    ...(guardsLocalnet(r) ? [chain.firewall] : []),
  ]
}

/** The same in nat. */
export const topNatChains: readonly string[] = [chain.services, chain.nodePorts, chain.postrouting, chain.markMasq]

const bit = (value: number): MaskedValue => ({ value, mask: value })
const masquerade = origin('masquerade')

/** The rules of KUBE-POSTROUTING: leave alone what is not marked, take the mark off, masquerade. kubelet made the same. */
export function postroutingRules({ masqueradeMark, randomFully }: ProxySettings): readonly Rule[] {
  const unmarked: Match = { kind: 'mark', mark: { not: true, value: bit(masqueradeMark) } }
  return [
    { matches: [unmarked], target: { kind: 'return' }, origin: masquerade },
    { matches: [], target: { kind: 'mark', xmark: { value: masqueradeMark, mask: 0 } }, origin: masquerade },
    {
      matches: [comment('kubernetes service traffic requiring SNAT')],
      target: { kind: 'masquerade', ...(randomFully && { randomFully: true }) },
      origin: masquerade,
    },
  ]
}

export const markRule = (value: number): Rule => ({
  matches: [],
  target: { kind: 'mark', xmark: bit(value) },
  origin: masquerade,
})

/** The rules that open nat: how marked packets leave, and the mark. */
export const masqueradeRules = (settings: ProxySettings): ChainRule[] => [
  ...postroutingRules(settings).map((parts) => rule(chain.postrouting, parts)),
  rule(chain.markMasq, markRule(settings.masqueradeMark)),
]

const loopbackNet = prefix('127.0.0.0/8')

/** `route_localnet` would let neighbours reach what listens on loopback (issue 90259). kubelet has the same rule. */
export const localnetGuard: Rule = {
  source: { not: true, value: loopbackNet },
  destination: { value: loopbackNet },
  matches: [
    comment('block incoming localnet connections'),
    { kind: 'conntrack', state: { not: true, value: ['RELATED', 'ESTABLISHED', 'DNAT'] } },
  ],
  target: { kind: 'drop' },
  origin: origin('localhost node ports'),
}

export const localnetGuardRules = (r: Rendering): ChainRule[] =>
  guardsLocalnet(r) ? [rule(chain.firewall, localnetGuard)] : []

const guardsLocalnet = ({ settings, behaviour }: Rendering): boolean =>
  behaviour.writesKubeFirewall && settings.family === 'ipv4' && settings.localhostNodePorts

const forwarding = origin('forwarding')

/** KUBE-FORWARD: what belongs to a service's connection is forwarded even where FORWARD's policy is DROP. */
export function forwardRules(r: Rendering): ChainRule[] {
  const marked: Match = { kind: 'mark', mark: { value: bit(r.settings.masqueradeMark) } }
  const parts = (matches: readonly Match[]): ChainRule =>
    rule(chain.forward, { matches, target: { kind: 'accept' }, origin: forwarding })
  const related: Match = { kind: 'conntrack', state: { value: ['RELATED', 'ESTABLISHED'] } }
  return [
    ...invalidRule(r),
    parts([comment('kubernetes forwarding rules'), marked]),
    ...conntrackComments(r).map((text) => parts([comment(text), related])),
  ]
}

const conntrackComments = ({ behaviour }: Rendering): readonly string[] =>
  behaviour.before123
    ? ['kubernetes forwarding conntrack pod source rule', 'kubernetes forwarding conntrack pod destination rule']
    : ['kubernetes forwarding conntrack rule']

/** Packets out of window would be forwarded with the pod's address, and reset the connection (issue 74839). */
function invalidRule({ settings, behaviour }: Rendering): ChainRule[] {
  if (behaviour.looksAtLiberal && settings.conntrackTCPBeLiberal) return []
  const counted: readonly Match[] =
    behaviour.nfacct && settings.nfacct ? [{ kind: 'nfacct', name: 'ct_state_invalid_dropped_pkts' }] : []
  const invalid: Match = { kind: 'conntrack', state: { value: ['INVALID'] } }
  return [
    rule(chain.forward, {
      matches: [invalid, ...counted],
      target: { kind: 'drop' },
      origin: origin('INVALID packets'),
    }),
  ]
}

export const jumpTo = (to: string, matches: readonly Match[], by = 'kube-proxy'): Rule => ({
  matches,
  target: jump(to),
  origin: { by, note: `jump to ${to}` },
})
