import { type Command, parseArguments } from './arguments.ts'
import { runBench } from './command/bench.ts'
import { runCheck } from './command/check.ts'
import { runGet } from './command/get.ts'
import { runLab } from './command/lab.ts'
import { runLint } from './command/lint.ts'
import { runMatrix } from './command/matrix.ts'
import { runPolicy } from './command/policy.ts'
import { runResolve } from './command/resolve.ts'
import { runShow } from './command/show.ts'
import { runTrace } from './command/trace.ts'
import type { ExitCode, Io } from './io.ts'
import { baselines, version } from './version.ts'

/** The whole program: words in, text and an exit status out. Our own bugs end in one line too; KUBEHOP_DEBUG shows where. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  try {
    return await runCommand(argv, io)
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    io.err(`kubehop: internal error: ${what}; this is a bug in kubehop, please report it with your input\n`)
    if (io.env.KUBEHOP_DEBUG && error instanceof Error) io.err(`${error.stack ?? ''}\n`)
    return 2
  }
}

async function runCommand(argv: readonly string[], io: Io): Promise<ExitCode> {
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

function dispatch(command: Command, io: Io): ExitCode | Promise<ExitCode> {
  switch (command.command) {
    case 'trace':
      return runTrace(command, io)
    case 'policy':
      return runPolicy(command, io)
    case 'matrix':
      return runMatrix(command, io)
    case 'get':
      return runGet(command, io)
    case 'show':
      return runShow(command, io)
    case 'resolve':
      return runResolve(command, io)
    case 'bench':
      return runBench(command, io)
    case 'check':
      return runCheck(command, io)
    case 'lint':
      return runLint(command, io)
    case 'lab':
      return runLab(command, io)
  }
}
