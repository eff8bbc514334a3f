import { parseApiCidr } from '../addresses.ts'
import type { FieldPath } from '../field-path.ts'
import type {
  AdminNetworkPolicy,
  AdminPolicyPeer,
  AdminPolicyPort,
  AdminPolicySubject,
  BaselineAdminNetworkPolicy,
  ClusterNetworkPolicy,
  ClusterPolicyProtocol,
  DestinationPorts,
} from '../objects/admin-network-policy.ts'
import { type FieldError, invalid } from './field-error.ts'
import { labelSelectorErrors } from './label-selector-check.ts'

interface RuleFields {
  readonly from?: readonly AdminPolicyPeer[]
  readonly to?: readonly AdminPolicyPeer[]
  readonly ports?: readonly AdminPolicyPort[]
  readonly protocols?: readonly ClusterPolicyProtocol[]
}

/** The rules that the CRDs of network-policy-api state beyond types: which fields exclude each other, and what is empty. */
export function adminPolicyErrors(
  policy: AdminNetworkPolicy | BaselineAdminNetworkPolicy | ClusterNetworkPolicy,
): readonly FieldError[] {
  const spec: { subject: AdminPolicySubject; ingress?: readonly RuleFields[]; egress?: readonly RuleFields[] } =
    policy.spec
  return [
    ...nameErrors(policy),
    ...subjectErrors(['spec', 'subject'], spec.subject, ['namespaces', 'pods']),
    ...(spec.ingress ?? []).flatMap((rule, i) => ruleErrors(['spec', 'ingress', i], rule, 'from')),
    ...(spec.egress ?? []).flatMap((rule, i) => [
      ...ruleErrors(['spec', 'egress', i], rule, 'to'),
      ...namedPortErrors(['spec', 'egress', i], rule),
    ]),
  ]
}

const nameErrors = ({ kind, metadata }: { kind: string; metadata: { name: string } }): readonly FieldError[] =>
  kind === 'BaselineAdminNetworkPolicy' && metadata.name !== 'default'
    ? [invalid(['metadata', 'name'], metadata.name, 'must be default: there is one in a cluster')]
    : []

function oneFieldErrors(path: FieldPath, value: object, fields: readonly string[]): readonly FieldError[] {
  const given = fields.filter((f) => f in value)
  if (given.length === 1) return []
  return [invalid(path, given.join(' and ') || value, `must have exactly one of ${fields.join(', ')}`)]
}

function subjectErrors(path: FieldPath, value: AdminPolicyPeer, fields: readonly string[]): readonly FieldError[] {
  return [
    ...oneFieldErrors(path, value, fields),
    ...labelSelectorErrors([...path, 'namespaces'], value.namespaces),
    ...labelSelectorErrors([...path, 'nodes'], value.nodes),
    ...labelSelectorErrors([...path, 'pods', 'namespaceSelector'], value.pods?.namespaceSelector),
    ...labelSelectorErrors([...path, 'pods', 'podSelector'], value.pods?.podSelector),
  ]
}

function ruleErrors(path: FieldPath, rule: RuleFields, direction: 'from' | 'to'): readonly FieldError[] {
  const peers = rule[direction] ?? []
  const fields =
    direction === 'from' ? ['namespaces', 'pods'] : ['namespaces', 'pods', 'networks', 'nodes', 'domainNames']
  return [
    ...(peers.length === 0 ? [invalid([...path, direction], [], 'must have at least one peer')] : []),
    ...peers.flatMap((peer, i) => [
      ...subjectErrors([...path, direction, i], peer, fields),
      ...networkErrors([...path, direction, i, 'networks'], peer.networks ?? []),
    ]),
    ...(rule.ports ?? []).flatMap((port, i) => portErrors([...path, 'ports', i], port)),
    ...(rule.protocols ?? []).flatMap((p, i) => protocolErrors([...path, 'protocols', i], p)),
  ]
}

const networkErrors = (path: FieldPath, networks: readonly string[]): readonly FieldError[] =>
  networks.flatMap((text, i) => (parseApiCidr(text) ? [] : [invalid([...path, i], text, 'must be a CIDR block')]))

function portErrors(path: FieldPath, port: AdminPolicyPort): readonly FieldError[] {
  const range = port.portRange
  return [
    ...oneFieldErrors(path, port, ['portNumber', 'portRange', 'namedPort']),
    ...(range ? rangeErrors([...path, 'portRange'], range) : []),
  ]
}

function protocolErrors(path: FieldPath, value: ClusterPolicyProtocol): readonly FieldError[] {
  const one = oneFieldErrors(path, value, ['tcp', 'udp', 'sctp', 'destinationNamedPort'])
  const each = (['tcp', 'udp', 'sctp'] as const).flatMap((name) => {
    const ports = value[name]
    return ports ? destinationErrors([...path, name], ports) : []
  })
  return [...one, ...each]
}

function destinationErrors(path: FieldPath, { destinationPort }: DestinationPorts): readonly FieldError[] {
  if (!destinationPort) return [invalid(path, {}, 'must have a destinationPort; every port is the range 1 to 65535')]
  const own = [...path, 'destinationPort']
  return [
    ...oneFieldErrors(own, destinationPort, ['number', 'range']),
    ...(destinationPort.range ? rangeErrors([...own, 'range'], destinationPort.range) : []),
  ]
}

const rangeErrors = (path: FieldPath, { start, end }: { start: number; end: number }): readonly FieldError[] =>
  start < end ? [] : [invalid(path, `${start}-${end}`, 'Start port must be less than End port')]

/** A named port is a pod's; nothing that is no pod has one. Stated for v1alpha2 alone. */
function namedPortErrors(path: FieldPath, rule: RuleFields): readonly FieldError[] {
  const named = (rule.protocols ?? []).some((p) => p.destinationNamedPort !== undefined)
  const outside = (rule.to ?? []).some((p) => p.networks || p.nodes || p.domainNames)
  if (!named || !outside) return []
  const outsiders = 'networks/nodes/domainNames'
  const detail = `${outsiders} peer cannot be set with namedPorts since there are no namedPorts for ${outsiders}`
  return [invalid(path, rule, detail)]
}
