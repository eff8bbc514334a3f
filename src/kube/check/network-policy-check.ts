import { prefixCovers } from '../../net/prefix.ts'
import { parseApiCidr } from '../addresses.ts'
import type { FieldPath } from '../field-path.ts'
import type { NetworkPolicy, PolicyPeer, PolicyPort } from '../objects/network-policy.ts'
import {
  type FieldError,
  forbidden,
  invalid,
  isPort,
  notSupported,
  portNameErrors,
  portRange,
  required,
} from './field-error.ts'
import { labelSelectorErrors } from './label-selector-check.ts'

/** ValidateNetworkPolicySpec (Kubernetes `pkg/apis/networking/validation`): what the API server refuses, in its order. */
export function networkPolicyErrors({ spec }: NetworkPolicy): readonly FieldError[] {
  if (spec === undefined) return []
  const rules = (direction: 'ingress' | 'egress', peerField: 'from' | 'to'): readonly FieldError[] =>
    (spec[direction] ?? []).flatMap((rule: RuleFields, i) => {
      const path: FieldPath = ['spec', direction, i]
      return [
        ...(rule.ports ?? []).flatMap((port, j) => portErrors([...path, 'ports', j], port)),
        ...(rule[peerField] ?? []).flatMap((peer, j) => peerErrors([...path, peerField, j], peer)),
      ]
    })
  return [
    ...labelSelectorErrors(['spec', 'podSelector'], spec.podSelector),
    ...rules('ingress', 'from'),
    ...rules('egress', 'to'),
    ...policyTypeErrors(spec.policyTypes ?? []),
  ]
}

interface RuleFields {
  readonly ports?: readonly PolicyPort[]
  readonly from?: readonly PolicyPeer[]
  readonly to?: readonly PolicyPeer[]
}

function policyTypeErrors(types: readonly string[]): readonly FieldError[] {
  const path: FieldPath = ['spec', 'policyTypes']
  if (types.length > 2) return [invalid(path, types, 'may not specify more than two policyTypes')]
  const known = ['Ingress', 'Egress']
  return types.flatMap((type, i) => (known.includes(type) ? [] : [notSupported([...path, i], type, known)]))
}

const protocols: readonly string[] = ['TCP', 'UDP', 'SCTP']

function portErrors(path: FieldPath, { protocol, port, endPort }: PolicyPort): readonly FieldError[] {
  const errors: FieldError[] = []
  if (protocol !== undefined && !protocols.includes(protocol)) {
    errors.push(notSupported([...path, 'protocol'], protocol, protocols))
  }
  const endPath = [...path, 'endPort']
  const portPath = [...path, 'port']
  if (port === undefined) {
    if (endPort !== undefined)
      errors.push(invalid(endPath, endPort, 'may not be specified when `port` is not specified'))
  } else if (typeof port === 'string') {
    if (endPort !== undefined) errors.push(invalid(endPath, endPort, 'may not be specified when `port` is non-numeric'))
    errors.push(...portNameErrors(portPath, port))
  } else {
    if (!isPort(port)) errors.push(invalid(portPath, port, portRange))
    if (endPort !== undefined) {
      if (endPort < port) errors.push(invalid(endPath, endPort, 'must be greater than or equal to `port`'))
      if (!isPort(endPort)) errors.push(invalid(endPath, endPort, portRange))
    }
  }
  return errors
}

function peerErrors(path: FieldPath, peer: PolicyPeer): readonly FieldError[] {
  const { podSelector, namespaceSelector, ipBlock } = peer
  const errors: FieldError[] = [
    ...labelSelectorErrors([...path, 'podSelector'], podSelector),
    ...labelSelectorErrors([...path, 'namespaceSelector'], namespaceSelector),
    ...(ipBlock ? ipBlockErrors([...path, 'ipBlock'], ipBlock) : []),
  ]
  if (!podSelector && !namespaceSelector && !ipBlock) errors.push(required(path, 'must specify a peer'))
  else if (ipBlock && (podSelector || namespaceSelector)) {
    errors.push(forbidden(path, 'may not specify both ipBlock and another peer'))
  }
  return errors
}

const cidrRule = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'

function ipBlockErrors(path: FieldPath, block: { cidr?: string; except?: readonly string[] }): readonly FieldError[] {
  const { cidr, except = [] } = block
  if (cidr === undefined || cidr === '') return [required([...path, 'cidr'], 'a CIDR block is needed')]
  const outer = parseApiCidr(cidr)
  if (!outer) return [invalid([...path, 'cidr'], cidr, cidrRule)]
  return except.flatMap((text, i) => {
    const inner = parseApiCidr(text)
    if (!inner) return [invalid([...path, 'except', i], text, cidrRule)]
    const strictly = prefixCovers(outer, inner) && inner.length > outer.length
    return strictly ? [] : [invalid([...path, 'except', i], text, 'must be a strict subset of `cidr`')]
  })
}
