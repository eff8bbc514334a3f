import type { KubeObject } from './meta.ts'
import type { Condition } from './pod.ts'

export interface Node extends KubeObject {
  readonly kind: 'Node'
  readonly spec?: NodeSpec
  readonly status?: NodeStatus
}

export interface NodeSpec {
  readonly podCIDR?: string
  readonly podCIDRs?: readonly string[]
  readonly providerID?: string
  readonly taints?: readonly Taint[]
  readonly unschedulable?: boolean
}

export interface Taint {
  readonly key: string
  readonly value?: string
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute'
}

export interface NodeStatus {
  readonly addresses?: readonly NodeAddress[]
  readonly conditions?: readonly Condition[]
  readonly nodeInfo?: { readonly kubeletVersion?: string; readonly kubeProxyVersion?: string }
}

export interface NodeAddress {
  readonly type: 'InternalIP' | 'ExternalIP' | 'Hostname' | 'InternalDNS' | 'ExternalDNS'
  readonly address: string
}

export interface Namespace extends KubeObject {
  readonly kind: 'Namespace'
}

export interface ConfigMap extends KubeObject {
  readonly kind: 'ConfigMap'
  readonly data?: Readonly<Record<string, string>>
}
