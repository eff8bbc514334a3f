export interface ObjectMeta {
  readonly name: string
  /** Always set on namespaced kinds once loaded; absent on cluster-scoped ones. */
  readonly namespace?: string
  readonly labels?: Labels
  readonly annotations?: Readonly<Record<string, string>>
  readonly uid?: string
  readonly resourceVersion?: string
  readonly generateName?: string
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly ownerReferences?: readonly OwnerReference[]
}

export type Labels = Readonly<Record<string, string>>

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid?: string
  readonly controller?: boolean
}

/** What every object has. Known kinds extend it with the fields that kubehop reads. */
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
}

/** metav1.LabelSelector. Absent and empty differ: the users of a selector say what each means. */
export interface LabelSelector {
  readonly matchLabels?: Labels
  readonly matchExpressions?: readonly LabelRequirement[]
}

export interface LabelRequirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values?: readonly string[]
}

export interface ObjectRef {
  readonly kind: string
  readonly namespace?: string
  readonly name: string
}
