import type { KubeObject, LabelSelector } from './meta.ts'
import type { KubeProtocol } from './pod.ts'

/** networking.k8s.io/v1. Absent, empty and `{}` differ in meaning nearly everywhere: nothing is defaulted on reading. */
export interface NetworkPolicy extends KubeObject {
  readonly kind: 'NetworkPolicy'
  readonly spec: NetworkPolicySpec
}

export interface NetworkPolicySpec {
  readonly podSelector?: LabelSelector
  readonly policyTypes?: readonly ('Ingress' | 'Egress')[]
  readonly ingress?: readonly { readonly from?: readonly PolicyPeer[]; readonly ports?: readonly PolicyPort[] }[]
  readonly egress?: readonly { readonly to?: readonly PolicyPeer[]; readonly ports?: readonly PolicyPort[] }[]
}

export interface PolicyPeer {
  readonly podSelector?: LabelSelector
  readonly namespaceSelector?: LabelSelector
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] }
}

export interface PolicyPort {
  readonly protocol?: KubeProtocol
  readonly port?: number | string
  readonly endPort?: number
}
