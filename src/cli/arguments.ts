import { type Argv, newParser } from './argv.ts'
import { type BenchArguments, benchArguments, benchOptions, benchUsage } from './command/bench-arguments.ts'
import { type CheckArguments, checkArguments, checkOptions, checkUsage } from './command/check-arguments.ts'
import { type GetArguments, getArguments, getOptions, getUsage } from './command/get-arguments.ts'
import { type LabArguments, labArguments, labOptions, labUsage } from './command/lab-arguments.ts'
import { type LintArguments, lintArguments, lintOptions, lintUsage } from './command/lint-arguments.ts'
import { type MatrixArguments, matrixArguments, matrixOptions, matrixUsage } from './command/matrix-arguments.ts'
import { type PolicyArguments, policyArguments, policyOptions, policyUsage } from './command/policy-arguments.ts'
import { type ResolveArguments, resolveArguments, resolveOptions, resolveUsage } from './command/resolve-arguments.ts'
import { type ShowArguments, showArguments, showOptions, showUsage } from './command/show-arguments.ts'
import { type TraceArguments, traceArguments, traceOptions, traceUsage } from './command/trace-arguments.ts'
import { commonArguments, commonOptions, type Raw } from './common-arguments.ts'
import { version } from './version.ts'

export type Command =
  | TraceArguments
  | PolicyArguments
  | MatrixArguments
  | GetArguments
  | ShowArguments
  | ResolveArguments
  | CheckArguments
  | LintArguments
  | LabArguments
  | BenchArguments

export type ParsedArguments =
  | { readonly kind: 'command'; readonly command: Command }
  /** Help, version or a completion script: text for standard output. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'version'; readonly verbose: boolean }
  | { readonly kind: 'usage'; readonly message: string }

function parser(): Argv {
  const commands = newParser()
    .scriptName('kubehop')
    .usage(
      '$0 COMMAND -f MANIFESTS\n\nWhat happens to this packet? Follows packets through a Kubernetes cluster, offline.',
    )
    .command(...traceUsage, traceOptions)
    .command(...policyUsage, policyOptions)
    .command(...matrixUsage, matrixOptions)
    .command(...getUsage, getOptions)
    .command(...showUsage, showOptions)
    .command(...resolveUsage, resolveOptions)
    .command(...checkUsage, checkOptions)
    .command(...lintUsage, lintOptions)
    .command(...labUsage, labOptions)
    .command(...benchUsage, benchOptions)
  return commonOptions(commands)
    .completion('completion', 'print a completion script for bash or zsh')
    .strict()
    .demandCommand(1, 'a command is missing')
    .help()
    .alias('help', 'h')
    .version(version)
    .wrap(Math.min(120, process.stdout.columns ?? 100))
}

/** Turns the words after the program's name into a command, or into what to print instead. */
export async function parseArguments(argv: readonly string[]): Promise<ParsedArguments> {
  if (argv.includes('--version') && !argv.includes('--'))
    return { kind: 'version', verbose: argv.some((a) => a === '-v' || a === '--verbose' || a === '-vv') }
  let failure: string | undefined
  let printed = ''
  const args = await parser()
    .fail((message, error) => {
      failure = message ?? error?.message ?? 'wrong arguments'
    })
    .parseAsync(withStandardInput(argv), {}, (_error, _argv, output) => {
      printed = output
    })
  if (failure !== undefined) return { kind: 'usage', message: failure }
  if (printed !== '') return { kind: 'text', text: printed.endsWith('\n') ? printed : `${printed}\n` }
  return toCommand(args as Readonly<Record<string, unknown>> & { readonly _: readonly (string | number)[] })
}

/** yargs takes a lone `-` after an option for a missing value. */
const withStandardInput = (argv: readonly string[]): string[] =>
  argv.flatMap((word, i) => {
    if (word === '-' && ['-f', '--filename'].includes(argv[i - 1] ?? '')) return []
    return argv[i + 1] === '-' && ['-f', '--filename'].includes(word) ? ['--filename=-'] : [word]
  })

function toCommand(args: Raw): ParsedArguments {
  const numbers = ['seed', 'srcPort', 'toPort', 'ttl', 'size', 'random', 'clusters'].filter(
    // `trace --size` is a list, and text.
    (k) => typeof args[k] === 'number' && !Number.isInteger(args[k]),
  )
  const [wrong] = numbers
  if (wrong !== undefined) return { kind: 'usage', message: `--${wrong.replace('Port', '-port')} takes a whole number` }
  const command = commandOf(args)
  return command
    ? { kind: 'command', command }
    : { kind: 'usage', message: `no command is called ${String(args._[0] ?? '')}` }
}

function commandOf(args: Raw): Command | undefined {
  const common = commonArguments(args)
  switch (args._[0]) {
    case 'trace':
      return traceArguments(args, common)
    case 'policy':
      return policyArguments(args, common)
    case 'matrix':
      return matrixArguments(args, common)
    case 'get':
      return getArguments(args, common)
    case 'show':
      return showArguments(args, common)
    case 'resolve':
      return resolveArguments(args, common)
    case 'check':
      return checkArguments(args, common)
    case 'lint':
      return lintArguments(args, common)
    case 'lab':
      return labArguments(args, common)
    case 'bench':
      return benchArguments(args, common)
    default:
      return undefined
  }
}
