import { podNetworkKind } from '../../cni/calico/environment.ts'
import type { ObjectStore } from '../../kube/store.ts'
import type { Protocol } from '../../net/port.ts'
import { calicoPoliciesNotJudged } from '../../trace/calico-policy-note.ts'
import { type EndProblem, isEndProblem } from '../../trace/end.ts'
import type { Judge, Matrix } from '../../trace/matrix.ts'
import { compareMatrices } from '../../trace/matrix-compare.ts'
import { familyNotes } from '../../trace/matrix-families.ts'
import {
  dataplaneMatrix,
  type MatrixAxes,
  type MatrixQuestion,
  matrixAxes,
  policyJudgeOf,
  policyMatrix,
  policyMatrixUpTo,
} from '../../trace/matrix-question.ts'
import type { Note } from '../../trace/trace.ts'
import { csvLines, formatMatrixMarkdown, matrixJson } from '../../view/matrix-data.ts'
import { formatDifference, formatDifferenceJson } from '../../view/matrix-difference.ts'
import { matrixHtml } from '../../view/matrix-html.ts'
import { formatMatrix } from '../../view/matrix-text.ts'
import type { Command } from '../arguments.ts'
import type { ExitCode, Io } from '../io.ts'
import { loadCluster, loadInput } from '../load.ts'
import { progressBar } from '../progress.ts'
import { textOptions } from '../terminal.ts'

type MatrixCommand = Extract<Command, { command: 'matrix' }>

const formats = ['text', 'csv', 'json', 'md', 'html'] as const

export function runMatrix(args: MatrixCommand, io: Io): ExitCode {
  const wrong = wrongArgument(args)
  if (wrong !== undefined) return refuse(wrong, io)
  // What is applied makes the difference: over both sides it would hide itself.
  const found = matrixOf(args.filename, args.compare.length === 0 ? args : { ...args, apply: [] }, io)
  if (!found) return 2
  if (isEndProblem(found)) return refuse(found.problem, io)
  if (args.compare.length === 0) {
    print(found, args, io)
    return 0
  }
  const other = matrixOf(args.compare, args, io)
  if (!other) return 2
  if (isEndProblem(other)) return refuse(`--compare ${args.compare.join(', ')}: ${other.problem}`, io)
  const difference = compareMatrices(found.matrix, other.matrix)
  const { changes, onlyBefore, onlyAfter } = difference
  io.out(
    args.output === 'json' ? formatDifferenceJson(difference) : formatDifference(difference, textOptions(args, io)),
  )
  return changes.length + onlyBefore.length + onlyAfter.length > 0 ? 1 : 0
}

function refuse(problem: string, io: Io): ExitCode {
  io.err(`kubehop: ${problem}\n`)
  return 2
}

function wrongArgument(args: MatrixCommand): string | undefined {
  if (args.output !== undefined && !formats.some((f) => f === args.output))
    return `-o ${args.output}: expected one of ${formats.join(', ')}`
  if (args.compare.length > 0 && args.output !== undefined && args.output !== 'text' && args.output !== 'json')
    return `-o ${args.output}: --compare prints text or json`
  if (args.protocol !== undefined && !['tcp', 'udp', 'sctp', 'icmp', 'icmpv6'].includes(args.protocol.toLowerCase()))
    return `--protocol ${args.protocol}: expected tcp, udp, sctp or icmp`
  return undefined
}

interface Found {
  readonly matrix: Matrix
  readonly enforced: boolean
}

/** Undefined where the input has been refused already. */
function matrixOf(paths: readonly string[], args: MatrixCommand, io: Io): Found | EndProblem | undefined {
  return args.method === 'policy' ? byMeaning(paths, args, io) : byPackets(paths, args, io)
}

