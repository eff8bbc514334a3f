import type { KubeObject } from './meta.ts'

export interface Pod extends KubeObject {
  readonly kind: 'Pod'
  readonly spec: PodSpec
  readonly status?: PodStatus
}

export interface PodSpec {
  readonly nodeName?: string
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly affinity?: { readonly nodeAffinity?: NodeAffinity }
  readonly tolerations?: readonly Toleration[]
  readonly hostNetwork?: boolean
  readonly serviceAccountName?: string
  readonly hostname?: string
  readonly subdomain?: string
  readonly dnsPolicy?: string
  readonly dnsConfig?: PodDnsConfig
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly restartPolicy?: string
  readonly enableServiceLinks?: boolean
  readonly readinessGates?: readonly { readonly conditionType: string }[]
}

export interface PodDnsConfig {
  readonly nameservers?: readonly string[]
  readonly searches?: readonly string[]
  readonly options?: readonly { readonly name: string; readonly value?: string }[]
}

export interface Container {
  readonly name: string
  readonly image?: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly env?: readonly EnvVar[]
  readonly ports?: readonly ContainerPort[]
  /** `Always` on an init container makes it a sidecar, whose ports count. */
  readonly restartPolicy?: string
}

export interface EnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: { readonly configMapKeyRef?: { readonly name?: string; readonly key?: string } }
}

export interface ContainerPort {
  readonly name?: string
  readonly containerPort: number
  readonly hostPort?: number
  readonly hostIP?: string
  /** Default TCP. */
  readonly protocol?: KubeProtocol
}

export type KubeProtocol = 'TCP' | 'UDP' | 'SCTP'

export interface Toleration {
  readonly key?: string
  readonly operator?: 'Exists' | 'Equal'
  readonly value?: string
  readonly effect?: string
  readonly tolerationSeconds?: number
}

export interface NodeAffinity {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: {
    readonly nodeSelectorTerms: readonly NodeSelectorTerm[]
  }
}

export interface NodeSelectorTerm {
  readonly matchExpressions?: readonly NodeSelectorRequirement[]
  readonly matchFields?: readonly NodeSelectorRequirement[]
}

export interface NodeSelectorRequirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt'
  readonly values?: readonly string[]
}

export interface PodStatus {
  /** Succeeded and Failed pods have given their address back. */
  readonly phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
  readonly podIP?: string
  readonly podIPs?: readonly { readonly ip: string }[]
  readonly hostIP?: string
  readonly hostIPs?: readonly { readonly ip: string }[]
  readonly conditions?: readonly Condition[]
  readonly containerStatuses?: readonly { readonly name: string; readonly ready?: boolean }[]
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
}
