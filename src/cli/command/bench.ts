import { timeKernel } from '../../lab/lookup-timer.ts'
import { benchLookup, type LookupBench, type Position, positions } from '../bench/lookup.ts'
import { formatLookupJson, formatLookupPlot, formatLookupTable } from '../bench/lookup-report.ts'
import type { ProxyMode } from '../bench/synthetic-cluster.ts'
import type { ExitCode, Io } from '../io.ts'
import { progressBar } from '../progress.ts'
import type { BenchArguments } from './bench-arguments.ts'

const modes: readonly ProxyMode[] = ['iptables', 'ipvs', 'nftables']
const formats: Readonly<Record<string, (bench: LookupBench) => string>> = {
  text: formatLookupTable,
  json: formatLookupJson,
  svg: formatLookupPlot,
}

/** A pod's packet goes to some Service on a synthetic cluster: how long that takes as Services become more. */
export function runBench(args: BenchArguments, io: Io): ExitCode {
  const asked = lookupOf(args)
  const format = formats[args.output ?? 'text']
  const wrong = 'problem' in asked ? asked.problem : format ? undefined : `-o ${args.output}: it is text, json or svg`
  if (!format || 'problem' in asked) {
    io.err(`kubehop: ${wrong}\n`)
    return 2
  }
  const { now } = io
  if (!now) {
    io.err('kubehop: there is no clock to measure by\n')
    return 2
  }
  const progress = progressBar('measuring', io)
  const bench = benchLookup({
    ...asked,
    seed: args.seed,
    now,
    done: (sizes) => progress.tell(sizes, asked.sizes.length),
    ...(args.kernel && { kernel: timeKernel }),
  })
  progress.end()
  io.out(format(bench))
  return 0
}

/** All combinations, modes outermost. */
function lookupOf(args: BenchArguments) {
  const services = numbers('--services', args.services, 1_000_000)
  if (!Array.isArray(services)) return services as Wrong
  const endpoints = numbers('--endpoints', args.endpoints, 100)
  if (!Array.isArray(endpoints)) return endpoints as Wrong
  const asked = words('--modes', args.modes, modes)
  if (!Array.isArray(asked)) return asked as Wrong
  const places = words<Position>('--position', args.position, positions)
  if (!Array.isArray(places)) return places as Wrong
  const sizes = asked.flatMap((mode: ProxyMode) =>
    endpoints.flatMap((e: number) => services.map((s: number) => ({ mode, services: s, endpoints: e }))),
  )
  return { sizes, positions: places as readonly Position[] }
}

interface Wrong {
  readonly problem: string
}

function numbers(flag: string, text: string, most: number): number[] | Wrong {
  const parts = text.split(',').map(Number)
  return parts.every((n) => Number.isInteger(n) && n >= 1 && n <= most)
    ? parts
    : { problem: `${flag} ${text}: whole numbers from 1 to ${most}, comma-separated` }
}

function words<Word extends string>(flag: string, text: string, known: readonly Word[]): Word[] | Wrong {
  const parts = text.split(',')
  const found = parts.flatMap((p) => known.find((k) => k === p) ?? [])
  return found.length === parts.length ? found : { problem: `${flag} ${text}: ${known.join(', ')}, comma-separated` }
}
