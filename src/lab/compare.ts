import type { Lines, Observation } from './observation.ts'

/** The first thing in which a prediction and the kernel differ. */
export interface Difference {
  /** `outcome`, `served`, `devices of node-a`, ... */
  readonly what: string
  readonly predicted: readonly string[]
  readonly observed: readonly string[]
  /** Index of the first line that differs. */
  readonly at: number
}

/** What cannot be compared is left out by name. */
export type Part = 'devices' | 'chains' | 'matched' | 'connections'

/** In the order of what a person wants to know first: what came of it, who was reached, by which way, by which rules. */
export function compare(
  predicted: Observation,
  observed: Observation,
  leftOut: ReadonlySet<Part> = new Set(),
): Difference | undefined {
  const part = (name: Part, what: string): Difference | undefined =>
    leftOut.has(name) ? undefined : linesDiffer(what, predicted[name], observed[name], predicted.late ?? none)
  return (
    differ('outcome', [predicted.outcome], [observed.outcome]) ??
    differ('process reached', predicted.served, observed.served) ??
    part('devices', 'packets at devices of') ??
    part('chains', 'chains and rules of') ??
    part('matched', 'rules matched in') ??
    part('connections', 'connections of')
  )
}

const none: ReadonlySet<string> = new Set()

function linesDiffer(
  what: string,
  predicted: Lines,
  observed: Lines,
  late: ReadonlySet<string>,
): Difference | undefined {
  const placed = (lines: readonly string[] = []): readonly string[] => settled(lateLast(lines, late))
  for (const id of new Set([...predicted.keys(), ...observed.keys()])) {
    const difference = differ(`${what} ${id}`, placed(predicted.get(id)), placed(observed.get(id)))
    if (difference) return difference
  }
  return undefined
}

const lateLast = (lines: readonly string[], late: ReadonlySet<string>): readonly string[] =>
  late.size === 0 ? lines : [...lines.filter((l) => !late.has(l)), ...lines.filter((l) => late.has(l))]

/**
 * Of several fragments under way, which waits for a neighbour to be found is a matter of how fast that one answers: their
 * order is compared device by device.
 */
function settled(lines: readonly string[]): readonly string[] {
  if (!lines.some((l) => l.includes(' fragment '))) return lines
  const device = (line: string): string => line.split(' ', 2).join(' ')
  return lines.toSorted((a, b) => (device(a) < device(b) ? -1 : device(a) > device(b) ? 1 : 0))
}

function differ(what: string, predicted: readonly string[], observed: readonly string[]): Difference | undefined {
  const length = Math.max(predicted.length, observed.length)
  for (let at = 0; at < length; at++) if (predicted[at] !== observed[at]) return { what, predicted, observed, at }
  return undefined
}

/** The first line that differs, with two before it, side by side: one above the other, as lines are long. */
export function formatDifference({ what, predicted, observed, at }: Difference): string {
  const before = predicted.slice(Math.max(0, at - 2), at).map((l) => `      both     ${l}`)
  return [
    `    differs: ${what}, line ${at + 1}`,
    ...before,
    `      kubehop  ${predicted[at] ?? '(nothing)'}`,
    `      kernel   ${observed[at] ?? '(nothing)'}`,
  ].join('\n')
}

export interface Compared {
  /** Undefined: the kernel took a way that was predicted. */
  readonly difference: Difference | undefined
  /** The prediction that fits, or fits best. */
  readonly index: number
}

/** Chance may have led the kernel along any branch: it agrees when it is equal to one of them. */
export function compareBranches(
  predicted: readonly Observation[],
  observed: Observation,
  leftOut: ReadonlySet<Part>,
): Compared {
  const all = predicted.map((p, index) => ({ index, difference: compare(p, observed, leftOut) }))
  const rank = ({ difference }: Compared): number => (difference ? progress(difference) : Number.POSITIVE_INFINITY)
  return all.reduce((best, c) => (rank(c) > rank(best) ? c : best), all[0] ?? { index: -1, difference: undefined })
}

const parts = ['outcome', 'process', 'packets', 'chains', 'rules', 'connections']
/** How far both went together. */
const progress = ({ what, at }: Difference): number => parts.indexOf(what.split(' ')[0] ?? '') * 1000 + at
