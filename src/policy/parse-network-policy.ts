import type { NetworkPolicy, NetworkPolicySpec, PolicyPeer, PolicyPort } from '../kube/objects/network-policy.ts'
import { isTransportProtocol, type TransportProtocol } from '../net/port.ts'
import { type Prefix, parsePrefix } from '../net/prefix.ts'
import type { PolicyDirection } from './connection.ts'
import type { Peer, Policy, Port, Rule } from './policy.ts'

/**
 * Absent, null and empty read alike, as they must (an API server cannot tell them apart), except where an absent field
 * says that another one speaks. Kubernetes documentation, Network Policies; api/networking/v1/types.go.
 */
export function parseNetworkPolicy(object: NetworkPolicy): Policy {
  const { name, namespace = 'default' } = object.metadata
  const spec: NetworkPolicySpec = object.spec ?? {}
  const directions = isolatedDirections(spec.policyTypes ?? [], (spec.egress ?? []).length > 0)
  const rules = {
    ingress: () => (spec.ingress ?? []).map((r, i) => rule('ingress', i, r?.from, r?.ports, namespace)),
    egress: () => (spec.egress ?? []).map((r, i) => rule('egress', i, r?.to, r?.ports, namespace)),
  }
  return {
    object: { kind: 'NetworkPolicy', namespace, name, source: object },
    tier: 'network',
    priority: 0,
    subject: { namespace, podSelector: spec.podSelector ?? {} },
    ...(directions.includes('ingress') && { ingress: rules.ingress() }),
    ...(directions.includes('egress') && { egress: rules.egress() }),
  }
}

/** Without policyTypes: ingress always, and egress if there are rules for it (networking/v1/defaults.go). */
function isolatedDirections(types: readonly string[], hasEgressRules: boolean): readonly PolicyDirection[] {
  if (types.length === 0) return hasEgressRules ? ['ingress', 'egress'] : ['ingress']
  return [
    ...(types.includes('Ingress') ? ['ingress' as const] : []),
    ...(types.includes('Egress') ? ['egress' as const] : []),
  ]
}

function rule(
  direction: PolicyDirection,
  index: number,
  peers: readonly PolicyPeer[] | null | undefined,
  ports: readonly PolicyPort[] | null | undefined,
  namespace: string,
): Rule {
  return {
    ...{ action: 'allow', direction, index },
    peers: peers && peers.length > 0 ? peers.map((peer) => parsePeer(peer, namespace)) : 'any',
    ports: ports && ports.length > 0 ? ports.map(parsePort) : 'any',
  }
}

function parsePeer(peer: PolicyPeer, namespace: string): Peer {
  // YAML may say null where the types say nothing.
  const podSelector = peer.podSelector ?? undefined
  const namespaceSelector = peer.namespaceSelector ?? undefined
  if (peer.ipBlock) return podSelector || namespaceSelector ? { kind: 'nothing' } : parseBlock(peer.ipBlock)
  if (namespaceSelector) return { kind: 'pods', pods: { namespaceSelector, podSelector: podSelector ?? {} } }
  return podSelector ? { kind: 'pods', pods: { namespace, podSelector } } : { kind: 'nothing' }
}

function parseBlock(block: { readonly cidr: string; readonly except?: readonly string[] | null }): Peer {
  const cidr = parsePrefix(String(block.cidr))
  const except = (block.except ?? []).map((text) => parsePrefix(String(text)))
  const valid = except.filter((p): p is Prefix => p !== undefined)
  return cidr && valid.length === except.length ? { kind: 'block', cidr, except: valid } : { kind: 'nothing' }
}

function parsePort(entry: PolicyPort): Port {
  const protocol = parseProtocol(entry.protocol ?? 'TCP')
  if (protocol === undefined) return { kind: 'nothing' }
  const { port, endPort } = entry
  if (port === undefined || port === null) {
    return endPort ? { kind: 'nothing' } : { kind: 'range', protocol, from: 0, to: 65535 }
  }
  if (typeof port === 'string') return endPort ? { kind: 'nothing' } : { kind: 'named', name: port, protocol }
  return { kind: 'range', protocol, from: port, to: endPort ?? port }
}

export function parseProtocol(text: string): TransportProtocol | undefined {
  const name = text.toLowerCase()
  return text === text.toUpperCase() && isTransportProtocol(name) ? name : undefined
}
