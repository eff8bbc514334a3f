import type { Argv } from '../argv.ts'
import { type CommonArguments, type Raw, text } from '../common-arguments.ts'

export interface BenchArguments extends CommonArguments {
  readonly command: 'bench'
  /** Numbers and words, comma-separated as written. */
  readonly services: string
  readonly endpoints: string
  readonly modes: string
  readonly position: string
  readonly kernel: boolean
}

export const benchUsage = ['bench <what>', 'what a look-up costs as Services become more'] as const

export const benchOptions = (y: Argv) =>
  y
    .positional('what', {
      type: 'string',
      choices: ['lookup'] as const,
      describe: 'lookup: new connections through one node of a synthetic cluster',
      demandOption: true,
    })
    .option('services', { type: 'string', default: '100,1000,5000,10000', describe: 'numbers of Services' })
    .option('endpoints', { type: 'string', default: '2', describe: 'endpoints of each' })
    .option('modes', { type: 'string', default: 'iptables,ipvs,nftables', describe: "kube-proxy's modes" })
    .option('position', { type: 'string', default: 'last,random', describe: 'first, middle, last or random Service' })
    .option('kernel', {
      type: 'boolean',
      default: false,
      describe: 'measure the running kernel beside, in namespaces of its own',
    })
    .example('$0 bench lookup --modes iptables,nftables -o svg', 'a plot of time against Services')

export const benchArguments = (args: Raw, common: CommonArguments): BenchArguments => ({
  ...common,
  command: 'bench',
  services: text(args.services) ?? '',
  endpoints: text(args.endpoints) ?? '',
  modes: text(args.modes) ?? '',
  position: text(args.position) ?? '',
  kernel: args.kernel === true,
})
