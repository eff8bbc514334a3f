import type {
  AdminNetworkPolicy,
  AdminPolicyPeer,
  AdminPolicyPort,
  AdminPolicySubject,
  BaselineAdminNetworkPolicy,
  ClusterNetworkPolicy,
  ClusterPolicyProtocol,
  DestinationPorts,
} from '../../../kube/objects/admin-network-policy.ts'
import type { CalicoPort, CalicoRule, EntityRule } from '../../../kube/objects/calico.ts'
import type { LabelSelector } from '../../../kube/objects/meta.ts'
import { calicoSelector } from './convert-selector.ts'
import type { CalicoPolicy, RulePath } from './policy.ts'

type AdminObject = AdminNetworkPolicy | BaselineAdminNetworkPolicy | ClusterNetworkPolicy

/** Tiers that are there without a Tier object; `default` stands between both of Kubernetes. */
export const builtinTiers = {
  admin: { name: 'kube-admin', order: 1000, defaultAction: 'Pass' },
  default: { name: 'default', order: 1_000_000, defaultAction: 'Deny' },
  baseline: { name: 'kube-baseline', order: 10_000_000, defaultAction: 'Pass' },
} as const

const actions = { Allow: 'Allow', Accept: 'Allow', Deny: 'Deny', Pass: 'Pass' } as const

/** Addresses of the nodes that a selector means, as blocks of one address. */
export type NodeNets = (selector: LabelSelector) => readonly string[]

/** A cluster-scoped policy as one of tier `kube-admin` or `kube-baseline`; undefined without a usable subject. */
export function convertAdminPolicy(source: AdminObject, nodeNets: NodeNets): CalicoPolicy | undefined {
  const { spec } = source
  const subject = spec && entityOf(spec.subject)
  if (!subject) return undefined
  const ingress = (spec.ingress ?? []).map((r, i) => convertRules('ingress', i, r, r.from, nodeNets))
  const egress = (spec.egress ?? []).map((r, i) => convertRules('egress', i, r, r.to, nodeNets))
  const types = [
    ...(ingress.length > 0 ? (['Ingress'] as const) : []),
    ...(egress.length > 0 ? (['Egress'] as const) : []),
  ]
  const { tier, order } = placeOf(source)
  const rules = (list: readonly ConvertedRules[]) => list.flatMap((r) => r.rules)
  const paths = (list: readonly ConvertedRules[]) => list.flatMap((r) => r.rules.map(() => r.path))
  return {
    ...identityOf(source),
    tier,
    order,
    spec: {
      tier,
      order,
      ...(subject.selector === undefined ? {} : { selector: subject.selector }),
      ...(subject.namespaceSelector === undefined ? {} : { namespaceSelector: subject.namespaceSelector }),
      types,
      ingress: rules(ingress),
      egress: rules(egress),
    },
    types,
    source,
    paths: { ingress: paths(ingress), egress: paths(egress) },
  }
}

/** The older kinds are stored as global policies of a longer name. */
function identityOf({ kind, metadata }: AdminObject): Pick<CalicoPolicy, 'kind' | 'name'> {
  switch (kind) {
    case 'ClusterNetworkPolicy':
      return { kind: 'KubernetesClusterNetworkPolicy', name: metadata.name }
    case 'AdminNetworkPolicy':
      return { kind: 'GlobalNetworkPolicy', name: `kanp.adminnetworkpolicy.${metadata.name}` }
    case 'BaselineAdminNetworkPolicy':
      return { kind: 'GlobalNetworkPolicy', name: `kbanp.baselineadminnetworkpolicy.${metadata.name}` }
  }
}

function placeOf(object: AdminObject): { readonly tier: string; readonly order: number } {
  switch (object.kind) {
    case 'AdminNetworkPolicy':
      return { tier: builtinTiers.admin.name, order: object.spec.priority }
    case 'BaselineAdminNetworkPolicy':
      return { tier: builtinTiers.baseline.name, order: 0 }
    case 'ClusterNetworkPolicy': {
      const tier = object.spec.tier === 'Baseline' ? builtinTiers.baseline : builtinTiers.admin
      return { tier: tier.name, order: object.spec.priority }
    }
  }
}

interface ConvertedRules {
  readonly path: RulePath
  readonly rules: readonly CalicoRule[]
}

