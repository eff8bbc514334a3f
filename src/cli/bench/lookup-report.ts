import { logPlot } from '../../view/log-plot.ts'
import { formatColumns } from '../../view/table.ts'
import type { InstalledRules, LookupBench, LookupCost } from './lookup.ts'

const whole = (n: number): string => Math.round(n).toLocaleString('en-US')
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)

export function formatLookupTable({ installed, costs, notes }: LookupBench): string {
  const kernel = costs.some((c) => c.kernelNs !== undefined)
  const head = ['MODE', 'SERVICES', 'ENDPOINTS']
  const size = ({ mode, services, endpoints }: InstalledRules | LookupCost): readonly string[] => [
    mode,
    whole(services),
    whole(endpoints),
  ]
  const rules = formatColumns(
    [...head, 'RULES', 'TEXT MB', 'RENDER MS', 'HEAP MB', ...(kernel ? ['KERNEL LOAD MS'] : [])],
    installed.map((r) => [
      ...size(r),
      whole(r.rules),
      megabytes(r.bytes),
      whole(r.renderMs),
      megabytes(r.memory),
      ...(kernel ? [r.kernelLoadMs === undefined ? '-' : whole(r.kernelLoadMs)] : []),
    ]),
  )
  const connections = formatColumns(
    [
      ...head,
      'POSITION',
      'EXAMINED',
      'WALK NS',
      'COMPILED NS',
      'FORWARD NS',
      ...(kernel ? ['KERNEL NS', 'KERNEL FORWARD NS'] : []),
    ],
    costs.map((c) => [
      ...size(c),
      c.position,
      whole(c.examined),
      whole(c.walkNs),
      whole(c.compiledNs),
      whole(c.forwardNs),
      ...(kernel ? [c.kernelNs, c.kernelForwardNs].map((n) => (n === undefined ? '-' : whole(n))) : []),
    ]),
  )
  const legend =
    'a new connection through one node: rules that the kernel compares; rule by rule; by the compiled rules; without a Service\n'
  return `${rules}\n${legend}${connections}${notes.map((n) => `\n${n}\n`).join('')}`
}

export const formatLookupJson = (bench: LookupBench): string => `${JSON.stringify({ version: 1, ...bench }, null, 2)}\n`

/** Time against the number of Services: the position that costs most, of those measured, in each mode. */
export function formatLookupPlot({ costs }: LookupBench): string {
  const position = (['last', 'random', 'middle', 'first'] as const).find((p) => costs.some((c) => c.position === p))
  const kinds = [...new Set(costs.map((c) => `${c.mode} x ${c.endpoints}`))]
  const lines = kinds.flatMap((kind) => {
    const of = costs.filter((c) => c.position === position && `${c.mode} x ${c.endpoints}` === kind)
    const line = (name: string, value: (c: LookupCost) => number | undefined) => ({
      name: `${kind}: ${name}`,
      points: of.flatMap((c) => (value(c) === undefined ? [] : [[c.services, value(c) ?? 0] as const])),
    })
    return [line('walk', (c) => c.walkNs), line('compiled', (c) => c.compiledNs), line('kernel', (c) => c.kernelNs)]
  })
  const y = `ns for a new connection to the ${position} Service`
  return logPlot({ title: 'Rule lookup', x: 'Services', y, lines: lines.filter((l) => l.points.length > 0) })
}
