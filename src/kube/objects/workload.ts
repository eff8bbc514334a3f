import type { KubeObject, LabelSelector, ObjectMeta } from './meta.ts'
import type { Condition, PodSpec } from './pod.ts'

export interface PodTemplate {
  readonly metadata?: Partial<ObjectMeta>
  readonly spec: PodSpec
}

export interface Deployment extends KubeObject {
  readonly kind: 'Deployment'
  readonly spec: { readonly replicas?: number; readonly selector?: LabelSelector; readonly template: PodTemplate }
}

export interface ReplicaSet extends KubeObject {
  readonly kind: 'ReplicaSet'
  readonly spec: { readonly replicas?: number; readonly selector?: LabelSelector; readonly template?: PodTemplate }
}

export interface ReplicationController extends KubeObject {
  readonly kind: 'ReplicationController'
  readonly spec: {
    readonly replicas?: number
    readonly selector?: Readonly<Record<string, string>>
    readonly template?: PodTemplate
  }
}

export interface StatefulSet extends KubeObject {
  readonly kind: 'StatefulSet'
  readonly spec: {
    readonly replicas?: number
    readonly serviceName?: string
    readonly selector?: LabelSelector
    readonly ordinals?: { readonly start?: number }
    readonly template: PodTemplate
  }
}

export interface DaemonSet extends KubeObject {
  readonly kind: 'DaemonSet'
  readonly spec: { readonly selector?: LabelSelector; readonly template: PodTemplate }
}

export interface JobSpec {
  readonly parallelism?: number
  readonly completions?: number
  readonly completionMode?: 'NonIndexed' | 'Indexed'
  readonly suspend?: boolean
  readonly template: PodTemplate
}

export interface Job extends KubeObject {
  readonly kind: 'Job'
  readonly spec: JobSpec
  readonly status?: { readonly conditions?: readonly Condition[] }
}

export interface CronJob extends KubeObject {
  readonly kind: 'CronJob'
  readonly spec: {
    readonly schedule?: string
    readonly suspend?: boolean
    readonly jobTemplate: { readonly metadata?: Partial<ObjectMeta>; readonly spec: JobSpec }
  }
}
