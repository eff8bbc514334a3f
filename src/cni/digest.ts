import { createHash } from 'node:crypto'
import type { ObjectMeta } from '../kube/objects/meta.ts'

export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex')
export const sha512Hex = (text: string): string => createHash('sha512').update(text).digest('hex')

/** `namespace/name`, the key of whatever is derived from a pod. */
export const podKey = (pod: { readonly metadata: ObjectMeta }): string =>
  `${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`

/** The sandbox ID is not in the Pod object: any stable stand-in, as long as a real one (64 hex digits). */
export const sandboxId = (pod: { readonly metadata: ObjectMeta }): string => sha256Hex(`sandbox ${podKey(pod)}`)
