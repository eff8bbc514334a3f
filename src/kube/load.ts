import { checkObjects } from './check/check.ts'
import { refTo } from './check/report.ts'
import { type Problem, problem } from './problem.ts'
import { type Loaded, type ManifestFile, readManifests } from './read.ts'
import { type ClusterSettings, clusterSettings } from './settings.ts'
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
  const { objects, problems: readProblems, ignored } = readManifests(files, { namespace })
  const later = readManifests(applied, { namespace })
  const { store, problems: storeProblems } = loadStore(applyOver(objects, later.objects))
  const { settings, stated, problems: settingProblems } = clusterSettings(store, flags)
  const checkProblems = checkObjects(store, settings, stated)
  return {
    store,
    settings,
    problems: [...readProblems, ...later.problems, ...storeProblems, ...settingProblems, ...checkProblems],
    ignored,
  }
}

/** `kubectl apply` of whole objects: those that have a namesake take its place, the rest follow. */
function applyOver(objects: readonly Loaded[], applied: readonly Loaded[]): readonly Loaded[] {
  const key = ({ object }: Loaded): string => JSON.stringify(refTo(object))
  const newer = new Map(applied.map((a) => [key(a), a]))
  const known = new Set(objects.map(key))
  return [...objects.map((o) => newer.get(key(o)) ?? o), ...applied.filter((a) => !known.has(key(a)))]
}

/** Objects in a store; of two with one name, the first, and a problem that names both places. */
export function loadStore(objects: readonly Loaded[]): {
  readonly store: ObjectStore
  readonly problems: readonly Problem[]
} {
  const store = new ObjectStore()
  const problems: Problem[] = []
  for (const { object, source } of objects) {
    const first = store.sourceOf(object)
    if (!first) {
      store.create(object, source)
      continue
    }
    // A document without a name, such as a kubeadm configuration, is nobody's double.
    if (object.metadata.name === '') continue
    const at = { file: source.file, line: source.line }
    const args = { first: { file: first.file, line: first.line } }
    problems.push(problem('DUPLICATE_OBJECT', { at, object: refTo(object) }, args))
  }
  return { store, problems }
}
