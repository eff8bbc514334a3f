import type { Argv } from '../argv.ts'
import { type CommonArguments, type Raw, text, texts } from '../common-arguments.ts'

export interface MatrixArguments extends CommonArguments {
  readonly command: 'matrix'
  readonly group: 'pod' | 'workload' | 'namespace' | undefined
  readonly method: 'policy' | 'dataplane'
  readonly ports: string | undefined
  readonly protocol: string | undefined
  readonly outside: readonly string[]
  readonly fromSelector: string | undefined
  readonly toSelector: string | undefined
  readonly selector: string | undefined
  readonly allNamespaces: boolean
  readonly namespaceGiven: boolean
  readonly compare: readonly string[]
}

export const matrixUsage = ['matrix', 'who reaches whom'] as const

export const matrixOptions = (y: Argv) =>
  y
    .option('group', {
      type: 'string',
      choices: ['pod', 'workload', 'namespace'] as const,
      describe: 'what a row is (default: workload)',
    })
    .option('method', {
      type: 'string',
      choices: ['policy', 'dataplane'] as const,
      default: 'policy' as const,
      describe: 'what the policies mean, or every cell traced through the data plane',
    })
    .option('ports', {
      type: 'string',
      describe: 'such as 80,443/tcp,53/udp,dns (default: what the destination declares)',
    })
    .option('protocol', { type: 'string', describe: 'of ports that name none (default tcp)' })
    .option('outside', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [],
      describe: 'address or CIDR outside, or none; repeatable (default: external)',
    })
    .option('selector', { alias: 'l', type: 'string', describe: 'label selector of pods, both ways' })
    .option('from', { type: 'string', describe: 'label selector of the pods that open connections' })
    .option('to', { type: 'string', describe: 'label selector of the pods that take them' })
    .option('all-namespaces', { alias: 'A', type: 'boolean', default: false, describe: 'whatever -n says' })
    .option('compare', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [],
      describe: 'other manifests: tell what differs there; repeatable',
    })
    .example('$0 matrix -f shop.yaml', 'workloads against each other and the outside')
    .example('$0 matrix -f old/ --compare new/', 'what becomes reachable, and what unreachable')

export const matrixArguments = (args: Raw, common: CommonArguments): MatrixArguments => ({
  ...common,
  command: 'matrix',
  group: args.group === 'pod' || args.group === 'workload' || args.group === 'namespace' ? args.group : undefined,
  method: args.method === 'dataplane' ? 'dataplane' : 'policy',
  ports: text(args.ports),
  protocol: text(args.protocol),
  outside: texts(args.outside),
  fromSelector: text(args.from),
  toSelector: text(args.to),
  selector: text(args.selector),
  allNamespaces: args.allNamespaces === true,
  namespaceGiven: args.namespace !== undefined,
  compare: texts(args.compare),
})