function byMeaning(paths: readonly string[], args: MatrixCommand, io: Io): Found | EndProblem | undefined {
  const loaded = loadInput(paths, args, io)
  if (!loaded) return undefined
  const question = questionOf(args)
  const axes = matrixAxes(loaded.store, question)
  if (isEndProblem(axes)) return axes
  // Asked of the objects: working a data plane out would take longer than the matrix.
  const cni = podNetworkKind(loaded.store)
  const enforcesPolicy = cni !== 'flannel'
  const ignored: Note = {
    ...{ level: 'warning', code: 'policy-not-enforced' },
    message: `${cni} enforces no policy: cells say what the policies mean, packets pass all the same (--method dataplane)`,
  }
  const unenforced = axes.cluster.policies.length > 0 && !enforcesPolicy ? [ignored] : []
  const notes = [...unenforced, ...calicoPoliciesNotJudged(loaded.store)]
  const judge = policyJudgeOf(axes)
  const most = isChosen(args) ? Number.POSITIVE_INFINITY : mostKinds
  const matrix = policyMatrixUpTo(most, axes, notes, judge) ?? coarser(loaded.store, question, axes, notes, judge)
  return { matrix: { ...matrix, notes: [...matrix.notes, ...familyNotes(axes, matrix)] }, enforced: enforcesPolicy }
}

const mostKinds = 300

/** Whoever chose the rows, or prints for a program, gets what was asked for. */
const isChosen = (args: MatrixCommand): boolean =>
  args.group !== undefined || args.compare.length > 0 || (args.output ?? 'text') !== 'text'

function coarser(
  store: ObjectStore,
  question: MatrixQuestion,
  { cluster }: MatrixAxes,
  notes: readonly Note[],
  judge: Judge,
): Matrix {
  const axes = matrixAxes(store, { ...question, grouping: 'namespace' }, cluster)
  if (isEndProblem(axes)) throw new Error(axes.problem)
  const message = `policies tell more than ${mostKinds} kinds of workloads apart, so rows are namespaces; --group workload shows all, -n or -l some`
  return policyMatrix(axes, [...notes, { level: 'info', code: 'grouped-by-namespace', message }], judge)
}

function byPackets(paths: readonly string[], args: MatrixCommand, io: Io): Found | EndProblem | undefined {
  const cluster = loadCluster(paths, args, io)
  if (!cluster) return undefined
  const axes = matrixAxes(cluster.objects, questionOf(args))
  if (isEndProblem(axes)) return axes
  const bar = progressBar('tracing', io)
  const ignored: Note = {
    ...{ level: 'warning', code: 'policy-not-enforced' },
    message: `${cluster.cni} enforces no policy: cells say what packets do, whatever the policies mean (--method policy)`,
  }
  const notes = axes.cluster.policies.length > 0 && !cluster.enforcesPolicy ? [ignored] : []
  const matrix = dataplaneMatrix(axes, cluster, { seed: args.seed, progress: bar.tell }, notes)
  bar.end()
  return { matrix, enforced: cluster.enforcesPolicy }
}

function questionOf(args: MatrixCommand): MatrixQuestion {
  const { ports, selector, fromSelector, toSelector } = args
  const from = joined(selector, fromSelector)
  const to = joined(selector, toSelector)
  return {
    ...{ grouping: args.group ?? 'workload', outside: args.outside },
    ...(ports !== undefined && { ports }),
    ...(args.protocol !== undefined && { protocol: args.protocol.toLowerCase() as Protocol }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(args.namespaceGiven && !args.allNamespaces && { namespace: args.namespace }),
  }
}

const joined = (...selectors: readonly (string | undefined)[]): string | undefined => {
  const given = selectors.filter((s) => s !== undefined)
  return given.length > 0 ? given.join(',') : undefined
}

function print({ matrix, enforced }: Found, args: MatrixCommand, io: Io): void {
  switch (args.output) {
    case 'csv':
      for (const chunk of chunks(csvLines(matrix))) io.out(chunk)
      break
    case 'json':
      for (const chunk of chunks(matrixJson(matrix, enforced))) io.out(chunk)
      break
    case 'md':
      io.out(formatMatrixMarkdown(matrix))
      break
    case 'html':
      for (const chunk of chunks(matrixHtml(matrix))) io.out(chunk)
      break
    default:
      io.out(formatMatrix(matrix, textOptions(args, io)))
  }
}

function* chunks(lines: Iterable<string>): Generator<string> {
  let chunk = ''
  for (const line of lines) {
    chunk += line
    if (chunk.length < 65536) continue
    yield chunk
    chunk = ''
  }
  yield chunk
}
