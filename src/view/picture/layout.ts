import type { Box, Journey, Station, StationKind } from '../../trace/journey.ts'

/** Where everything of a journey is drawn, in pixels. */
export interface Layout {
  readonly width: number
  readonly height: number
  readonly boxes: readonly Placed<Box>[]
  readonly stations: readonly Placed<Station>[]
}

/** `x` and `y` of the left upper corner. */
export interface Placed<T> {
  readonly of: T
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

const cell = { width: 168, height: 50 }
const gap = { column: 22, row: 30, box: 36 }
const inset = { side: 16, top: 34, bottom: 16 }
const margin = 16

/** Pods on top, cards at the bottom, wires below all boxes. */
const rows: readonly (readonly StationKind[])[] = [
  ['pod', 'process'],
  ['port'],
  ['bridge'],
  ['stack'],
  ['tunnel'],
  ['card', 'machine'],
  ['wire'],
]
const rowOf = (kind: StationKind): number => rows.findIndex((kinds) => kinds.includes(kind))

/** A column for each machine, in the order of the journey; a row for each kind of station that there is. */
export function layOut(journey: Journey): Layout {
  const machines = journey.boxes.filter((b) => b.kind !== 'wire')
  const wires = journey.boxes.filter((b) => b.kind === 'wire')
  const used = rows.map((_, r) => r).filter((r) => machines.some((b) => inRow(b, r).length > 0))
  const top = (row: number): number => margin + inset.top + used.indexOf(row) * (cell.height + gap.row)
  const boxHeight = inset.top + used.length * (cell.height + gap.row) - gap.row + inset.bottom
  const boxes: Placed<Box>[] = []
  const stations: Placed<Station>[] = []
  let x = margin
  for (const box of machines) {
    const columns = Math.max(1, ...used.map((r) => inRow(box, r).length))
    const inner = columns * (cell.width + gap.column) - gap.column
    const y = top(used.find((row) => inRow(box, row).length > 0) ?? 0) - inset.top
    boxes.push({ of: box, x, y, width: inner + 2 * inset.side, height: margin + boxHeight - y })
    for (const row of used) stations.push(...placeRow(inRow(box, row), x + inset.side, inner, top(row)))
    x += inner + 2 * inset.side + gap.box
  }
  const width = Math.max(x - gap.box, margin + cell.width) + margin
  const below = machines.length > 0 ? margin + boxHeight + gap.row : margin
  wires.forEach((box, i) => {
    const y = below + i * (wireHeight + gap.row)
    const bar = { x: margin, y, width: width - 2 * margin, height: wireHeight }
    boxes.push({ of: box, ...bar })
    stations.push(...box.stations.map((of) => ({ of, ...bar })))
  })
  const height =
    wires.length > 0 ? below + wires.length * (wireHeight + gap.row) - gap.row + margin : below - gap.row + margin
  return { width, height, boxes, stations }
}

const wireHeight = 38

const inRow = (box: Box, row: number): readonly Station[] => box.stations.filter((s) => rowOf(s.kind) === row)

/** Side by side, the row in the middle of its box. */
function placeRow(stations: readonly Station[], left: number, inner: number, y: number): readonly Placed<Station>[] {
  const total = stations.length * (cell.width + gap.column) - gap.column
  const start = left + (inner - total) / 2
  return stations.map((of, i) => ({ of, x: start + i * (cell.width + gap.column), y, ...cell }))
}
