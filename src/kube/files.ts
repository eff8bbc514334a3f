import { type Problem, problem } from './problem.ts'
import type { ManifestFile } from './read.ts'

/** The part of a file system that finding manifests needs. `path` is as people wrote it, for messages. */
export interface FileAccess {
  /** Undefined for a path that does not exist. */
  kindOf(path: string): 'file' | 'directory' | undefined
  /** Names in a directory, in any order. */
  namesIn(path: string): readonly string[]
  /** May throw an Error whose message says why not. */
  read(path: string): string | Uint8Array
  readStandardInput(): string | Uint8Array
}

export interface ExpandedPaths {
  readonly files: readonly ManifestFile[]
  readonly problems: readonly Problem[]
  /** Directories of changes that were met and not read. */
  readonly leftOut: readonly string[]
}

/** What `-f` names: files; directories with everything below them; `-`. In order, directories sorted by name; no file twice. */
export function expandPaths(paths: readonly string[], access: FileAccess): ExpandedPaths {
  const files = new Map<string, ManifestFile>()
  const problems: Problem[] = []
  const leftOut: string[] = []
  for (const path of paths) {
    if (path === '-') take('-', () => access.readStandardInput(), files, problems)
    else if (access.kindOf(path) === 'directory') leftOut.push(...takeDirectory(path, access, files, problems))
    else takeFile(path, access, files, problems)
  }
  const found = [...files.values()]
  const isNamed = (directory: string): boolean => found.some((f) => f.path.startsWith(`${directory}/`))
  return { files: found, problems, leftOut: [...new Set(leftOut)].filter((d) => !isNamed(d)) }
}

/** Gives back the directories that it left out. */
function takeDirectory(
  path: string,
  access: FileAccess,
  files: Map<string, ManifestFile>,
  problems: Problem[],
): readonly string[] {
  const leftOut: string[] = []
  const found = manifestsBelow(path, access, 0, leftOut)
  if (found.length === 0) problems.push(problem('NO_MANIFESTS', { at: { file: path } }, {}))
  for (const file of found) takeFile(file, access, files, problems)
  return leftOut
}

/** Beside manifests, a subdirectory of this name holds changes to be applied over them (`--apply`): no part of the whole. */
const changes = 'fix'

// A link to a parent directory would go round for ever.
const maxDirectoryDepth = 20

function manifestsBelow(directory: string, access: FileAccess, depth: number, leftOut: string[]): readonly string[] {
  if (depth > maxDirectoryDepth) return []
  const entries = access
    .namesIn(directory)
    .filter((name) => !name.startsWith('.'))
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    .map((name) => `${directory.replace(/[\\/]+$/, '')}/${name}`)
    .map((path) => ({ path, kind: access.kindOf(path) }))
  const isManifest = ({ path, kind }: (typeof entries)[number]): boolean =>
    kind === 'file' && /\.(ya?ml|json)$/i.test(path)
  const holdsManifests = entries.some(isManifest)
  return entries.flatMap((entry) => {
    if (entry.kind !== 'directory') return isManifest(entry) ? [entry.path] : []
    const isChange = holdsManifests && entry.path.endsWith(`/${changes}`)
    const below = manifestsBelow(entry.path, access, depth + 1, isChange ? [] : leftOut)
    if (!isChange) return below
    if (below.length > 0) leftOut.push(entry.path)
    return []
  })
}

function takeFile(path: string, access: FileAccess, files: Map<string, ManifestFile>, problems: Problem[]): void {
  if (access.kindOf(path) === undefined) {
    problems.push(problem('UNREADABLE_FILE', { at: { file: path } }, { reason: 'no such file or directory' }))
    return
  }
  take(path, () => access.read(path), files, problems)
}

function take(
  path: string,
  read: () => string | Uint8Array,
  files: Map<string, ManifestFile>,
  problems: Problem[],
): void {
  const key = path.replace(/^(\.\/)+/, '')
  if (files.has(key)) return
  try {
    files.set(key, { path, text: read() })
  } catch (e) {
    const reason = e instanceof Error ? e.message : String(e)
    problems.push(problem('UNREADABLE_FILE', { at: { file: path } }, { reason }))
  }
}
