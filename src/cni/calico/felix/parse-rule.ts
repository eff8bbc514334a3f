import type { Origin } from '../../../artefact/origin.ts'
import type { Selector } from '../../../kube/calico-selector.ts'
import type { CalicoIcmp, CalicoPort, CalicoRule, EntityRule } from '../../../kube/objects/calico.ts'
import { excludedSelector, peerSelector } from '../model/rule-selector.ts'
import { anyEnd, type IcmpMatch, type ParsedEnd, type ParsedRule } from './parsed-rule.ts'
import type { SetRegistry } from './set-registry.ts'

const actions = { Allow: 'allow', Deny: 'deny', Pass: 'pass', Log: 'log' } as const

/** Selectors become sets (felix/calc, RuleScanner). `namespace`: of the policy, where it has one. */
export function parseCalicoRule(
  rule: CalicoRule,
  namespace: string | undefined,
  sets: SetRegistry,
  origin: Origin,
): ParsedRule {
  const { ipVersion, protocol, notProtocol, icmp, notICMP, source = {}, destination = {} } = rule
  const named = protocol === undefined ? undefined : protocolText(protocol)
  const comments = Object.entries(rule.metadata?.annotations ?? {}).map(([key, value]) => `${key}=${value}`)
  return {
    action: actions[rule.action],
    ...(ipVersion === undefined ? {} : { ipVersion }),
    ...(named === undefined ? {} : { protocol: named }),
    ...(notProtocol === undefined ? {} : { notProtocol: protocolText(notProtocol) }),
    ...(icmpOf(icmp) ? { icmp: icmpOf(icmp) as IcmpMatch } : {}),
    ...(icmpOf(notICMP) ? { notIcmp: icmpOf(notICMP) as IcmpMatch } : {}),
    src: endOf('src', source, namespace, named, sets),
    dst: endOf('dst', destination, namespace, named, sets),
    ...(comments.length > 0 ? { comments } : {}),
    origin,
  }
}

const protocolText = (protocol: string | number): string | number =>
  typeof protocol === 'number' || /^\d+$/.test(protocol) ? Number(protocol) : protocol.toLowerCase()

const icmpOf = (icmp: CalicoIcmp | undefined): IcmpMatch | undefined =>
  icmp?.type === undefined ? undefined : { type: icmp.type, ...(icmp.code === undefined ? {} : { code: icmp.code }) }

function endOf(
  side: 'src' | 'dst',
  entity: EntityRule,
  namespace: string | undefined,
  protocol: string | number | undefined,
  sets: SetRegistry,
): ParsedEnd {
  const selector = peerSelector(entity, namespace)
  const ports = splitNames(entity.ports ?? [])
  const notPorts = splitNames(entity.notPorts ?? [])
  const transport = typeof protocol === 'string' ? protocol : 'tcp'
  const named = (names: readonly string[], of: Selector | undefined): readonly string[] =>
    names.map((name) => sets.namedPort(of ?? { kind: 'all' }, transport, name))
  const excluded = excludedSelector(entity)
  // A set of named ports holds only those who are selected.
  const isFolded = ports.names.length > 0 && ports.numbers.length === 0
  return {
    ...anyEnd,
    nets: entity.nets ?? [],
    ports: ports.numbers,
    sets: [
      ...(selector && !isFolded ? [sets.selector(selector)] : []),
      ...(side === 'src' ? serviceSet(entity, namespace, sets, false) : []),
    ],
    ipPortSets: side === 'dst' ? serviceSet(entity, namespace, sets, true) : [],
    namedPortSets: named(ports.names, selector),
    notNets: entity.notNets ?? [],
    notPorts: notPorts.numbers,
    notSets: excluded ? [sets.selector(excluded)] : [],
    notNamedPortSets: named(notPorts.names, selector),
  }
}

function serviceSet(
  { services }: EntityRule,
  namespace: string | undefined,
  sets: SetRegistry,
  withPorts: boolean,
): readonly string[] {
  const where = services?.namespace ?? namespace
  return services?.name && where ? [sets.service(where, services.name, withPorts)] : []
}

/** `80`, `1000:2000` and numbers; everything else is a name. */
function splitNames(ports: readonly CalicoPort[]): {
  readonly numbers: readonly string[]
  readonly names: readonly string[]
} {
  const texts = ports.map(String)
  const isNumber = (t: string): boolean => /^\d+(:\d+)?$/.test(t)
  return { numbers: texts.filter(isNumber), names: texts.filter((t) => !isNumber(t)) }
}