interface AnyRule {
  readonly action: keyof typeof actions
  readonly ports?: readonly AdminPolicyPort[]
  readonly protocols?: readonly ClusterPolicyProtocol[]
}

/** One rule per peer and port. What is written for a newer API fails closed: it denies all, or accepts nothing. */
function convertRules(
  direction: 'ingress' | 'egress',
  index: number,
  rule: AnyRule,
  given: readonly AdminPolicyPeer[] | null | undefined,
  nodeNets: NodeNets,
): ConvertedRules {
  const path: RulePath = ['spec', direction, index]
  const action = actions[rule.action]
  const peers = (given ?? []).map((peer) => peerOf(peer, direction, nodeNets))
  const ports = [...(rule.ports ?? []).map(portOf), ...(rule.protocols ?? []).map(protocolOf)]
  const unknown = [...peers, ...ports].some((entry) => entry === undefined)
  if (action !== 'Allow' && unknown) return { path, rules: [{ action: 'Deny' }] }
  const everywhere: readonly PortRule[] = [{ protocol: undefined, port: undefined }]
  const alternatives = ports.length > 0 ? ports.flatMap((p) => p ?? []) : everywhere
  const rules = peers.flatMap((peer) =>
    peer === undefined ? [] : alternatives.map((port) => ruleOf(direction, action, peer, port)),
  )
  return { path, rules }
}

interface PortRule {
  readonly protocol: string | undefined
  readonly port: CalicoPort | undefined
}

function ruleOf(
  direction: 'ingress' | 'egress',
  action: CalicoRule['action'],
  peer: EntityRule,
  { protocol, port }: PortRule,
): CalicoRule {
  const own: EntityRule = port === undefined ? {} : { ports: [port] }
  return {
    action,
    ...(protocol === undefined ? {} : { protocol }),
    source: direction === 'ingress' ? peer : {},
    destination: direction === 'ingress' ? own : { ...peer, ...own },
  }
}

/** Undefined for what is unknown here; an entity of no address at all for names, which no rule can hold. */
function peerOf(peer: AdminPolicyPeer, direction: 'ingress' | 'egress', nodeNets: NodeNets): EntityRule | undefined {
  const pods = entityOf(peer)
  if (pods || direction === 'ingress') return pods
  if (peer.networks) return { nets: peer.networks }
  return peer.nodes ? { nets: atLeastOne(nodeNets(peer.nodes)) } : undefined
}

/** An empty list would mean anyone. */
const atLeastOne = (nets: readonly string[]): readonly string[] => (nets.length > 0 ? nets : ['255.255.255.255/32'])

function entityOf(subject: AdminPolicySubject | null | undefined): EntityRule | undefined {
  const { namespaces, pods } = subject ?? {}
  if (namespaces) {
    return {
      selector: calicoSelector({}, 'podSelector'),
      namespaceSelector: calicoSelector(namespaces, 'namespaceSelector'),
    }
  }
  if (!pods) return undefined
  return {
    selector: calicoSelector(pods.podSelector, 'podSelector'),
    namespaceSelector: calicoSelector(pods.namespaceSelector ?? {}, 'namespaceSelector'),
  }
}

const anyProtocol = ['TCP', 'UDP', 'SCTP']

function portOf({ portNumber, portRange, namedPort }: AdminPolicyPort): readonly PortRule[] | undefined {
  if (portNumber) return [{ protocol: portNumber.protocol ?? 'TCP', port: portNumber.port }]
  if (portRange) return [{ protocol: portRange.protocol ?? 'TCP', port: `${portRange.start}:${portRange.end}` }]
  return namedPort ? anyProtocol.map((protocol) => ({ protocol, port: namedPort })) : undefined
}

function protocolOf(entry: ClusterPolicyProtocol): readonly PortRule[] | undefined {
  if (entry.tcp) return destination('TCP', entry.tcp)
  if (entry.udp) return destination('UDP', entry.udp)
  if (entry.sctp) return destination('SCTP', entry.sctp)
  const { destinationNamedPort: port } = entry
  return port ? anyProtocol.map((protocol) => ({ protocol, port })) : undefined
}

function destination(protocol: string, { destinationPort }: DestinationPorts): readonly PortRule[] | undefined {
  if (!destinationPort) return [{ protocol, port: undefined }]
  const { number, range } = destinationPort
  if (range) return [{ protocol, port: `${range.start}:${range.end}` }]
  return number === undefined ? undefined : [{ protocol, port: number }]
}
