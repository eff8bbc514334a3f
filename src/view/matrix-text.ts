import type { End } from '../policy/end.ts'
import type { CellReasons, Matrix, Reach } from '../trace/matrix.ts'
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

/** Destinations that are open or closed to everyone, then the others: who reaches each, and who keeps the rest out. */
function listLines(matrix: Matrix, style: Style): readonly string[] {
  const groups = matrix.rows.flatMap((r) => r.groups)
  const alone = new Map(groups.flatMap((g) => (g.ends.length === 1 ? [[g.ends[0]?.end, g.name] as const] : [])))
  const targets = matrix.columns.flatMap((_, c) => targetsOf(matrix, c, alone))
  const { paint, symbols } = style
  const open = targets.filter((t) => t.some.length + t.none.length === 0)
  const closed = targets.filter((t) => t.all.length + t.some.length === 0 && t.none.length > 0)
  const mixed = targets.filter((t) => !open.includes(t) && !closed.includes(t))
  return [
    ...sectionLines(`${paint.good(symbols.yes)} open to everyone`, open, style),
    ...sectionLines(`${paint.bad(symbols.no)} closed to everyone`, closed, style),
    ...mixed.flatMap((t) => [`to ${targetText(t, style)}`, ...targetLines(matrix, t, style)]),
  ]
}

/** Ports of one column that the same rows reach. Rows that can only be the destination itself are in none of the lists. */
interface Target extends Readonly<Record<Reach, readonly number[]>> {
  readonly names: readonly string[]
  readonly ports: readonly string[]
  /** The policies that close it to one of its `none`; where it stands for several destinations, of each. */
  readonly by: readonly string[]
  /** Groups that are the destination itself: no source. */
  readonly isSelf: (name: string) => boolean
}

/** `alone` names the sources of one end. */
function targetsOf(matrix: Matrix, column: number, alone: ReadonlyMap<End | undefined, string>): readonly Target[] {
  const { groups = [], ports = [] } = matrix.columns[column] ?? {}
  const names = groups.map((g) => g.name)
  const [only] = groups
  const selfName = groups.length === 1 && only?.ends.length === 1 ? alone.get(only.ends[0]?.end) : undefined
  const isSelf = (name: string): boolean => name === selfName
  const others = matrix.rows.map((r) => r.groups.some((g) => !isSelf(g.name)))
  const byRows = new Map<string, Target & { readonly ports: string[] }>()
  for (const [p, port] of ports.entries()) {
    const rows: Record<Reach, number[]> = { all: [], some: [], none: [] }
    for (let row = 0; row < matrix.rows.length; row++) if (others[row]) rows[matrix.reach(row, column, p)].push(row)
    const closed = matrix.rows[rows.none[0] ?? -1]?.groups.find((g) => !isSelf(g.name))
    const by = closed ? closedBy(groups.map((to) => matrix.pairReasons(closed, to, p))) : []
    const key = ports.length > 1 ? JSON.stringify([rows, by]) : port
    const known = byRows.get(key)
    if (known) known.ports.push(port)
    else byRows.set(key, { ...rows, names, ports: [port], by, isSelf })
  }
  return [...byRows.values()]
}

/** The policies that close each of some destinations; where these have none in common, those of any. */
function closedBy(found: readonly CellReasons[]): readonly string[] {
  const lists = found.map((f) => [...f.common, ...f.others])
  const all = [...new Set(lists.flat())]
  const common = all.filter((reason) => lists.every((l) => l.includes(reason)))
  return common.length > 0 ? common : all
}

const targetText = ({ names, ports }: Target, { paint, shown }: Style): string =>
  `${paint.object(namesText(names, shown))}  ${ports.join(', ')}`

function sectionLines(title: string, targets: readonly Target[], style: Style): readonly string[] {
  if (targets.length === 0) return []
  const by = (t: Target): string => (t.by.length > 0 ? `   by ${reasonsText(t.by)}` : '')
  return [title, ...targets.map((t) => `    ${targetText(t, style)}${by(t)}`), '']
}

function targetLines(matrix: Matrix, { all, some, none, by, isSelf }: Target, style: Style): readonly string[] {
  const { paint, symbols, shown } = style
  const count = (rows: readonly number[]): number => {
    const groups = rows.reduce((sum, r) => sum + (matrix.rows[r]?.groups.length ?? 0), 0)
    return groups - (rows.some((r) => matrix.rows[r]?.groups.some((g) => isSelf(g.name))) ? 1 : 0)
  }
  const text = (rows: readonly number[]): string => {
    const names: string[] = []
    for (const r of rows) {
      if (names.length >= shown * 3) break
      for (const g of matrix.rows[r]?.groups ?? []) if (!isSelf(g.name)) names.push(g.name)
    }
    const first = names.slice(0, shown * 3)
    const more = count(rows) - first.length
    return `${namesText(first, first.length)}${more > 0 ? ` and ${more} more` : ''}`
  }
  const others = all.length + some.length === 0 ? 'everyone' : `the other ${count(none)}`
  const reasons = by.length > 0 ? `, by ${reasonsText(by)}` : ''
  return [
    ...(all.length > 0 ? [`    ${paint.good(symbols.yes)} ${text(all)}`] : []),
    ...(some.length > 0 ? [`    ${paint.change('~')} ${text(some)}`] : []),
    ...(none.length > 0 ? [`    ${paint.bad(symbols.no)} ${others}${reasons}`] : []),
  ]
}

/** `NetworkPolicy shop/deny, shop/web and 2 more`: a kind is said where it changes. */
function reasonsText(reasons: readonly string[]): string {
  const shown = reasons.slice(0, 3).map((reason, i) => {
    const [kind = '', name] = reason.split(' ')
    return name !== undefined && reasons[i - 1]?.startsWith(`${kind} `) ? name : reason
  })
  return `${shown.join(', ')}${reasons.length > 3 ? ` and ${reasons.length - 3} more` : ''}`
}

const noteLines = ({ notes }: Matrix, { symbols }: Style): readonly string[] =>
  notes.length === 0 ? [] : ['', ...notes.map((n) => `${n.level === 'warning' ? symbols.warn : 'note'} ${n.message}`)]
