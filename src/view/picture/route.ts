import type { Journey, Station } from '../../trace/journey.ts'
import type { Leg } from '../../trace/trace.ts'
import type { Layout, Placed } from './layout.ts'

export interface Point {
  readonly x: number
  readonly y: number
}

/** A line from the border of one station to that of the next, over the wires between them. */
export interface Line {
  readonly direction: Leg['direction']
  readonly points: readonly Point[]
}

/** Request and reply run beside each other, so that neither hides the other. */
const besides = { forward: -11, reply: 11 } as const

export function linesOf(journey: Journey, layout: Layout): readonly Line[] {
  const placed = new Map(layout.stations.map((s) => [s.of.id, s] as const))
  return (['forward', 'reply'] as const).flatMap((direction) => {
    const ids = journey.stops.filter((s) => s.direction === direction).flatMap((s) => s.stations)
    const passed = ids.filter((id, i) => id !== ids[i - 1]).flatMap((id) => placed.get(id) ?? [])
    return linesThrough(passed, besides[direction], layout).map((points) => ({ direction, points }))
  })
}

function linesThrough(
  passed: readonly Placed<Station>[],
  beside: number,
  { stations }: Layout,
): readonly (readonly Point[])[] {
  const lines: (readonly Point[])[] = []
  let from: Placed<Station> | undefined
  let wires: Placed<Station>[] = []
  for (const at of passed) {
    if (at.of.kind === 'wire') wires.push(at)
    else {
      if (from && wires.length > 0) lines.push(lineOver(wires, from, at, beside))
      else if (from) lines.push(isBetween(stations, from, at) ? lineAround(from, at, beside) : lineTo(from, at, beside))
      from = at
      wires = []
    }
  }
  // Lost on the wire.
  if (from && wires.length > 0) lines.push(lineOver(wires, from, from, beside).slice(0, 2))
  return lines
}

function lineOver(
  wires: readonly Placed<Station>[],
  from: Placed<Station>,
  to: Placed<Station>,
  beside: number,
): readonly Point[] {
  const [x1, x2] = [middle(from) + beside, middle(to) + beside]
  const bends = wires.flatMap((wire) => {
    const y = wire.y + 25 + beside / 2.4
    return [
      { x: x1, y },
      { x: x2, y },
    ]
  })
  return [{ x: x1, y: bottom(from) }, ...bends, { x: x2, y: bottom(to) }]
}

function lineTo(from: Placed<Station>, to: Placed<Station>, beside: number): readonly Point[] {
  if (from.y === to.y) {
    const y = from.y + from.height / 2 + beside
    const rightwards = from.x < to.x
    return [
      { x: rightwards ? from.x + from.width : from.x, y },
      { x: rightwards ? to.x : to.x + to.width, y },
    ]
  }
  const down = from.y < to.y
  return [
    { x: middle(from) + beside, y: down ? bottom(from) : from.y },
    { x: middle(to) + beside, y: down ? to.y : bottom(to) },
  ]
}

/** Past a station that stands between two of its box. */
function lineAround(from: Placed<Station>, to: Placed<Station>, beside: number): readonly Point[] {
  const [start, end] = lineTo(from, to, beside * 3)
  if (!start || !end) return []
  const side = beside < 0 ? from.x - 8 : from.x + from.width + 8
  const step = start.y < end.y ? 8 : -8
  return [
    start,
    { x: start.x, y: start.y + step },
    { x: side, y: start.y + step },
    { x: side, y: end.y - 2 * step },
    { x: end.x, y: end.y - 2 * step },
    end,
  ]
}

const isBetween = (stations: readonly Placed<Station>[], a: Placed<Station>, b: Placed<Station>): boolean =>
  a.x === b.x && stations.some((s) => s.x === a.x && (s.y - a.y) * (s.y - b.y) < 0)

const middle = (at: Placed<Station>): number => at.x + at.width / 2
const bottom = (at: Placed<Station>): number => at.y + at.height

export const pathData = ({ points }: Line): string =>
  points.map((p, i) => `${i === 0 ? 'M' : 'L'}${round(p.x)} ${round(p.y)}`).join(' ')

const round = (n: number): number => Math.round(n * 10) / 10
