import type { ObjectRef } from '../kube/objects/meta.ts'

/** Something that a real agent would have logged, or refused to work with. */
export interface NetworkProblem {
  /** The agent that says it: `flannel`, `bridge`, `portmap`, ... */
  readonly by: string
  /** What is wrong, with the value found, and what would be right. One sentence. */
  readonly message: string
  /** The object to change, and the field in it. */
  readonly object?: ObjectRef
  readonly field?: string
  /** The node whose network is the poorer for it; absent when every node's is. */
  readonly node?: string
  /** One cause that shows for many a pair of `node` and `object` is told once: these are counted, in the plural. */
  readonly alike?: string
}
