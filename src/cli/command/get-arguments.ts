import type { Argv } from '../argv.ts'
import { type CommonArguments, type Raw, text, texts } from '../common-arguments.ts'

export interface GetArguments extends CommonArguments {
  readonly command: 'get'
  readonly resources: readonly string[]
  readonly allNamespaces: boolean
  readonly selector: string | undefined
  readonly fieldSelector: string | undefined
  readonly showLabels: boolean
  readonly noHeaders: boolean
}

export const getUsage = ['get <resources..>', 'objects as the store holds them, in kubectl columns'] as const

export const getOptions = (y: Argv) =>
  y
    .positional('resources', {
      type: 'string',
      array: true,
      describe: 'KIND [NAME...], KIND/NAME, KIND,KIND or all',
      demandOption: true,
    })
    .option('all-namespaces', { alias: 'A', type: 'boolean', default: false, describe: 'of all namespaces' })
    .option('selector', { alias: 'l', type: 'string', describe: 'label selector' })
    .option('field-selector', { type: 'string', describe: 'field selector' })
    .option('show-labels', { type: 'boolean', default: false, describe: 'a column with labels' })
    .option('no-headers', { type: 'boolean', default: false, describe: 'rows only' })

export const getArguments = (args: Raw, common: CommonArguments): GetArguments => ({
  ...common,
  command: 'get',
  resources: texts(args.resources),
  allNamespaces: args.allNamespaces === true,
  selector: text(args.selector),
  fieldSelector: text(args.fieldSelector),
  showLabels: args.showLabels === true,
  noHeaders: args.noHeaders === true,
})
