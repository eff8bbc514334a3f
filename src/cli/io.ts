import type { FileAccess } from '../kube/files.ts'

/** All that a command knows of the process around it. */
export interface Io {
  /** Results: standard output. */
  readonly out: (text: string) => void
  /** Everything else: standard error. */
  readonly err: (text: string) => void
  /** A result that is no text. */
  readonly outBytes?: (bytes: Uint8Array) => void
  readonly files: FileAccess
  /** Makes the directories on the way as well. Throws where the system refuses. */
  readonly writeFile?: (path: string, bytes: Uint8Array) => void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly outIsTerminal: boolean
  readonly errIsTerminal?: boolean
  /** Milliseconds of a clock that only runs forward. */
  readonly now?: () => number
}

export type ExitCode = 0 | 1 | 2 | 3 | 4
