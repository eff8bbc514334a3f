import type { KubeObject, LabelSelector } from '../kube/objects/meta.ts'
import type { TransportProtocol } from '../net/port.ts'
import type { Prefix } from '../net/prefix.ts'
import type { PolicyDirection } from './connection.ts'

/** In the order in which they are asked. */
export type Tier = 'admin' | 'network' | 'baseline'

export type Action = 'allow' | 'deny' | 'pass'

/** A policy of any kind, its text parsed and its defaults filled in. */
export interface Policy {
  readonly object: PolicyObject
  readonly tier: Tier
  /** Lowest first; 0 in a tier without priorities. */
  readonly priority: number
  readonly subject: PodSet
  /** A direction that is absent is left alone; in the tier `network`, a present one isolates. */
  readonly egress?: readonly Rule[]
  readonly ingress?: readonly Rule[]
}

export interface PolicyObject {
  readonly kind: PolicyKind
  /** Absent for the cluster-scoped kinds. */
  readonly namespace?: string
  readonly name: string
  readonly source: KubeObject
}

export type PolicyKind = 'NetworkPolicy' | 'AdminNetworkPolicy' | 'BaselineAdminNetworkPolicy' | 'ClusterNetworkPolicy'

/** `peers` and `ports` are alternatives each; the rule holds if one of both does. */
export interface Rule {
  readonly action: Action
  readonly direction: PolicyDirection
  /** Position in `spec.ingress` or `spec.egress`, from 0. */
  readonly index: number
  readonly name?: string
  readonly peers: readonly Peer[] | 'any'
  readonly ports: readonly Port[] | 'any'
}

/** Pods by label. `namespace` names one; else `namespaceSelector` selects some. */
export interface PodSet {
  readonly namespace?: string
  readonly namespaceSelector?: LabelSelector
  readonly podSelector: LabelSelector
}

export type Peer =
  | { readonly kind: 'pods'; readonly pods: PodSet }
  | { readonly kind: 'block'; readonly cidr: Prefix; readonly except: readonly Prefix[] }
  | { readonly kind: 'networks'; readonly networks: readonly Prefix[] }
  | { readonly kind: 'nodes'; readonly selector: LabelSelector }
  | { readonly kind: 'domains'; readonly names: readonly string[] }
  /** An entry that the API server would not have taken: it matches nothing. */
  | { readonly kind: 'nothing' }

export type Port =
  /** Both ends included; all ports are 0 to 65535. */
  | { readonly kind: 'range'; readonly protocol: TransportProtocol; readonly from: number; readonly to: number }
  /** The port of that name on the destination pod; of any protocol unless one is given. */
  | { readonly kind: 'named'; readonly name: string; readonly protocol?: TransportProtocol }
  | { readonly kind: 'nothing' }

/** The order within a tier. Equal priorities are nobody's promise; by name is Calico's choice. */
export function byPriority(a: Policy, b: Policy): number {
  const [x, y] = [formatPolicyObject(a.object), formatPolicyObject(b.object)]
  return (
    a.priority - b.priority || (a.object.name < b.object.name ? -1 : a.object.name > b.object.name ? 1 : x < y ? -1 : 1)
  )
}

/** `NetworkPolicy shop/allow-web`, `ClusterNetworkPolicy isolate-tenants`. */
export const formatPolicyObject = (o: PolicyObject): string =>
  `${o.kind} ${o.namespace === undefined ? '' : `${o.namespace}/`}${o.name}`

/** Where the rule stands in its object: `spec.ingress[0]`. */
export const rulePath = (rule: Rule): readonly (string | number)[] => ['spec', rule.direction, rule.index]

/** `egress[1]`, with the name where it has one: `egress[1] "deny-dns"`. */
export const formatRuleRef = (rule: Rule): string =>
  `${rule.direction}[${rule.index}]${rule.name === undefined ? '' : ` ${JSON.stringify(rule.name)}`}`
