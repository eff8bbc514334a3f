import { isDeepStrictEqual } from 'node:util'
import { matchesFields, parseFieldSelector } from './field-selector.ts'
import { findResource, isKnownKind, isNamespaced, knownResources, resourceKey } from './kinds.ts'
import type { KnownKind, ObjectOf } from './objects/kinds.ts'
import type { KubeObject, ObjectRef } from './objects/meta.ts'
import { matchesRequirements, parseLabelSelector, type SelectorError } from './selector.ts'
import type { Source } from './source.ts'

/** What agents and controllers read objects through. */
export interface ObjectReader {
  get<K extends KnownKind>(kind: K, name: string, namespace?: string): ObjectOf<K> | undefined
  /** In the order in which the objects came. */
  list<K extends KnownKind>(kind: K, query?: ListQuery): readonly ObjectOf<K>[]
  /**
   * Objects of any kind, also of one that is not read: `IPPool` (of whatever group), or with its group
   * `NetworkPolicy.projectcalico.org`. A bare kind that is read means the Kubernetes one.
   */
  listAll(kind: string, query?: ListQuery): readonly KubeObject[]
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

export class AlreadyExistsError extends Error {}

export class NotFoundError extends Error {}

/** A label or field selector that does not parse; the CLI checks what people type before it asks. */
export class SelectorSyntaxError extends Error {
  readonly detail: SelectorError
  constructor(selector: string, detail: SelectorError) {
    super(`selector ${JSON.stringify(selector)}: ${detail.message}`)
    this.detail = detail
  }
}

/** One change, in the order in which it happened. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: KubeObject
  readonly resourceVersion: string
}

export interface WatchOptions {
  /** Replay what happened after this resourceVersion first; `'0'` replays everything. Default: from now on. */
  readonly since?: string
}

interface Entry {
  readonly object: KubeObject
  readonly source: Source | undefined
}

/** The objects of one resource type, each in the order in which it came. */
interface Table {
  readonly entries: Map<string, Entry>
  readonly byNamespace: Map<string, Map<string, Entry>>
  /** What `list` answered last, until something changes. */
  listed: Map<string | undefined, readonly KubeObject[]>
}

/**
 * A small API server: objects by apiVersion group, kind, namespace and name; optimistic updates; one ordered stream of
 * changes. resourceVersions count up from 1, so the same input gives the same numbers.
 */
export class ObjectStore implements ObjectReader {
  readonly #tables = new Map<string, Table>()
  readonly #log: WatchEvent[] = []
  readonly #watchers = new Set<{ next: number; readonly listener: (event: WatchEvent) => void }>()
  #delivering = false

