import type { Matrix, Reach } from '../trace/matrix.ts'
import { type CellPart, type GridCell, type MatrixGrid, matrixGrid, namesText } from './matrix-grid.ts'
import { type Paint, paintFor, type Symbols } from './paint.ts'
import { plainText, type TextOptions } from './text.ts'

interface Style {
  readonly paint: Paint
  readonly symbols: Symbols
  readonly shown: number
}

/** A grid where it fits on a screen, else a list by destination. */
export function formatMatrix(matrix: Matrix, options: TextOptions = plainText): string {
  const shown = options.detail > 0 ? Number.POSITIVE_INFINITY : 3
  const style = { paint: paintFor(options.colour), symbols: options.symbols, shown }
  const lines = [titleLine(matrix), '', ...bodyLines(matrix, style), ...noteLines(matrix, style)]
  return `${lines.join('\n')}\n`
}

export function titleLine({ method, rows, columns }: Matrix): string {
  const [from, to] = [groupCount(rows), groupCount(columns)]
  const how = method === 'policy' ? 'what the policies mean' : 'traced through the data plane'
  const merged = `${counted(from, rows.length, 'source')} (rows), ${counted(to, columns.length, 'destination')} (columns)`
  return `who can open a connection to whom, ${how}: ${merged}`
}

const groupCount = (axis: Matrix['rows'] | Matrix['columns']): number =>
  axis.reduce((sum, { groups }) => sum + groups.length, 0)

const counted = (all: number, merged: number, what: string): string =>
  `${all} ${what}${all === 1 ? '' : 's'}${merged < all ? ` in ${merged} kind${merged === 1 ? '' : 's'}` : ''}`

const widestGrid = 160
const mostCells = 4000

function bodyLines(matrix: Matrix, style: Style): readonly string[] {
  const grid = matrixGrid(matrix, style.shown)
  if (matrix.rows.length * matrix.columns.length > mostCells || matrix.columns.length * 4 > widestGrid)
    return listLines(matrix, style)
  const cells = grid.rows.map((_, r) => grid.columns.map((_, c) => grid.cell(r, c)))
  const texts = cells.map((row) => row.map((cell) => cellText(cell, style.symbols)))
  const widths = grid.columns.map((c, i) => Math.max(c.letter.length, ...texts.map((row) => row[i]?.length ?? 0)))
  const labels = Math.max(4, ...grid.rows.map((r) => r.label.length))
  if (labels + widths.reduce((sum, w) => sum + w + 2, 0) > widestGrid) return listLines(matrix, style)
  const head = `${'from'.padEnd(labels)}  ${grid.columns.map((c, i) => c.letter.padEnd(widths[i] ?? 0)).join('  ')}`
  return [
    head.trimEnd(),
    ...grid.rows.map((row, r) => {
      const line = texts[r]?.map((text, c) => painted(text.padEnd(widths[c] ?? 0), cells[r]?.[c], style.paint))
      return `${row.label.padEnd(labels)}  ${(line ?? []).join('  ')}`.trimEnd()
    }),
    ...legendLines(grid, style.symbols),
  ]
}

function painted(text: string, cell: GridCell | undefined, paint: Paint): string {
  const [part, ...others] = cell?.parts ?? []
  if (!part) return text
  if (others.length > 0 || part.reach === 'some') return paint.change(text)
  return part.reach === 'all' ? paint.good(text) : paint.bad(text)
}

const signOf = (reach: Reach, { yes, no }: Symbols): string => (reach === 'all' ? yes : reach === 'none' ? no : '~')

/** `✔3`, `✖1,2`, `✔80/tcp 3 ✖9090/tcp 1`, `.` for a pod and itself. */
export function cellText({ parts }: GridCell, symbols: Symbols): string {
  if (parts.length === 0) return '.'
  return parts
    .map(
      (p) =>
        `${signOf(p.reach, symbols)}${p.ports.join(',')}${p.ports.length > 0 && p.by.length > 0 ? `(${byText(p)})` : byText(p)}`,
    )
    .join(' ')
}

/** `1,2`, with a plus where some pairs have further reasons. */
export function byText({ by, also }: CellPart): string {
  return by.length > 3 ? `${by.slice(0, 2).join(',')}+` : `${by.join(',')}${also.length > 0 ? '+' : ''}`
}

function legendLines(grid: MatrixGrid, { yes, no }: Symbols): readonly string[] {
  const letters = Math.max(0, ...grid.columns.map((c) => c.letter.length))
  return [
    '',
    'to',
    ...grid.columns.map((c) => `  ${c.letter.padEnd(letters)}  ${c.label}  ${c.ports.join(', ')}`),
    '',
    `${yes} all, ~ some, ${no} none of the pairs; . one and the same pod; numbers say by what, + and more`,
    ...grid.reasons.map((reason, i) => `  ${String(i + 1).padStart(2)}  ${reason}`),
  ]
}

/** By destination and port: who reaches it, and who keeps the others out. */
function listLines(matrix: Matrix, style: Style): readonly string[] {
  return matrix.columns.flatMap((column, c) => {
    const names = column.groups.map((g) => g.name)
    const ports = column.ports.flatMap((port, p) => [`  ${port}`, ...portLines(matrix, c, p, style)])
    return [`to ${style.paint.object(namesText(names, style.shown))}`, ...ports]
  })
}

function portLines(matrix: Matrix, column: number, port: number, { paint, symbols, shown }: Style): readonly string[] {
  const rows: Record<Reach, number[]> = { all: [], some: [], none: [] }
  for (let row = 0; row < matrix.rows.length; row++) rows[matrix.reach(row, column, port)].push(row)
  const [closed] = rows.none
  const { common = [], others = [] } = closed === undefined ? {} : matrix.reasons(closed, column, port, 1)
  const by = [...common, ...others]
  const rest = rows.none.reduce((sum, r) => sum + (matrix.rows[r]?.groups.length ?? 0), 0)
  const who = rows.none.length < matrix.rows.length ? `the other ${rest}` : `all ${rest}`
  return [
    ...(rows.all.length > 0 ? [`    ${paint.good(symbols.yes)} ${sourcesText(matrix, rows.all, shown * 3)}`] : []),
    ...(rows.some.length > 0 ? [`    ${paint.change('~')} ${sourcesText(matrix, rows.some, shown * 3)}`] : []),
    ...(rows.none.length > 0
      ? [`    ${paint.bad(symbols.no)} ${who}${by.length > 0 ? `, by ${reasonsText(by)}` : ''}`]
      : []),
  ]
}

function sourcesText(matrix: Matrix, rows: readonly number[], shown: number): string {
  const names: string[] = []
  let count = 0
  for (const row of rows) {
    const groups = matrix.rows[row]?.groups ?? []
    count += groups.length
    for (const g of groups) if (names.length < shown) names.push(g.name)
  }
  return `${namesText(names, shown)}${count > names.length ? ` and ${count - names.length} more` : ''}`
}

const reasonsText = (reasons: readonly string[]): string =>
  `${reasons.slice(0, 3).join(', ')}${reasons.length > 3 ? ` and ${reasons.length - 3} more` : ''}`

const noteLines = ({ notes }: Matrix, { symbols }: Style): readonly string[] =>
  notes.length === 0 ? [] : ['', ...notes.map((n) => `${n.level === 'warning' ? symbols.warn : 'note'} ${n.message}`)]
