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
}

/** What `-f` names: files; directories with everything below them; `-`. In order, directories sorted by name; no file twice. */
export function expandPaths(paths: readonly string[], access: FileAccess): ExpandedPaths {
  const files = new Map<string, ManifestFile>()
  const problems: Problem[] = []
  for (const path of paths) {
    if (path === '-') take('-', () => access.readStandardInput(), files, problems)
    else if (access.kindOf(path) === 'directory') takeDirectory(path, access, files, problems)
    else takeFile(path, access, files, problems)
  }
  return { files: [...files.values()], problems }
}

function takeDirectory(path: string, access: FileAccess, files: Map<string, ManifestFile>, problems: Problem[]): void {
  const found = manifestsBelow(path, access, 0)
  if (found.length === 0) problems.push(problem('NO_MANIFESTS', { at: { file: path } }, {}))
  for (const file of found) takeFile(file, access, files, problems)
}

/** A subdirectory of this name holds changes to what is beside it, to be applied over it (`--apply`): no part of the whole. */
const changes = 'fix'

// A link to a parent directory would go round for ever.
const maxDirectoryDepth = 20

function manifestsBelow(directory: string, access: FileAccess, depth: number): readonly string[] {
  if (depth > maxDirectoryDepth) return []
  return access
    .namesIn(directory)
    .filter((name) => !name.startsWith('.') && name !== changes)
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
    .flatMap((name) => {
      const path = `${directory.replace(/[\\/]+$/, '')}/${name}`
      const kind = access.kindOf(path)
      if (kind === 'directory') return manifestsBelow(path, access, depth + 1)
      return kind === 'file' && /\.(ya?ml|json)$/i.test(name) ? [path] : []
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
