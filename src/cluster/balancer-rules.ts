import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import { probabilityParts } from '../artefact/iptables/match/statistic.ts'
import type { Match, Rule, Target as RuleTarget, TableName } from '../artefact/iptables/rule.ts'
import { type Family, familyOf, ip } from '../net/ip.ts'
import { hostPrefix } from '../net/prefix.ts'
import type { Balancer, Listener, Target, Vip } from './balancer-plan.ts'

/** The mark that sends a packet to a node, and with it the number of the node's routing table. */
export type MarkOf = (node: string) => number

/** What makes a namespace spread connections over nodes: kube-proxy's own means, statistic and recent. */
export function balancerRules(balancer: Balancer, family: Family, markOf: MarkOf): readonly IptablesEdit[] {
  const vips = balancer.vips.filter((v) => familyOf(v.ip) === family)
  const numbered = vips.flatMap((vip) => vip.listeners.map((listener) => ({ vip, listener })))
  return [
    ...numbered.flatMap(({ vip, listener }, i) =>
      listenerRules({ balancer, vip, listener, chain: `LB-${i + 1}` }, markOf),
    ),
    ...vips.filter((v) => v.mode === 'preserve').map((vip) => append('filter', 'FORWARD', notServed(balancer, vip))),
    ...(vips.some((v) => v.mode === 'proxy') ? [append('nat', 'POSTROUTING', masqueradeProxied)] : []),
  ]
}

interface Context {
  readonly balancer: Balancer
  readonly vip: Vip
  readonly listener: Listener
  readonly chain: string
}

function listenerRules(context: Context, markOf: MarkOf): readonly IptablesEdit[] {
  const { vip, listener, chain } = context
  const { targets } = vip.spread()
  const table = vip.mode === 'preserve' ? 'mangle' : 'nat'
  if (targets.length === 0 || (vip.mode === 'proxy' && listener.nodePort === undefined)) return []
  return [
    append(table, 'PREROUTING', dispatch(context)),
    ...(vip.mode === 'preserve' ? targets.map((t, i) => append(table, chain, remembered(context, t, i))) : []),
    ...targets.map((t, i) => append(table, chain, drawn(context, t, i, targets.length))),
    ...targets.map((t, i) => append(table, targetChain(chain, t, i), towards(context, t, i, markOf))),
  ]
}

const append = (table: TableName, chain: string, rule: Rule): IptablesEdit => ({ op: 'append', table, chain, rule })

const originOf = ({ balancer, vip, listener }: Context, note: string): Required<Pick<Rule, 'origin'>> => ({
  origin: {
    by: `load balancer ${balancer.name}`,
    note,
    object: { kind: 'Service', namespace: namespaceOf(vip), name: vip.service.metadata.name, field: listener.field },
  },
})

const namespaceOf = ({ service }: Vip): string => service.metadata.namespace ?? 'default'
const nameOf = (vip: Vip): string => `${namespaceOf(vip)}/${vip.service.metadata.name}`
const comment = (text: string): Match => ({ kind: 'comment', text })

/** Chain names end at 28 bytes; a long node name gives way to its number. */
function targetChain(chain: string, { node }: Target, index: number): string {
  const name = `${chain}-${node}`
  return name.length <= 28 ? name : `${chain}-N${index + 1}`
}

function dispatch(context: Context): Rule {
  const { vip, listener, chain } = context
  const { protocol, port } = listener
  return {
    destination: { value: hostPrefix(vip.ip) },
    protocol: { value: protocol },
    matches: [comment(nameOf(vip)), { kind: protocol, dport: { value: { from: port, to: port } } }],
    target: { kind: 'jump', chain },
    ...originOf(context, 'listener'),
  }
}

/**
 * A client stays with its node. Connections cannot be known by their conntrack entry: answers go past the balancer, so
 * it never sees one established.
 */
function remembered(context: Context, target: Target, index: number): Rule {
  const name = targetChain(context.chain, target, index)
  return {
    matches: [comment(`${nameOf(context.vip)} -> ${target.node}`), recent(context.vip, name, 'rcheck')],
    target: { kind: 'goto', chain: name },
    ...originOf(context, target.node),
  }
}

const fullMask = { ipv4: ip('255.255.255.255'), ipv6: ip('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') } as const
const clientSeconds = 300

const recent = (vip: Vip, name: string, op: 'set' | 'rcheck'): Match => ({
  kind: 'recent',
  op: { value: op },
  ...(op === 'rcheck' ? { seconds: clientSeconds } : {}),
  name,
  mask: fullMask[familyOf(vip.ip)],
  side: 'source',
})

function drawn(context: Context, target: Target, index: number, count: number): Rule {
  const share: readonly Match[] =
    index + 1 < count
      ? [{ kind: 'statistic', mode: 'random', probability: { value: probabilityParts(1 / (count - index)) } }]
      : []
  return {
    matches: [comment(`${nameOf(context.vip)} -> ${target.node}`), ...share],
    target: { kind: 'goto', chain: targetChain(context.chain, target, index) },
    ...originOf(context, target.node),
  }
}

function towards(context: Context, target: Target, index: number, markOf: MarkOf): Rule {
  const { vip, listener, chain } = context
  const said = comment(`${nameOf(vip)} -> ${target.node}`)
  if (vip.mode === 'preserve') {
    const xmark = { value: markOf(target.node), mask: 0xffffffff }
    return {
      matches: [said, recent(vip, targetChain(chain, target, index), 'set')],
      target: { kind: 'mark', xmark },
      ...originOf(context, target.node),
    }
  }
  const port = listener.nodePort ?? listener.port
  const to: RuleTarget = {
    kind: 'dnat',
    to: { address: { from: target.ip, to: target.ip }, ports: { from: port, to: port } },
  }
  return { protocol: { value: listener.protocol }, matches: [said], target: to, ...originOf(context, target.node) }
}

/** What no listener took must not be routed on: the way to the VIP leads back here. */
function notServed(balancer: Balancer, vip: Vip): Rule {
  const { targets } = vip.spread()
  const note = targets.length === 0 ? 'has no healthy node' : 'does not serve this port'
  return {
    destination: { value: hostPrefix(vip.ip) },
    matches: [comment(`${nameOf(vip)} ${note}`), { kind: 'mark', mark: { value: { value: 0, mask: 0xffffffff } } }],
    target: { kind: 'drop' },
    origin: {
      by: `load balancer ${balancer.name}`,
      note,
      object: { kind: 'Service', namespace: namespaceOf(vip), name: vip.service.metadata.name },
    },
  }
}

const masqueradeProxied: Rule = {
  matches: [{ kind: 'conntrack', state: { value: ['DNAT'] } }],
  target: { kind: 'masquerade' },
  origin: { by: 'load balancer', note: 'proxies: the node sees its address' },
}
