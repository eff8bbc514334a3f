import type { Cluster } from '../../cluster/cluster.ts'
import type { Protocol } from '../../net/port.ts'
import { compareTraces, type Variant } from '../../trace/compare.ts'
import { isEndProblem } from '../../trace/end.ts'
import type { TraceRequest } from '../../trace/request.ts'
import { trace } from '../../trace/run.ts'
import { sweep } from '../../trace/sweep.ts'
import type { Trace } from '../../trace/trace.ts'
import { formatBrief } from '../../view/brief.ts'
import { formatComparison, formatComparisonJson } from '../../view/comparison.ts'
import { exitCodeOf, formatJson, formatJsonLines } from '../../view/json.ts'
import { formatMinimal } from '../../view/minimal.ts'
import { formatDot } from '../../view/picture/dot.ts'
import { formatHtml } from '../../view/picture/html.ts'
import { formatMermaid } from '../../view/picture/mermaid.ts'
import { formatSvg } from '../../view/picture/svg.ts'
import { formatSweep, formatSweepJson } from '../../view/sweep.ts'
import { formatTrace } from '../../view/text.ts'
import type { Command } from '../arguments.ts'
import { listPcapFiles, writePcapFiles, writePcapng } from '../capture-output.ts'
import type { ExitCode, Io } from '../io.ts'
import { builtCluster, loadCluster, loadInput } from '../load.ts'
import { textOptions } from '../terminal.ts'

type TraceCommand = Extract<Command, { command: 'trace' }>

const pictures = ['html', 'svg', 'mermaid', 'dot'] as const
const formats = ['text', 'minimal', 'json', 'json-lines', 'pcap', 'pcapng', ...pictures] as const

export function runTrace(args: TraceCommand, io: Io): ExitCode {
  const wrong = wrongArgument(args)
  if (wrong !== undefined) {
    io.err(`kubehop: ${wrong}\n`)
    return 2
  }
  const sizes = sizesOf(args.size)
  const request = requestOf(args, sizes)
  if (args.compare !== undefined) return runComparison(request, modesOf(args.compare), args, io)
  const cluster = loadCluster(args.filename, args, io)
  if (!cluster) return 2
  if (sizes.length > 1) return runSweep(cluster, request, sizes, args, io)
  const result = trace(cluster, request)
  if (isEndProblem(result)) {
    io.err(`kubehop: ${result.problem}\n`)
    return 2
  }
  return writeResult(result, args, io) ? exitCodeOf(result.verdict) : 2
}

/** Prints the trace, and writes the captures that were asked for; false where that fails, which is told. */
function writeResult(result: Trace, args: TraceCommand, io: Io): boolean {
  const { pcapDir, output } = args
  const files = pcapDir === undefined ? [] : writePcapFiles(result, pcapDir, io)
  if (!files) return false
  if (output === 'pcapng') return writePcapng(result, io)
  io.out(output === 'pcap' ? listPcapFiles(files, pcapDir ?? '') : format(result, args, io))
  return true
}

function requestOf(args: TraceCommand, [only]: readonly number[]): TraceRequest {
  return {
    from: args.from,
    to: args.to,
    namespace: args.namespace,
    seed: args.seed,
    everyRule: args.verbose >= 2,
    ...(args.protocol === undefined ? {} : { protocol: args.protocol.toLowerCase() as Protocol }),
    ...(args.srcPort === undefined ? {} : { srcPort: args.srcPort }),
    ...(args.ttl === undefined ? {} : { ttl: args.ttl }),
    ...(args.backend === undefined ? {} : { backend: args.backend }),
    ...(args.df === undefined ? {} : { df: args.df }),
    ...(only === undefined ? {} : { size: only }),
    ...(args.after === undefined ? {} : { after: args.after }),
  }
}

type Mode = 'iptables' | 'ipvs' | 'nftables'
const isMode = (text: string): text is Mode => text === 'iptables' || text === 'ipvs' || text === 'nftables'
const modesOf = (text: string): readonly string[] => [...new Set(text.split(',').map((t) => t.trim()))]

