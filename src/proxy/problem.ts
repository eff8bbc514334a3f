import type { ObjectRef } from '../kube/objects/meta.ts'

/** Something that the real kube-proxy would have logged, or refused to start with. */
export interface ProxyProblem {
  readonly by: 'kube-proxy'
  /** What is wrong, with the value found, and what would be right. One sentence. */
  readonly message: string
  /** The object to change, and the field in it. */
  readonly object?: ObjectRef
  readonly field?: string
}
