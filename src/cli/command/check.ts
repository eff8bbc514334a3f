import type { Expectation } from '../../kube/objects/kubehop.ts'
import { checkExpectation, type ExpectationResult } from '../../trace/expectation.ts'
import { paintFor } from '../../view/paint.ts'
import type { Command } from '../arguments.ts'
import type { ExitCode, Io } from '../io.ts'
import { loadCluster } from '../load.ts'
import { textOptions } from '../terminal.ts'

type CheckCommand = Extract<Command, { command: 'check' }>

export function runCheck(args: CheckCommand, io: Io): ExitCode {
  if (args.output !== undefined && args.output !== 'text') {
    io.err(`kubehop: -o ${args.output}: expected text\n`)
    return 2
  }
  const cluster = loadCluster([...args.filename, ...args.paths], args, io)
  if (!cluster) return 2
  const expectations = cluster.objects.list('Expectation')
  if (expectations.length === 0) {
    io.err('kubehop: the input has no Expectation (apiVersion: kubehop.dev/v1alpha1)\n')
    return 2
  }
  const results = expectations.flatMap((e) =>
    e.spec.expect.map((expected) =>
      checkExpectation(cluster, expected, { namespace: namespaceOf(e, args), seed: args.seed }),
    ),
  )
  io.out(formatResults(results, args, io))
  return results.some((r) => r.differences.length > 0) ? 1 : 0
}

const namespaceOf = (e: Expectation, args: CheckCommand): string => e.metadata.namespace ?? args.namespace

function formatResults(results: readonly ExpectationResult[], args: CheckCommand, io: Io): string {
  const { colour, symbols } = textOptions(args, io)
  const paint = paintFor(colour)
  const lines = results.flatMap((r) =>
    r.differences.length === 0
      ? args.quiet
        ? []
        : [`${paint.good(symbols.yes)} ${r.name}`]
      : [
          `${paint.bad(symbols.no)} ${r.name}`,
          `    ${r.expected.from} -> ${r.expected.to}`,
          ...r.differences.map((d) => `    ${d}`),
        ],
  )
  const failed = results.filter((r) => r.differences.length > 0).length
  return `${[...lines, `${results.length - failed} hold, ${failed} fail`].join('\n')}\n`
}
