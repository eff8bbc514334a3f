import type { KnownKind, ObjectOf } from './objects/kinds.ts'
import type { KubeObject, ObjectRef } from './objects/meta.ts'
import type { Source } from './source.ts'

/** What agents and controllers read objects through. */
export interface ObjectReader {
  get<K extends KnownKind>(kind: K, name: string, namespace?: string): ObjectOf<K> | undefined
  /** In the order in which the objects came. */
  list<K extends KnownKind>(kind: K, query?: ListQuery): readonly ObjectOf<K>[]
  /** Where an object was read; undefined for one that a controller made. */
  sourceOf(object: KubeObject | ObjectRef): Source | undefined
}

export interface ListQuery {
  readonly namespace?: string
  /** kubectl syntax: `app=web,tier in (a,b),!old`. */
  readonly labelSelector?: string
  /** kubectl syntax: `spec.nodeName=node-a,status.phase!=Failed`. */
  readonly fieldSelector?: string
}

/** The resourceVersion in hand is no longer the stored one. */
export class ConflictError extends Error {}

/** One change, in the order in which it happened. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
  readonly resourceVersion: string
}
