import type { BuiltinChain, Match, Rule, TableName, Target } from '../../artefact/iptables/rule.ts'
import type { Family } from '../../net/ip.ts'
import { hostPrefix, prefix } from '../../net/prefix.ts'
import { type ChainRule, comment, detect, isLocalDestination, jump, origin, rule } from '../iptables/rule-parts.ts'
import { markRule, postroutingRules } from '../iptables/top-level.ts'
import type { ServicePortPlan } from '../plan.ts'
import type { ProxySettings } from '../proxy-settings.ts'
import type { SetMembers } from './members.ts'
import { type SetKey, setKinds, setName } from './set-names.ts'

export const chain = {
  services: 'KUBE-SERVICES',
  postrouting: 'KUBE-POSTROUTING',
  nodePort: 'KUBE-NODE-PORT',
  loadBalancer: 'KUBE-LOAD-BALANCER',
  markMasq: 'KUBE-MARK-MASQ',
  forward: 'KUBE-FORWARD',
  proxyFirewall: 'KUBE-PROXY-FIREWALL',
  sourceRanges: 'KUBE-SOURCE-RANGES-FIREWALL',
  filter: 'KUBE-IPVS-FILTER',
  outFilter: 'KUBE-IPVS-OUT-FILTER',
} as const

export const natChains = [chain.services, chain.postrouting, chain.nodePort, chain.loadBalancer, chain.markMasq]
export const filterChains = [
  chain.forward,
  chain.nodePort,
  chain.proxyFirewall,
  chain.sourceRanges,
  chain.filter,
  chain.outFilter,
]

interface Jump {
  readonly table: TableName
  readonly from: BuiltinChain
  readonly to: string
  readonly comment: string
}

/** In the order in which they are ensured: each goes to position 1. */
export const jumps: readonly Jump[] = [
  { table: 'nat', from: 'OUTPUT', to: chain.services, comment: 'kubernetes service portals' },
  { table: 'nat', from: 'PREROUTING', to: chain.services, comment: 'kubernetes service portals' },
  { table: 'nat', from: 'POSTROUTING', to: chain.postrouting, comment: 'kubernetes postrouting rules' },
  { table: 'filter', from: 'FORWARD', to: chain.forward, comment: 'kubernetes forwarding rules' },
  { table: 'filter', from: 'INPUT', to: chain.nodePort, comment: 'kubernetes health check rules' },
  { table: 'filter', from: 'INPUT', to: chain.proxyFirewall, comment: 'kube-proxy firewall rules' },
  { table: 'filter', from: 'FORWARD', to: chain.proxyFirewall, comment: 'kube-proxy firewall rules' },
  { table: 'filter', from: 'INPUT', to: chain.filter, comment: 'kubernetes ipvs access filter' },
  { table: 'filter', from: 'OUTPUT', to: chain.outFilter, comment: 'kubernetes ipvs access filter' },
]

type Sides = readonly ('src' | 'dst')[]
const addressAndPort: Sides = ['dst', 'dst']

const inSet = (key: SetKey, family: Family, directions: Sides): Match => ({
  kind: 'set',
  set: { value: setName(key, family) },
  directions,
})

const accept: Target = { kind: 'accept' }
const returns: Target = { kind: 'return' }
const markMasq = jump(chain.markMasq)

/** The rules that look at sets; most stand there only while their set has members. */
class Rules {
  readonly #members: SetMembers
  readonly #family: Family

  constructor(members: SetMembers, family: Family) {
    this.#members = members
    this.#family = family
  }

  plain(to: string, parts: Omit<Rule, 'origin'>, note: string): ChainRule {
    return rule(to, { ...parts, origin: origin(note) })
  }

