import type { Cluster } from '../../cluster/cluster.ts'
import { differential } from '../../lab/differential.ts'
import { isRunId } from '../../lab/names.ts'
import { planLab } from '../../lab/plan.ts'
import { randomRequests } from '../../lab/random-probe.ts'
import { buildScript, removeScript } from '../../lab/script.ts'
import { isLabProblem } from '../../lab/session.ts'
import { formatVerified, probesOf, requestOfExpectation, summary, type Verified, verify } from '../../lab/verify.ts'
import type { Protocol } from '../../net/port.ts'
import { isEndProblem } from '../../trace/end.ts'
import type { TraceRequest } from '../../trace/request.ts'
import type { Command } from '../arguments.ts'
import type { ExitCode, Io } from '../io.ts'
import { loadCluster } from '../load.ts'

type LabCommand = Extract<Command, { command: 'lab' }>

/** Branches of one connection along which the packet is led on purpose. */
const mostBranches = 8

export async function runLab(args: LabCommand, io: Io): Promise<ExitCode> {
  const wrong = wrongArgument(args)
  if (wrong !== undefined) return fail(wrong, io)
  return args.action === 'script' ? runScript(args, io) : runVerify(args, io)
}

/** As trace has it, before anything is built. */
function wrongArgument({ output, action, run, protocol, ttl, size, ...args }: LabCommand): string | undefined {
  if (output !== undefined && output !== 'text') return `-o ${output}: expected text`
  if (action === 'script' && !isRunId(run)) return `--run ${run}: expected one to six lower-case letters and digits`
  if (action === 'script' && args.from !== undefined)
    return 'lab script takes no ends: it builds the whole cluster; lab verify FROM TO sends a packet'
  if (protocol !== undefined && !['tcp', 'udp', 'sctp', 'icmp', 'icmpv6'].includes(protocol.toLowerCase()))
    return `--protocol ${protocol}: expected tcp, udp or icmp`
  if (ttl !== undefined && (ttl < 1 || ttl > 255)) return `--ttl ${ttl}: expected a number from 1 to 255`
  if (size !== undefined && (size < 68 || size > 65535)) return `--size ${size}: expected a number from 68 to 65535`
  if (args.random !== undefined && args.random < 1) return `--random ${args.random}: expected 1 or more`
  return args.clusters !== undefined && args.clusters < 1
    ? `--clusters ${args.clusters}: expected 1 or more`
    : undefined
}

function runScript(args: LabCommand, io: Io): ExitCode {
  const cluster = loadCluster(args.filename, args, io)
  if (!cluster) return 2
  const plan = planLab(cluster.network(), args.run)
  io.out(args.remove ? removeScript(plan) : buildScript(plan))
  return 0
}

async function runVerify(args: LabCommand, io: Io): Promise<ExitCode> {
  if (args.clusters !== undefined) return runDifferential(args, args.clusters, io)
  const cluster = loadCluster(args.filename, args, io)
  if (!cluster) return 2
  const requests = requestsOf(args, cluster)
  if (typeof requests === 'string') return fail(requests, io)
  const probes = probesOf(cluster, requests)
  if (isEndProblem(probes)) return fail(probes.problem, io)
  const everyBranch = args.random === undefined ? mostBranches : 0
  const results = await verify(cluster, probes, {
    everyBranch,
    kernel: args.kernel,
    note: (text) => io.err(`kubehop: ${text}\n`),
    tell: (v) => tell(v, args, io),
  })
  if (isLabProblem(results)) return fail(`the lab cannot run here: ${results.problem}`, io)
  io.out(`${summary(results)}\n`)
  return exitCode(results)
}

function fail(problem: string, io: Io): ExitCode {
  io.err(`kubehop: ${problem}\n`)
  return 2
}

const exitCode = (results: readonly Verified[]): ExitCode =>
  results.some((r) => r.outcome.kind === 'differs') ? 1 : results.some((r) => r.outcome.kind === 'agrees') ? 0 : 2

function tell(verified: Verified, args: LabCommand, io: Io): void {
  if (!args.quiet || verified.outcome.kind !== 'agrees') io.out(`${formatVerified(verified)}\n`)
}

/** FROM and TO, random ones, or those of the Expectations in the input. */
function requestsOf(args: LabCommand, cluster: Cluster): readonly TraceRequest[] | string {
  const { from, to, namespace, seed } = args
  if (from !== undefined && to !== undefined) {
    return [
      {
        from,
        to,
        namespace,
        seed,
        ...(args.protocol === undefined ? {} : { protocol: args.protocol.toLowerCase() as Protocol }),
        ...(args.ttl === undefined ? {} : { ttl: args.ttl }),
        ...(args.size === undefined ? {} : { size: args.size }),
        ...(args.fragment ? { df: false } : {}),
      },
    ]
  }
  if (from !== undefined) return 'lab verify needs both FROM and TO, or neither'
  if (args.random !== undefined) return randomRequests(cluster, args.random, seed)
  const expected = cluster.objects.list('Expectation')
  if (expected.length === 0) return 'name FROM and TO, or --random N, or give an input with Expectations'
  return expected.flatMap((e) =>
    e.spec.expect.map((x) => requestOfExpectation(x, e.metadata.namespace ?? namespace, seed)),
  )
}

async function runDifferential(args: LabCommand, clusters: number, io: Io): Promise<ExitCode> {
  const result = await differential({
    clusters,
    probes: args.random ?? 10,
    seed: args.seed,
    everyBranch: 0,
    kernel: args.kernel,
    tell: (v, seed) => {
      if (args.verbose > 0 || v.outcome.kind !== 'agrees') io.out(`cluster ${seed}: ${formatVerified(v)}\n`)
    },
  })
  if (isLabProblem(result)) return fail(`the lab cannot run here: ${result.problem}`, io)
  for (const d of result.disagreements)
    io.out(
      `# the smallest cluster found in which ${d.verified.probe.title} differs (cluster ${d.seed}):\n${d.scenario}\n`,
    )
  io.out(`${clusters} random clusters: ${summary(result.results)}\n`)
  return exitCode(result.results)
}
