import type { Argv } from '../argv.ts'
import { type CommonArguments, type Raw, texts } from '../common-arguments.ts'

export interface CheckArguments extends CommonArguments {
  readonly command: 'check'
  readonly paths: readonly string[]
}

export const checkUsage = ['check [paths..]', 'run the Expectations in files and directories'] as const

export const checkOptions = (y: Argv) =>
  y.positional('paths', { type: 'string', array: true, describe: 'manifests with Expectations', default: [] })

export const checkArguments = (args: Raw, common: CommonArguments): CheckArguments => ({
  ...common,
  command: 'check',
  paths: texts(args.paths),
})