  /** With the set's purpose as comment. Nothing while the set is empty. */
  about(
    to: string,
    key: SetKey,
    target: Target,
    parts: Partial<Rule> = {},
    sides: Sides = addressAndPort,
  ): ChainRule[] {
    if (this.#members[key].size === 0) return []
    const matches = [comment(setKinds[key].purpose), inSet(key, this.#family, sides), ...(parts.matches ?? [])]
    return [rule(to, { ...parts, matches, target, origin: origin(setKinds[key].purpose) })]
  }

  /** Without a comment. */
  bare(to: string, key: SetKey, target: Target, sides: Sides = addressAndPort): ChainRule {
    return rule(to, { matches: [inSet(key, this.#family, sides)], target, origin: origin(setKinds[key].purpose) })
  }

  whileAny(to: string, key: SetKey, target: Target): ChainRule[] {
    return this.#members[key].size === 0 ? [] : [this.bare(to, key, target)]
  }
}

const isNotBridged: Match = { kind: 'physdev', isIn: { not: true, value: true } }
const isNotFromNode: Match = { kind: 'addrtype', srcType: { not: true, value: ['LOCAL'] } }

export function natRules(members: SetMembers, settings: ProxySettings): readonly ChainRule[] {
  const r = new Rules(members, settings.family)
  const loopback = prefix(settings.family === 'ipv4' ? '127.0.0.0/8' : '::1/128')
  const masquerade: Target = { kind: 'masquerade' }
  return [
    r.plain(chain.services, { source: { value: loopback }, matches: [], target: returns }, 'loopback'),
    ...r.about(chain.postrouting, 'loopBack', masquerade, {}, ['dst', 'dst', 'src']),
    ...r.about(chain.services, 'loadBalancer', jump(chain.loadBalancer)),
    ...r.about(chain.loadBalancer, 'loadBalancerLocal', returns),
    ...nodePortRules(r),
    ...clusterIPRules(r, settings),
    ...r.about(chain.services, 'externalIP', markMasq),
    ...externalIPRules(r, 'externalIP'),
    ...externalIPRules(r, 'externalIPLocal'),
    r.plain(chain.services, { matches: [isLocalDestination], target: jump(chain.nodePort) }, 'node ports'),
    r.plain(chain.loadBalancer, { matches: [], target: markMasq }, 'load balancer IP'),
    ...r.whileAny(chain.services, 'clusterIP', accept),
    ...r.whileAny(chain.services, 'loadBalancer', accept),
    ...postroutingRules(settings).map((parts) => rule(chain.postrouting, parts)),
    rule(chain.markMasq, markRule(settings.masqueradeMark)),
  ]
}

const nodePortSets = [
  { protocol: 'tcp', local: 'nodePortLocalTCP', all: 'nodePortTCP', sides: ['dst'] },
  { protocol: 'udp', local: 'nodePortLocalUDP', all: 'nodePortUDP', sides: ['dst'] },
  { protocol: 'sctp', local: 'nodePortLocalSCTP', all: 'nodePortSCTP', sides: addressAndPort },
] as const satisfies readonly { protocol: string; local: SetKey; all: SetKey; sides: Sides }[]

const nodePortRules = (r: Rules): readonly ChainRule[] =>
  nodePortSets.flatMap(({ protocol, local, all, sides }) => [
    ...r.about(chain.nodePort, local, returns, { protocol: { value: protocol } }, sides),
    ...r.about(chain.nodePort, all, markMasq, { protocol: { value: protocol } }, sides),
  ])

/** Without a detector, what comes from a cluster IP: a client of the node, whose source IPVS made local. */
function clusterIPRules(r: Rules, { masqueradeAll, detectLocal }: ProxySettings): readonly ChainRule[] {
  if (masqueradeAll) return r.about(chain.services, 'clusterIP', markMasq)
  const outside = detect(detectLocal, 'not')
  if (outside) return r.about(chain.services, 'clusterIP', markMasq, outside)
  return r.about(chain.services, 'clusterIP', markMasq, {}, ['src', 'dst'])
}

const externalIPRules = (r: Rules, key: SetKey): readonly ChainRule[] => [
  ...r.about(chain.services, key, accept, { matches: [isNotBridged, isNotFromNode] }),
  ...r.about(chain.services, key, accept, { matches: [isLocalDestination] }),
]

export function filterRules(
  plans: readonly ServicePortPlan[],
  members: SetMembers,
  settings: ProxySettings,
): readonly ChainRule[] {
  const r = new Rules(members, settings.family)
  const sides: Sides = ['dst', 'dst', 'src']
  const bit = { value: settings.masqueradeMark, mask: settings.masqueradeMark }
  const related: Match = { kind: 'conntrack', state: { value: ['RELATED', 'ESTABLISHED'] } }
  const isNew: Match = { kind: 'conntrack', state: { value: ['NEW'] } }
  const forwarding = comment('kubernetes forwarding rules')
  const tracked = comment('kubernetes forwarding conntrack rule')
  const unreachable = settings.family === 'ipv4' ? 'icmp-port-unreachable' : 'icmp6-port-unreachable'
  return [
    ...r.about(chain.proxyFirewall, 'loadBalancerFirewall', jump(chain.sourceRanges)),
    ...r.about(chain.sourceRanges, 'sourceCIDR', returns, {}, sides),
    ...r.about(chain.sourceRanges, 'sourceIP', returns, {}, sides),
    r.plain(chain.sourceRanges, { matches: [], target: { kind: 'drop' } }, 'loadBalancerSourceRanges'),
    ...outFilterRules(plans),
    r.plain(
      chain.forward,
      { matches: [forwarding, { kind: 'mark', mark: { value: bit } }], target: accept },
      'forwarding',
    ),
    r.plain(chain.forward, { matches: [tracked, related], target: accept }, 'forwarding'),
    r.plain(
      chain.nodePort,
      {
        matches: [comment(setKinds.healthCheck.purpose), inSet('healthCheck', settings.family, ['dst'])],
        target: accept,
      },
      'health check node port',
    ),
    ...(['loadBalancer', 'clusterIP', 'externalIP', 'externalIPLocal'] as const).map((key) =>
      r.bare(chain.filter, key, returns),
    ),
    r.bare(chain.filter, 'healthCheck', returns, ['dst']),
    r.plain(
      chain.filter,
      { matches: [isNew, inSet('ipvsIPs', settings.family, ['dst'])], target: { kind: 'reject', with: unreachable } },
      'port of a service address that no service has',
    ),
  ]
}

/** Answers to the node itself, which source ranges shut out. */
const outFilterRules = (plans: readonly ServicePortPlan[]): readonly ChainRule[] =>
  plans
    .filter((plan) => plan.sourceRanges.length > 0 && !plan.sourceRangesIncludeNode)
    .flatMap((plan) =>
      plan.loadBalancerVIPs.map((vip) => {
        const vaddr = { value: hostPrefix(vip) }
        const match: Match = { kind: 'ipvs', vproto: { value: plan.protocol }, vaddr, vport: { value: plan.port } }
        const note = origin('loadBalancerSourceRanges', plan.origin)
        return rule(chain.outFilter, { source: vaddr, matches: [match], target: { kind: 'drop' }, origin: note })
      }),
    )
