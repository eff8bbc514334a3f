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
  const { namespace = 'default', settings: flags = {} } = options
  const { objects, problems: readProblems, ignored } = readManifests(files, { namespace })
  const { store, problems: storeProblems } = loadStore(objects)
  const { settings, stated, problems: settingProblems } = clusterSettings(store, flags)
  const checkProblems = checkObjects(store, settings, stated)
  return {
    store,
    settings,
    problems: [...readProblems, ...storeProblems, ...settingProblems, ...checkProblems],
    ignored,
  }
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
