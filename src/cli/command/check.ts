import { type Checked, checkAll, holds } from '../../trace/check.ts'
import { formatGithub } from '../../view/check/github.ts'
import { formatCheckJson } from '../../view/check/json.ts'
import { formatJunit } from '../../view/check/junit.ts'
import { formatCheck } from '../../view/check/text.ts'
import type { ExitCode, Io } from '../io.ts'
import { loadCluster } from '../load.ts'
import { textOptions } from '../terminal.ts'
import type { CheckArguments } from './check-arguments.ts'

const formats = ['text', 'json', 'junit', 'github'] as const

export function runCheck(args: CheckArguments, io: Io): ExitCode {
  if (args.output !== undefined && !formats.some((f) => f === args.output)) {
    io.err(`kubehop: -o ${args.output}: expected one of ${formats.join(', ')}\n`)
    return 2
  }
  const cluster = loadCluster([...args.filename, ...args.paths], args, io)
  if (!cluster) return 2
  const results = checkAll(cluster, args)
  if (results.length === 0) {
    io.err('kubehop: the input has no Expectation (apiVersion: kubehop.dev/v1alpha1)\n')
    return 2
  }
  io.out(format(results, args, io))
  return results.every(holds) ? 0 : 1
}

function format(results: readonly Checked[], args: CheckArguments, io: Io): string {
  switch (args.output) {
    case 'json':
      return formatCheckJson(results)
    case 'junit':
      return formatJunit(results)
    case 'github':
      return formatGithub(results)
    default:
      return formatCheck(results, textOptions(args, io), args.quiet)
  }
}
