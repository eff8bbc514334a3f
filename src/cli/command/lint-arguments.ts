import type { Argv } from '../argv.ts'
import { type CommonArguments, type Raw, texts } from '../common-arguments.ts'

export interface LintArguments extends CommonArguments {
  readonly command: 'lint'
  readonly paths: readonly string[]
}

export const lintUsage = [
  'lint [paths..]',
  'what is wrong without a packet: Services, policies, sysctls, MTU, ports',
] as const

export const lintOptions = (y: Argv) =>
  y
    .positional('paths', { type: 'string', array: true, describe: 'manifests, beside those of -f', default: [] })
    .example('$0 lint manifests/', 'exits with 1 where something is found')
    .example('$0 lint manifests/ -o sarif', 'for code scanning')

export const lintArguments = (args: Raw, common: CommonArguments): LintArguments => ({
  ...common,
  command: 'lint',
  paths: texts(args.paths),
})
