import type { Argv } from '../argv.ts'
import { type CommonArguments, number, type Raw, text, texts } from '../common-arguments.ts'

export interface PolicyArguments extends CommonArguments {
  readonly command: 'policy'
  /** One, or none, where `--from-labels` or `--to-labels` takes its place. */
  readonly ends: readonly string[]
  readonly protocol: string | undefined
  readonly fromLabels: string | undefined
  readonly fromNamespace: string | undefined
  readonly toLabels: string | undefined
  readonly toNamespace: string | undefined
  readonly toPort: number | undefined
}

export const policyUsage = ['policy [ends..]', 'which policies decide about a connection, and why: FROM TO'] as const

export const policyOptions = (y: Argv) =>
  y
    .positional('ends', { type: 'string', array: true, describe: 'FROM and TO, as in trace', default: [] })
    .option('protocol', { type: 'string', describe: 'tcp, udp, sctp or icmp (default: the port says, else tcp)' })
    .option('from-labels', { type: 'string', describe: 'labels of a pod that does not exist, in place of FROM' })
    .option('from-namespace', { type: 'string', describe: 'its namespace (default: that of -n)' })
    .option('to-labels', { type: 'string', describe: 'labels of a pod that does not exist, in place of TO' })
    .option('to-namespace', { type: 'string', describe: 'its namespace (default: that of -n)' })
    .option('to-port', { type: 'number', describe: 'the port of that pod' })
    .example('$0 policy deploy/frontend svc/cart:7070 -f shop.yaml', 'may the frontend open it, and by which rule')
    .example(
      '$0 policy --from-labels app=new --from-namespace shop svc/cart:7070 -f shop.yaml',
      'what would a pod that is not there yet reach',
    )

export const policyArguments = (args: Raw, common: CommonArguments): PolicyArguments => ({
  ...common,
  command: 'policy',
  ends: texts(args.ends),
  protocol: text(args.protocol),
  fromLabels: text(args.fromLabels),
  fromNamespace: text(args.fromNamespace),
  toLabels: text(args.toLabels),
  toNamespace: text(args.toNamespace),
  toPort: number(args.toPort),
})
