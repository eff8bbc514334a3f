import { checkObjects } from './check/check.ts'
import { checkNames } from './check/name-check.ts'
import { refTo } from './check/report.ts'
import { resourceKey } from './kinds.ts'
import { type Problem, problem } from './problem.ts'
import { type Loaded, type ManifestFile, type ReadResult, readManifests } from './read.ts'
import { type ClusterSettings, clusterSettings } from './settings.ts'
import type { Source } from './source.ts'
import { ObjectStore } from './store.ts'

export interface LoadOptions {
  /** For namespaced objects that name none. Default `default`. */
  readonly namespace?: string
  /** What the command line says in place of the objects. */
  readonly settings?: Partial<ClusterSettings>
  /** Applied over the files: an object of the same kind, namespace and name is replaced. */
  readonly applied?: readonly ManifestFile[]
}

export interface LoadResult {
  readonly store: ObjectStore
  readonly settings: ClusterSettings
  /** All of them: of files, documents, fields, and of objects among each other. */
  readonly problems: readonly Problem[]
  /** Kinds that are not read, with their number. */
  readonly ignored: ReadonlyMap<string, number>
}

/** From files to a store that has been checked. Where a problem is an error, the store is incomplete. */
export function loadManifests(files: readonly ManifestFile[], options: LoadOptions = {}): LoadResult {
  const { namespace = 'default', settings: flags = {}, applied = [] } = options
  const read = readManifests(files, { namespace })
  const later = readManifests(applied, { namespace })
  const store = loadStore(applyOver(read.objects, later.objects))
  const { settings, stated, problems: settingProblems } = clusterSettings(store, flags)
  const checkProblems = checkObjects(store, settings, stated)
  return {
    store,
    settings,
    problems: [
      ...[...read.problems, ...later.problems],
      ...[read, later].flatMap((r) => [...duplicates(r.named), ...faultyNames(r)]),
      ...[...settingProblems, ...checkProblems],
    ],
    ignored: read.ignored,
  }
}

/** `kubectl apply` of whole objects: those that have a namesake take its place, the rest follow. */
function applyOver(objects: readonly Loaded[], applied: readonly Loaded[]): readonly Loaded[] {
  const key = ({ object }: Loaded): string => JSON.stringify(refTo(object))
  const newer = new Map(applied.map((a) => [key(a), a]))
  const known = new Set(objects.map(key))
  return [...objects.map((o) => newer.get(key(o)) ?? o), ...applied.filter((a) => !known.has(key(a)))]
}

/** Of two with one name, the first. */
function loadStore(objects: readonly Loaded[]): ObjectStore {
  const store = new ObjectStore()
  for (const { object, source } of objects) if (!store.sourceOf(object)) store.create(object, source)
  return store
}

/** A problem for each object with the name of an earlier one; it names both places. */
function duplicates(objects: readonly Loaded[]): readonly Problem[] {
  const known = new Map<string, Source>()
  return objects.flatMap(({ object, source }) => {
    const { name, namespace = '' } = object.metadata
    // A document without a name, such as a kubeadm configuration, is nobody's double.
    if (name === '') return []
    const key = `${resourceKey(object)} ${namespace}/${name}`
    const first = known.get(key)
    if (!first) {
      known.set(key, source)
      return []
    }
    const at = { file: source.file, line: source.line }
    const args = { first: { file: first.file, line: first.line } }
    return [problem('DUPLICATE_OBJECT', { at, object: refTo(object) }, args)]
  })
}

/** The names of objects that failed their schema, and so are in no store. */
function faultyNames({ objects, named }: ReadResult): readonly Problem[] {
  const whole = new Set(objects)
  const problems: Problem[] = []
  for (const loaded of named) {
    if (whole.has(loaded)) continue
    checkNames({ objects: { sourceOf: () => loaded.source }, problems }, loaded.object)
  }
  return problems
}
