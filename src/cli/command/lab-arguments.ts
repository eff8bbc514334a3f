import { type LabKernel, labKernels } from '../../lab/session.ts'
import type { Argv } from '../argv.ts'
import { type CommonArguments, number, type Raw, text } from '../common-arguments.ts'

export interface LabArguments extends CommonArguments {
  readonly command: 'lab'
  readonly action: 'script' | 'verify'
  readonly from: string | undefined
  readonly to: string | undefined
  readonly protocol: string | undefined
  readonly ttl: number | undefined
  /** Bytes of the whole packet. */
  readonly size: number | undefined
  readonly fragment: boolean
  readonly kernel: LabKernel
  readonly random: number | undefined
  readonly clusters: number | undefined
  readonly run: string
  readonly remove: boolean
}

export const labUsage = [
  'lab <action> [from] [to]',
  'the cluster as real network namespaces: printed, or built and probed',
] as const

export const labOptions = (y: Argv) =>
  y
    .positional('action', {
      type: 'string',
      choices: ['script', 'verify'] as const,
      describe: 'script: print a shell script that builds it; verify: build it, send packets, compare',
      demandOption: true,
    })
    .positional('from', { type: 'string', describe: 'as for trace (verify; default: the Expectations)' })
    .positional('to', { type: 'string', describe: 'as for trace' })
    .option('protocol', { type: 'string', describe: 'tcp, udp or icmp' })
    .option('ttl', { type: 'number', describe: 'TTL that the packet starts with' })
    .option('size', { type: 'number', describe: 'bytes of the whole packet (udp, icmp)' })
    .option('fragment', { type: 'boolean', default: false, describe: "without Don't Fragment" })
    .option('kernel', {
      type: 'string',
      choices: labKernels,
      default: 'running' as const,
      describe: 'verify on the running kernel, or in user-mode Linux, which has IPVS, IPIP and dummy devices',
    })
    .option('random', { type: 'number', describe: 'so many random probes, by the seed' })
    .option('clusters', { type: 'number', describe: 'in so many random clusters, in place of the input' })
    .option('run', { type: 'string', default: 'lab', describe: 'part of every namespace name (script)' })
    .option('remove', { type: 'boolean', default: false, describe: 'print the script that removes it' })

export const labArguments = (args: Raw, common: CommonArguments): LabArguments => ({
  ...common,
  command: 'lab',
  action: args.action === 'verify' ? 'verify' : 'script',
  from: text(args.from),
  to: text(args.to),
  protocol: text(args.protocol),
  ttl: number(args.ttl),
  size: number(args.size),
  fragment: args.fragment === true,
  kernel: args.kernel === 'uml' ? 'uml' : 'running',
  random: number(args.random),
  clusters: number(args.clusters),
  run: text(args.run) ?? 'lab',
  remove: args.remove === true,
})