/** The same packet with kube-proxy in each of these modes: 0 where all answer alike, 1 where not. */
function runComparison(request: TraceRequest, names: readonly string[], args: TraceCommand, io: Io): ExitCode {
  const loaded = loadInput(args.filename, args, io)
  if (!loaded) return 2
  const variants: Variant[] = []
  for (const name of names.filter(isMode)) {
    const quiet = variants.length > 0 ? { ...args, quiet: true } : args
    const cluster = builtCluster({ ...loaded, settings: { ...loaded.settings, proxyMode: name } }, quiet, io)
    const result = cluster && trace(cluster, { ...request, backend: request.backend ?? 'all' })
    if (result === undefined || isEndProblem(result)) {
      if (result) io.err(`kubehop: ${result.problem}\n`)
      return 2
    }
    variants.push({ name, trace: result })
  }
  const differences = compareTraces(variants)
  io.out(args.output === 'json' ? formatComparisonJson(variants, differences) : formatComparison(variants, differences))
  return differences.length === 0 ? 0 : 1
}

function runSweep(
  cluster: Cluster,
  request: TraceRequest,
  sizes: readonly number[],
  args: TraceCommand,
  io: Io,
): ExitCode {
  const result = sweep(cluster, request, sizes)
  if (isEndProblem(result)) {
    io.err(`kubehop: ${result.problem}\n`)
    return 2
  }
  io.out(args.output === 'json' ? formatSweepJson(result) : formatSweep(result, textOptions(args, io)))
  return exitCodeOf(result.verdict)
}

/** `1400,1450`: each once, in order. */
const sizesOf = (text: string | undefined): readonly number[] =>
  text === undefined ? [] : [...new Set(text.split(',').map((t) => Number(t.trim())))]

function format(result: Trace, args: TraceCommand, io: Io): string {
  switch (args.output) {
    case 'json':
      return formatJson(result)
    case 'json-lines':
      return formatJsonLines(result)
    case 'minimal':
      return formatMinimal(result)
    case 'html':
      return formatHtml(result, args.verbose >= 2 ? 2 : 1)
    case 'svg':
      return formatSvg(result)
    case 'mermaid':
      return formatMermaid(result)
    case 'dot':
      return formatDot(result)
    default:
      return args.quiet ? formatBrief(result) : formatTrace(result, textOptions(args, io))
  }
}

function wrongArgument(args: TraceCommand): string | undefined {
  const modes = args.compare === undefined ? undefined : modesOf(args.compare)
  if (modes && (modes.length < 2 || !modes.every(isMode)))
    return `--compare ${args.compare}: expected two or three of iptables, ipvs, nftables`
  if (args.output !== undefined && !formats.some((f) => f === args.output))
    return `-o ${args.output}: expected one of ${formats.join(', ')}`
  const capturing = args.pcapDir !== undefined || args.output === 'pcap' || args.output === 'pcapng'
  if (args.output === 'pcap' && args.pcapDir === undefined)
    return '-o pcap: --pcap-dir DIR is missing: where the captures are written to'
  if (capturing && (args.backend === 'all' || args.compare !== undefined || sizesOf(args.size).length > 1))
    return 'a capture is of one connection: without --backend all, --compare and several sizes'
  if (pictures.some((f) => f === args.output) && (args.backend === 'all' || args.compare !== undefined))
    return `-o ${args.output}: a picture is of one connection: without --backend all and --compare`
  if (args.protocol !== undefined && !['tcp', 'udp', 'sctp', 'icmp', 'icmpv6'].includes(args.protocol.toLowerCase()))
    return `--protocol ${args.protocol}: expected tcp, udp, sctp or icmp`
  if (args.srcPort !== undefined && (args.srcPort < 1 || args.srcPort > 65535))
    return `--src-port ${args.srcPort}: expected a number from 1 to 65535`
  if (args.after !== undefined && !(args.after >= 0 && args.after <= 31_536_000))
    return `--after ${args.after}: expected seconds, from 0 to a year`
  const wrongSize = args.size?.split(',').find((t) => !/^\s*\d{2,5}\s*$/.test(t) || Number(t) < 68 || Number(t) > 65535)
  if (wrongSize !== undefined)
    return `--size ${args.size}: expected whole numbers from 68 to 65535, as 1400 or 1400,1500`
  if (sizesOf(args.size).length > 1 && args.output !== undefined && !['text', 'json'].includes(args.output))
    return `-o ${args.output}: a sweep over sizes is printed as text or json`
  if (args.ttl !== undefined && (args.ttl < 1 || args.ttl > 255))
    return `--ttl ${args.ttl}: expected a number from 1 to 255`
  return undefined
}