  /** The resourceVersion of the last change; `'0'` before the first. */
  get resourceVersion(): string {
    return String(this.#log.length)
  }

  /** Stores a new object, and gives it back with its resourceVersion. Throws AlreadyExistsError. */
  create<T extends KubeObject>(object: T, source?: Source): T {
    if (this.#find(object)) throw new AlreadyExistsError(`${describe(object)} already exists`)
    return this.#store('ADDED', object, source)
  }

  /**
   * Replaces an object. Throws ConflictError when `object` carries a resourceVersion that is no longer the stored one, and
   * NotFoundError when there is none to replace. An update that changes nothing is no change: no event, no new version.
   */
  update<T extends KubeObject>(object: T): T {
    const found = this.#find(object)
    if (!found) throw new NotFoundError(`${describe(object)} does not exist`)
    const { resourceVersion } = object.metadata
    const stored = found.object.metadata.resourceVersion
    if (resourceVersion !== undefined && resourceVersion !== stored) {
      throw new ConflictError(`${describe(object)} is at resourceVersion ${stored}, not ${resourceVersion}`)
    }
    if (isDeepStrictEqual(withVersion(object, stored ?? ''), found.object)) return found.object as T
    return this.#store('MODIFIED', object, found.source)
  }

  /** Creates or replaces, whatever version is stored: what `kubectl apply` of a whole object does. */
  apply<T extends KubeObject>(object: T): T {
    const found = this.#find(object)
    return found ? this.update(withVersion(object, found.object.metadata.resourceVersion ?? '')) : this.create(object)
  }

  /** Takes an object away, and gives back what was there. Throws NotFoundError. */
  delete(target: KubeObject | ObjectRef): KubeObject {
    const found = this.#find(target)
    if (!found) throw new NotFoundError(`${describe(target)} does not exist`)
    const { object } = found
    const [namespace, name] = placeOf(object)
    const table = this.#table(resourceKey(object))
    table.entries.delete(`${namespace}/${name}`)
    table.byNamespace.get(namespace)?.delete(name)
    table.listed = new Map()
    this.#record('DELETED', object)
    return object
  }

  /** Without a namespace, a namespaced kind is looked for in `default`. */
  get<K extends KnownKind>(kind: K, name: string, namespace?: string): ObjectOf<K> | undefined {
    return this.#find({ kind, name, ...(namespace === undefined ? {} : { namespace }) })?.object as
      | ObjectOf<K>
      | undefined
  }

  list<K extends KnownKind>(kind: K, query: ListQuery = {}): readonly ObjectOf<K>[] {
    return this.listAll(kind, query) as readonly KubeObject[] as readonly ObjectOf<K>[]
  }

  listAll(kind: string, query: ListQuery = {}): readonly KubeObject[] {
    const keys = this.#keysFor(kind)
    const [only] = keys
    const objects =
      keys.length === 1 && only !== undefined
        ? this.#listed(only, query.namespace)
        : keys.flatMap((key) => this.#listed(key, query.namespace))
    return filtered(objects, query)
  }

  /** Resource types that hold objects, with their number: `Pod`, `IPPool.crd.projectcalico.org`. */
  counts(): ReadonlyMap<string, number> {
    return new Map([...this.#tables].map(([key, table]) => [key, table.entries.size] as const).filter(([, n]) => n > 0))
  }

  sourceOf(object: KubeObject | ObjectRef): Source | undefined {
    return this.#find(object)?.source
  }

  /**
   * Tells every later change in order, once each; a change that a listener makes is told after the one at hand. Gives back
   * the function that ends it.
   */
  watch(listener: (event: WatchEvent) => void, options: WatchOptions = {}): () => void {
    const watcher = { next: options.since === undefined ? this.#log.length : Number(options.since), listener }
    this.#watchers.add(watcher)
    this.#deliver()
    return () => {
      this.#watchers.delete(watcher)
    }
  }

  #store<T extends KubeObject>(type: 'ADDED' | 'MODIFIED', object: T, source: Source | undefined): T {
    const stored = withVersion(object, String(this.#log.length + 1))
    const [namespace, name] = placeOf(stored)
    const table = this.#table(resourceKey(stored))
    const entry = { object: stored, source }
    table.entries.set(`${namespace}/${name}`, entry)
    const inNamespace = table.byNamespace.get(namespace)
    if (inNamespace) inNamespace.set(name, entry)
    else table.byNamespace.set(namespace, new Map([[name, entry]]))
    table.listed = new Map()
    this.#record(type, stored)
    return stored
  }

  #record(type: WatchEvent['type'], object: KubeObject): void {
    this.#log.push({ type, object, resourceVersion: String(this.#log.length + 1) })
    this.#deliver()
  }

  #deliver(): void {
    if (this.#delivering) return
    this.#delivering = true
    try {
      for (let behind = true; behind; ) {
        behind = false
        for (const watcher of this.#watchers) {
          const event = this.#log[watcher.next]
          if (event === undefined) continue
          watcher.next++
          behind = true
          watcher.listener(event)
        }
      }
    } finally {
      this.#delivering = false
    }
  }

  #table(key: string): Table {
    const found = this.#tables.get(key)
    if (found) return found
    const table: Table = { entries: new Map(), byNamespace: new Map(), listed: new Map() }
    this.#tables.set(key, table)
    return table
  }

  #keysFor(kind: string): readonly string[] {
    if (isKnownKind(kind) || this.#tables.has(kind)) return [kind]
    return [...this.#tables.keys()].filter((key) => key.startsWith(`${kind}.`))
  }

  #find(target: KubeObject | ObjectRef): Entry | undefined {
    const [namespace, name] = placeOf(target)
    const keys = 'metadata' in target ? [resourceKey(target)] : this.#keysFor(target.kind)
    for (const key of keys) {
      const entry = this.#tables.get(key)?.byNamespace.get(namespace)?.get(name)
      if (entry) return entry
    }
    return undefined
  }

  #listed(key: string, namespace: string | undefined): readonly KubeObject[] {
    const table = this.#tables.get(key)
    if (!table) return []
    const before = table.listed.get(namespace)
    if (before) return before
    const entries = namespace === undefined ? table.entries : (table.byNamespace.get(namespace) ?? new Map())
    const objects = Array.from(entries.values() as Iterable<Entry>, (entry) => entry.object)
    table.listed.set(namespace, objects)
    return objects
  }
}

function filtered(objects: readonly KubeObject[], query: ListQuery): readonly KubeObject[] {
  const labels = query.labelSelector ? parseLabelSelector(query.labelSelector) : undefined
  if (labels?.ok === false) throw new SelectorSyntaxError(query.labelSelector ?? '', labels.error)
  const fields = query.fieldSelector ? parseFieldSelector(query.fieldSelector) : undefined
  if (fields?.ok === false) throw new SelectorSyntaxError(query.fieldSelector ?? '', fields.error)
  if (!labels && !fields) return objects
  return objects.filter(
    (o) =>
      (!labels || matchesRequirements(labels.requirements, o.metadata.labels)) &&
      (!fields || matchesFields(fields.requirements, o)),
  )
}

/** Namespace and name; the namespace is empty for cluster-scoped objects. */
function placeOf(target: KubeObject | ObjectRef): readonly [namespace: string, name: string] {
  const { name, namespace } = 'metadata' in target ? target.metadata : target
  const scoped = scopeOf(target)
  if (scoped === undefined) return [namespace ?? '', name]
  return [scoped ? (namespace ?? 'default') : '', name]
}

function scopeOf(target: KubeObject | ObjectRef): boolean | undefined {
  if ('metadata' in target) return isNamespaced(target.apiVersion, target.kind)
  const known = isKnownKind(target.kind) ? knownResources[target.kind] : findResource(target.kind)
  return known?.namespaced
}

const withVersion = <T extends KubeObject>(object: T, resourceVersion: string): T => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion },
})

function describe(target: KubeObject | ObjectRef): string {
  const [namespace, name] = placeOf(target)
  const kind = 'metadata' in target ? resourceKey(target) : target.kind
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`
}
