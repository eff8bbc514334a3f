import type { Command } from '../arguments.ts'
import type { ExitCode, Io } from '../io.ts'

export function runMatrix(_args: Extract<Command, { command: 'matrix' }>, io: Io): ExitCode {
  io.err('kubehop: not yet\n')
  return 2
}
