import type { KubeObject, LabelSelector } from './meta.ts'
import type { KubeProtocol } from './pod.ts'

/**
 * The cluster-scoped policies of policy.networking.k8s.io: v1alpha1 AdminNetworkPolicy and BaselineAdminNetworkPolicy, and
 * v1alpha2 ClusterNetworkPolicy, which replaces both (kubernetes-sigs/network-policy-api, apis/v1alpha1 and v1alpha2).
 */
export interface AdminNetworkPolicy extends KubeObject {
  readonly kind: 'AdminNetworkPolicy'
  readonly spec: AdminPolicyRules<'Allow' | 'Deny' | 'Pass', AdminPolicyPorts> & {
    /** 0 to 1000; the lowest number is asked first. */
    readonly priority: number
  }
}

/** One in a cluster, named `default`. */
export interface BaselineAdminNetworkPolicy extends KubeObject {
  readonly kind: 'BaselineAdminNetworkPolicy'
  readonly spec: AdminPolicyRules<'Allow' | 'Deny', AdminPolicyPorts>
}

export interface ClusterNetworkPolicy extends KubeObject {
  readonly kind: 'ClusterNetworkPolicy'
  readonly spec: AdminPolicyRules<'Accept' | 'Deny' | 'Pass', ClusterPolicyProtocols> & {
    readonly tier: 'Admin' | 'Baseline'
    /** 0 to 1000 within the tier; the lowest number is asked first. */
    readonly priority: number
  }
}

/** Rules are ordered: the first that matches decides. A direction without rules is left alone. */
export interface AdminPolicyRules<Action extends string, Ports> {
  readonly subject: AdminPolicySubject
  readonly ingress?: readonly (AdminPolicyRule<Action> & Ports & { readonly from: readonly AdminPolicyPeer[] })[]
  readonly egress?: readonly (AdminPolicyRule<Action> & Ports & { readonly to: readonly AdminPolicyPeer[] })[]
}

export interface AdminPolicyRule<Action extends string> {
  readonly name?: string
  readonly action: Action
}

/** Exactly one field. */
export interface AdminPolicySubject {
  readonly namespaces?: LabelSelector
  readonly pods?: NamespacedPods
}

export interface NamespacedPods {
  /** Absent means every namespace; v1alpha1 requires it. */
  readonly namespaceSelector?: LabelSelector
  readonly podSelector?: LabelSelector
}

/** Exactly one field. `networks`, `nodes` and `domainNames` exist for egress only. */
export interface AdminPolicyPeer extends AdminPolicySubject {
  readonly networks?: readonly string[]
  readonly nodes?: LabelSelector
  readonly domainNames?: readonly string[]
}

/** v1alpha1. Absent means every protocol and port. */
export interface AdminPolicyPorts {
  readonly ports?: readonly AdminPolicyPort[]
}

/** Exactly one field. A protocol defaults to TCP. */
export interface AdminPolicyPort {
  readonly portNumber?: { readonly protocol?: KubeProtocol; readonly port: number }
  readonly portRange?: { readonly protocol?: KubeProtocol; readonly start: number; readonly end: number }
  readonly namedPort?: string
}

/** v1alpha2. Absent means every protocol and port. */
export interface ClusterPolicyProtocols {
  readonly protocols?: readonly ClusterPolicyProtocol[]
}

/** Exactly one field. */
export interface ClusterPolicyProtocol {
  readonly tcp?: DestinationPorts
  readonly udp?: DestinationPorts
  readonly sctp?: DestinationPorts
  readonly destinationNamedPort?: string
}

export interface DestinationPorts {
  readonly destinationPort?: {
    readonly number?: number
    readonly range?: { readonly start: number; readonly end: number }
  }
}
