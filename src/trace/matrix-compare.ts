import type { Matrix, PortCell, Reach } from './matrix.ts'

/** What two inputs answer differently. Groups are compared by name. */
export interface MatrixDifference {
  readonly method: Matrix['method']
  readonly changes: readonly MatrixChange[]
  /** Sources or destinations that only one input has. */
  readonly onlyBefore: readonly string[]
  readonly onlyAfter: readonly string[]
}

/** Every one of `from` with every one of `to`. */
export interface MatrixChange {
  /** `added` and `removed` are ports that only one input has, and that some source reaches. */
  readonly change: 'reachable' | 'unreachable' | 'added' | 'removed'
  readonly from: readonly string[]
  readonly to: readonly string[]
  readonly port: string
  /** Who decides now; for `removed`, who did. */
  readonly by: readonly string[]
}

export function compareMatrices(before: Matrix, after: Matrix): MatrixDifference {
  const [old, now] = [lookUp(before), lookUp(after)]
  const bySource = new Map<string, Omit<MatrixChange, 'to'> & { readonly from: string[]; readonly target: string }>()
  for (const to of now.destinations) {
    if (!old.ports.has(to)) continue
    const ports = new Set([...(old.ports.get(to) ?? []), ...(now.ports.get(to) ?? [])])
    for (const port of ports) {
      for (const from of now.sources) {
        if (!old.rows.has(from)) continue
        const [was, is] = [old.reach(from, to, port), now.reach(from, to, port)]
        const change = changeOf(was, is)
        if (!change) continue
        const by = (change === 'removed' ? old : now).reasons(from, to, port)
        const key = [change, to, port, ...by].join('\n')
        const known = bySource.get(key)
        if (known) known.from.push(from)
        else bySource.set(key, { change, from: [from], target: to, port, by })
      }
    }
  }
  return {
    method: after.method,
    changes: mergeTargets([...bySource.values()]),
    onlyBefore: [...old.names].filter((n) => !now.names.has(n)),
    onlyAfter: [...now.names].filter((n) => !old.names.has(n)),
  }
}

/** Undefined for a port that the destination does not have, `self` for a pod and itself. */
type Answer = Reach | 'self' | undefined

const order: Readonly<Record<Reach, number>> = { none: 0, some: 1, all: 2 }

function changeOf(was: Answer, is: Answer): MatrixChange['change'] | undefined {
  if (was === is || was === 'self' || is === 'self') return undefined
  if (was === undefined) return is === 'none' ? undefined : 'added'
  if (is === undefined) return was === 'none' ? undefined : 'removed'
  return order[is] > order[was] ? 'reachable' : 'unreachable'
}

/** Destinations that change for the same sources in the same way stand together. */
function mergeTargets(
  changes: readonly (Omit<MatrixChange, 'to'> & { readonly target: string })[],
): readonly MatrixChange[] {
  const merged = new Map<string, Omit<MatrixChange, 'to'> & { readonly to: string[] }>()
  for (const { target, ...change } of changes) {
    const key = [change.change, change.port, ...change.by, '', ...change.from].join('\n')
    const known = merged.get(key)
    if (known) known.to.push(target)
    else merged.set(key, { ...change, to: [target] })
  }
  return [...merged.values()]
}

interface LookUp {
  readonly sources: readonly string[]
  readonly destinations: readonly string[]
  readonly names: ReadonlySet<string>
  readonly rows: ReadonlyMap<string, number>
  readonly ports: ReadonlyMap<string, readonly string[]>
  reach(from: string, to: string, port: string): Answer
  reasons(from: string, to: string, port: string): readonly string[]
}

/** A matrix by the names of its groups. */
function lookUp(matrix: Matrix): LookUp {
  const rows = new Map(matrix.rows.flatMap(({ groups }, i) => groups.map((g) => [g.name, i] as const)))
  const columns = new Map(matrix.columns.flatMap(({ groups }, i) => groups.map((g) => [g.name, i] as const)))
  const ports = new Map(matrix.columns.flatMap((c) => c.groups.map((g) => [g.name, c.ports] as const)))
  const single = new Set(
    [...matrix.rows, ...matrix.columns].flatMap((a) => a.groups.filter((g) => g.ends.length === 1).map((g) => g.name)),
  )
  const cells = new Map<string, readonly PortCell[]>()
  const cellAt = (row: number, column: number): readonly PortCell[] => {
    const key = `${row} ${column}`
    const known = cells.get(key) ?? matrix.cell(row, column)
    cells.set(key, known)
    return known
  }
  return {
    ...{ sources: [...rows.keys()], destinations: [...columns.keys()], rows, ports },
    names: new Set([...rows.keys(), ...columns.keys()]),
    reach(from, to, port) {
      if (!ports.get(to)?.includes(port)) return undefined
      if (from === to && single.has(from)) return 'self'
      return cellAt(rows.get(from) ?? 0, columns.get(to) ?? 0).find((c) => c.port === port)?.reach ?? 'self'
    },
    reasons(from, to, port) {
      const column = columns.get(to) ?? 0
      const found = matrix.reasons(rows.get(from) ?? 0, column, matrix.columns[column]?.ports.indexOf(port) ?? 0)
      return found.common.length > 0 ? found.common : found.others
    },
  }
}
