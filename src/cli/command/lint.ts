import type { Finding } from '../../trace/lint/finding.ts'
import { isFinding, lint } from '../../trace/lint/lint.ts'
import { formatLintJson } from '../../view/lint/json.ts'
import { formatSarif } from '../../view/lint/sarif.ts'
import { formatLint } from '../../view/lint/text.ts'
import type { ExitCode, Io } from '../io.ts'
import { loadForLint } from '../load.ts'
import { textOptions } from '../terminal.ts'
import { version } from '../version.ts'
import type { LintArguments } from './lint-arguments.ts'

const formats = ['text', 'json', 'sarif'] as const

/** 0 where nothing is found, 1 where something is, 2 where the input cannot be read. */
export function runLint(args: LintArguments, io: Io): ExitCode {
  const { output } = args
  if (output !== undefined && !formats.some((f) => f === output)) {
    io.err(`kubehop: -o ${output}: expected one of ${formats.join(', ')}\n`)
    return 2
  }
  const input = loadForLint([...args.filename, ...args.paths], isFinding, args, io)
  if (!input) return 2
  const all = lint(input)
  const findings = args.quiet ? all.filter((f) => f.level === 'error') : all
  io.out(format(findings, args, io))
  return findings.length === 0 ? 0 : 1
}

function format(findings: readonly Finding[], args: LintArguments, io: Io): string {
  switch (args.output) {
    case 'json':
      return formatLintJson(findings)
    case 'sarif':
      return formatSarif(findings, version)
    default:
      return formatLint(findings, textOptions(args, io))
  }
}
