import type { CalicoPolicySpec, CalicoRule } from '../../../kube/objects/calico.ts'
import type { KubeObject } from '../../../kube/objects/meta.ts'

/** A policy of any kind, as Felix sees it: Calico's own, or one converted from a Kubernetes object. */
export interface CalicoPolicy {
  readonly kind: CalicoPolicyKind
  readonly name: string
  /** Absent for kinds without a namespace. */
  readonly namespace?: string
  readonly tier: string
  /** Lowest first; undefined comes last. */
  readonly order: number | undefined
  readonly spec: CalicoPolicySpec & {
    readonly namespaceSelector?: string
    readonly doNotTrack?: boolean
    readonly preDNAT?: boolean
    readonly applyOnForward?: boolean
  }
  readonly types: readonly ('Ingress' | 'Egress')[]
  /** The object that somebody wrote, and for each rule the path of what it came from. */
  readonly source: KubeObject
  readonly paths: { readonly ingress: readonly RulePath[]; readonly egress: readonly RulePath[] }
}

export type RulePath = readonly (string | number)[]

export type CalicoPolicyKind =
  | 'NetworkPolicy'
  | 'GlobalNetworkPolicy'
  | 'KubernetesNetworkPolicy'
  | 'KubernetesClusterNetworkPolicy'

export const shortKinds: Readonly<Record<CalicoPolicyKind, string>> = {
  NetworkPolicy: 'np',
  GlobalNetworkPolicy: 'gnp',
  KubernetesNetworkPolicy: 'knp',
  KubernetesClusterNetworkPolicy: 'kcnp',
}

export const rulesOf = (policy: CalicoPolicy, direction: 'ingress' | 'egress'): readonly CalicoRule[] =>
  policy.spec[direction] ?? []

/** Missing types: ingress, and egress where there are only, or also, egress rules. */
export function typesOf(spec: CalicoPolicySpec): readonly ('Ingress' | 'Egress')[] {
  if (spec.types !== undefined) return spec.types
  const egress = (spec.egress ?? []).length > 0
  const ingress = (spec.ingress ?? []).length > 0 || !egress
  return [...(ingress ? (['Ingress'] as const) : []), ...(egress ? (['Egress'] as const) : [])]
}
