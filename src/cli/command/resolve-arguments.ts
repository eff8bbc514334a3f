import type { Argv } from '../argv.ts'
import { type CommonArguments, type Raw, text } from '../common-arguments.ts'

export interface ResolveArguments extends CommonArguments {
  readonly command: 'resolve'
  readonly name: string
  readonly from: string | undefined
  readonly type: string | undefined
}

export const resolveUsage = ['resolve <name>', 'what DNS answers, and every name tried on the way'] as const

export const resolveOptions = (y: Argv) =>
  y
    .positional('name', { type: 'string', describe: 'as an application would write it', demandOption: true })
    .option('from', { type: 'string', describe: 'pod/NAME[.NS], or a workload: whose resolver asks' })
    .option('type', { type: 'string', describe: 'A, AAAA, SRV or CNAME (default: A and AAAA)' })

export const resolveArguments = (args: Raw, common: CommonArguments): ResolveArguments => ({
  ...common,
  command: 'resolve',
  name: text(args.name) ?? '',
  from: text(args.from),
  type: text(args.type),
})
