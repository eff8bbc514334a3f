import type { Io } from '../../src/cli/io.ts'
import { run } from '../../src/cli/run.ts'

export interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** Files by path; a path that ends in `/` is an empty directory. `-` is standard input. */
export type Files = Readonly<Record<string, string | Uint8Array>>

/** Runs the program on files in memory. */
export async function runWith(files: Files, argv: readonly string[], more: Partial<Io> = {}): Promise<Ran> {
  let out = ''
  let err = ''
  const isBelow = (path: string) => (name: string) => name.startsWith(`${path.replace(/\/$/, '')}/`)
  const status = await run(argv, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    files: {
      kindOf: (path) => (path in files ? 'file' : Object.keys(files).some(isBelow(path)) ? 'directory' : undefined),
      namesIn: (path) => {
        const names = Object.keys(files).filter(isBelow(path))
        return [...new Set(names.map((n) => n.slice(path.replace(/\/$/, '').length + 1).split('/')[0] ?? ''))].filter(
          (n) => n !== '',
        )
      },
      read: (path) => files[path] ?? '',
      readStandardInput: () => files['-'] ?? '',
    },
    env: {},
    outIsTerminal: false,
    ...more,
  })
  return { status, out, err }
}
