import { type Command, parseArguments } from './arguments.ts'
import { runCheck } from './command/check.ts'
import { runGet } from './command/get.ts'
import { runShow } from './command/show.ts'
import { runTrace } from './command/trace.ts'
import type { ExitCode, Io } from './io.ts'
import { baselines, version } from './version.ts'

/** The whole program: words in, text and an exit status out. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  const parsed = await parseArguments(argv)
  switch (parsed.kind) {
    case 'text':
      io.out(parsed.text)
      return 0
    case 'version':
      io.out(
        `kubehop ${version}\n${parsed.verbose ? baselines.map(([name, what]) => `  ${name.padEnd(14)} ${what}\n`).join('') : ''}`,
      )
      return 0
    case 'usage':
      io.err(`kubehop: ${parsed.message}\nkubehop: see kubehop --help\n`)
      return 2
    case 'command':
      return dispatch(parsed.command, io)
  }
}

function dispatch(command: Command, io: Io): ExitCode {
  switch (command.command) {
    case 'trace':
      return runTrace(command, io)
    case 'get':
      return runGet(command, io)
    case 'show':
      return runShow(command, io)
    case 'check':
      return runCheck(command, io)
  }
}
