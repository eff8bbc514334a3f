import type {
  AdminNetworkPolicy,
  AdminPolicyPeer,
  AdminPolicyPort,
  AdminPolicySubject,
  BaselineAdminNetworkPolicy,
  ClusterNetworkPolicy,
  ClusterPolicyProtocol,
  DestinationPorts,
} from '../kube/objects/admin-network-policy.ts'
import type { LabelSelector } from '../kube/objects/meta.ts'
import type { TransportProtocol } from '../net/port.ts'
import { type Prefix, parsePrefix } from '../net/prefix.ts'
import type { PolicyDirection } from './connection.ts'
import { parseProtocol } from './parse-network-policy.ts'
import type { Action, Peer, PodSet, Policy, Port, Rule, Tier } from './policy.ts'

type AdminObject = AdminNetworkPolicy | BaselineAdminNetworkPolicy | ClusterNetworkPolicy

/** kubernetes-sigs/network-policy-api, apis/v1alpha1 and apis/v1alpha2. A policy without a usable subject selects nothing. */
export function parseAdminPolicy(object: AdminObject): Policy | undefined {
  const { spec } = object
  const subject = spec && parseSubject(spec.subject)
  if (!subject) return undefined
  const ingress = (spec.ingress ?? []).map((r, i) => parseRule('ingress', i, r, r.from))
  const egress = (spec.egress ?? []).map((r, i) => parseRule('egress', i, r, r.to))
  return {
    object: { kind: object.kind, name: object.metadata.name, source: object },
    ...placeOf(object),
    subject,
    // No rules, no effect: there is no isolation here.
    ...(ingress.length > 0 && { ingress }),
    ...(egress.length > 0 && { egress }),
  }
}

function placeOf(object: AdminObject): { readonly tier: Tier; readonly priority: number } {
  switch (object.kind) {
    case 'AdminNetworkPolicy':
      return { tier: 'admin', priority: object.spec.priority }
    case 'BaselineAdminNetworkPolicy':
      return { tier: 'baseline', priority: 0 }
    case 'ClusterNetworkPolicy':
      return { tier: object.spec.tier === 'Baseline' ? 'baseline' : 'admin', priority: object.spec.priority }
  }
}

/** Any of the rules of the three kinds; fields of a kind that it is not are absent. */
interface AnyRule {
  readonly name?: string
  readonly action: 'Allow' | 'Accept' | 'Deny' | 'Pass'
  readonly ports?: readonly AdminPolicyPort[]
  readonly protocols?: readonly ClusterPolicyProtocol[]
}

const actions = { Allow: 'allow', Accept: 'allow', Deny: 'deny', Pass: 'pass' } as const satisfies Record<
  string,
  Action
>

/**
 * An entry without a field that is known here was written for a newer version of the API, and must fail closed: an
 * accepting rule does without it, any other rule denies everything.
 */
function parseRule(
  direction: PolicyDirection,
  index: number,
  rule: AnyRule,
  entries: readonly AdminPolicyPeer[] | null | undefined,
): Rule {
  const place = { direction, index, ...(rule.name && { name: rule.name }) }
  const peers = (entries ?? []).map((peer) => parsePeer(peer, direction))
  const ports = [...(rule.ports ?? []).map(parsePort), ...(rule.protocols ?? []).map(parseProtocolEntry)]
  const action = actions[rule.action]
  const unknown = [...peers, ...ports].some(({ kind }) => kind === 'nothing')
  if (action !== 'allow' && unknown) return { ...place, action: 'deny', peers: 'any', ports: 'any' }
  return { ...place, action, peers, ports: ports.length > 0 ? ports : 'any' }
}

function parsePeer(peer: AdminPolicyPeer, direction: PolicyDirection): Peer {
  const pods = parseSubject(peer)
  if (pods) return { kind: 'pods', pods }
  if (direction === 'ingress') return { kind: 'nothing' }
  if (peer.networks) return parseNetworks(peer.networks)
  if (peer.nodes) return isUsable(peer.nodes) ? { kind: 'nodes', selector: peer.nodes } : { kind: 'nothing' }
  return peer.domainNames ? { kind: 'domains', names: peer.domainNames } : { kind: 'nothing' }
}

function parseNetworks(texts: readonly string[]): Peer {
  const parsed = texts.map((text) => parsePrefix(String(text)))
  const networks = parsed.filter((p): p is Prefix => p !== undefined)
  return networks.length === parsed.length ? { kind: 'networks', networks } : { kind: 'nothing' }
}

function parseSubject(subject: AdminPolicySubject | null | undefined): PodSet | undefined {
  const namespaces = subject?.namespaces ?? undefined
  if (namespaces) return isUsable(namespaces) ? { namespaceSelector: namespaces, podSelector: {} } : undefined
  const pods = subject?.pods ?? undefined
  if (!pods) return undefined
  const set = { namespaceSelector: pods.namespaceSelector ?? {}, podSelector: pods.podSelector ?? {} }
  return isUsable(set.namespaceSelector) && isUsable(set.podSelector) ? set : undefined
}

/** The CRDs do not check selectors; a plugin fails on what apimachinery's selectors refuse. */
function isUsable(selector: LabelSelector): boolean {
  return (selector.matchExpressions ?? []).every(({ operator, values }) => {
    const count = values?.length ?? 0
    return operator === 'In' || operator === 'NotIn'
      ? count > 0
      : (operator === 'Exists' || operator === 'DoesNotExist') && count === 0
  })
}

function parsePort(entry: AdminPolicyPort): Port {
  const { portNumber, portRange, namedPort } = entry
  if (portNumber) return range(parseProtocol(portNumber.protocol ?? 'TCP'), portNumber.port, portNumber.port)
  if (portRange) return range(parseProtocol(portRange.protocol ?? 'TCP'), portRange.start, portRange.end)
  return namedPort ? { kind: 'named', name: namedPort } : { kind: 'nothing' }
}

function parseProtocolEntry(entry: ClusterPolicyProtocol): Port {
  if (entry.tcp) return parseDestination('tcp', entry.tcp)
  if (entry.udp) return parseDestination('udp', entry.udp)
  if (entry.sctp) return parseDestination('sctp', entry.sctp)
  return entry.destinationNamedPort ? { kind: 'named', name: entry.destinationNamedPort } : { kind: 'nothing' }
}

/** A protocol without a destination port is refused by the CRD, but documented as all ports of the protocol. */
function parseDestination(protocol: TransportProtocol, { destinationPort }: DestinationPorts): Port {
  if (!destinationPort) return range(protocol, 0, 65535)
  const { number, range: ports } = destinationPort
  if (ports) return range(protocol, ports.start, ports.end)
  return number === undefined ? { kind: 'nothing' } : range(protocol, number, number)
}

const range = (protocol: TransportProtocol | undefined, from: number, to: number): Port =>
  protocol ? { kind: 'range', protocol, from, to } : { kind: 'nothing' }
