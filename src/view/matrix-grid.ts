import type { Column, Matrix, PortCell, Reach, Row } from '../trace/matrix.ts'

/** A matrix as words and numbers, the same for text, Markdown and HTML. */
export interface MatrixGrid {
  readonly rows: readonly AxisLabel[]
  readonly columns: readonly (AxisLabel & { readonly letter: string; readonly ports: readonly string[] })[]
  cell(row: number, column: number): GridCell
  /** Policies, or reasons, in the order of their numbers, which count from 1. Complete after every cell was asked. */
  readonly reasons: readonly string[]
}

export interface AxisLabel {
  /** `shop: cart, web and 7 more`. */
  readonly label: string
  readonly members: readonly string[]
  readonly pods: number
}

/** Ports that share an answer stand together. None where both ends are one pod. */
export interface GridCell {
  readonly parts: readonly CellPart[]
}

export interface CellPart {
  readonly reach: Reach
  /** Empty where all ports of the column have this answer. */
  readonly ports: readonly string[]
  /** Numbers of the reasons of all pairs; where they have none in common, of some. */
  readonly by: readonly number[]
  /** Further reasons, of some pairs. */
  readonly also: readonly string[]
  readonly allowed: () => number
  readonly total: number
}

export function matrixGrid(matrix: Matrix, namesShown: number): MatrixGrid {
  const reasons: string[] = []
  const numbers = new Map<string, number>()
  const numberOf = (reason: string): number => {
    const known = numbers.get(reason) ?? reasons.push(reason)
    numbers.set(reason, known)
    return known
  }
  return {
    reasons,
    rows: matrix.rows.map((row) => axisLabel(row, namesShown)),
    columns: matrix.columns.map((column, i) => ({
      ...axisLabel(column, namesShown),
      letter: letterOf(i),
      ports: column.ports,
    })),
    cell: (row, column) => ({ parts: partsOf(matrix, row, column, numberOf) }),
  }
}

function axisLabel({ groups }: Pick<Row | Column, 'groups'>, shown: number): AxisLabel {
  const members = groups.map((g) => g.name)
  return { label: namesText(members, shown), members, pods: groups.reduce((sum, g) => sum + g.ends.length, 0) }
}

/** `shop/web`; `shop: cart, web and 7 more; external`, each namespace once. */
export function namesText(names: readonly string[], shown: number): string {
  const listed = new Map<string, string[]>()
  for (const name of names.slice(0, shown)) {
    const slash = name.indexOf('/')
    const namespace = slash < 0 ? '' : name.slice(0, slash)
    listed.set(namespace, [...(listed.get(namespace) ?? []), name.slice(slash + 1)])
  }
  const parts = [...listed].map(([namespace, own]) =>
    namespace === '' ? own.join(', ') : own.length === 1 ? `${namespace}/${own[0]}` : `${namespace}: ${own.join(', ')}`,
  )
  return `${parts.join('; ')}${names.length > shown ? ` and ${names.length - shown} more` : ''}`
}

/** A, B, ..., Z, AA, AB. */
function letterOf(i: number): string {
  const last = String.fromCharCode(65 + (i % 26))
  return i < 26 ? last : `${letterOf(Math.floor(i / 26) - 1)}${last}`
}

function partsOf(
  matrix: Matrix,
  row: number,
  column: number,
  numberOf: (reason: string) => number,
): readonly CellPart[] {
  const cells = matrix.cell(row, column)
  const allPorts = matrix.columns[column]?.ports ?? []
  const byReach = new Map<Reach, PortCell[]>()
  for (const cell of cells) byReach.set(cell.reach, [...(byReach.get(cell.reach) ?? []), cell])
  return [...byReach].map(([reach, ports]) => {
    const found = ports.map((p) => matrix.reasons(row, column, allPorts.indexOf(p.port)))
    const common = [...new Set(found.flatMap((f) => f.common))]
    const others = [...new Set(found.flatMap((f) => f.others))].filter((r) => !common.includes(r))
    const [by, also] = common.length > 0 ? [common, others] : [others.slice(0, 2), others.slice(2)]
    return {
      ...{ reach, ports: byReach.size === 1 ? [] : ports.map((p) => p.port), by: by.map(numberOf), also },
      allowed: () => ports.reduce((sum, p) => sum + p.allowed, 0),
      total: ports.reduce((sum, p) => sum + p.total, 0),
    }
  })
}
