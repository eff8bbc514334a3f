import { createHash } from 'node:crypto'
import { type Bitset, hasBit, intersection, orInto } from '../policy/bitset.ts'
import type { MatrixEnd, MatrixGroup } from './matrix-groups.ts'
import type { MatrixPort } from './matrix-ports.ts'
import type { Note } from './trace.ts'

export type Method = 'policy' | 'dataplane'

export interface Destination extends MatrixGroup {
  readonly ports: readonly MatrixPort[]
}

/** Of the pairs of a cell, how many can open a connection. */
export type Reach = 'all' | 'some' | 'none'

/** Answers for pairs of ends. Ends of one atom are never told apart. */
export interface Judge {
  atomOf(member: MatrixEnd): number
  /** The atoms that may open a connection to an atom. */
  open(to: number, port: MatrixPort): Bitset
  /** Names of the policies (or reasons) that decide between two atoms. */
  reasons(from: number, to: number, port: MatrixPort): readonly string[]
}

/** Groups that stand in one row, since their cells are equal. */
export interface Row {
  readonly groups: readonly MatrixGroup[]
  readonly atoms: readonly number[]
}

export interface Column {
  readonly groups: readonly Destination[]
  /** Texts of the ports, the same for all groups. */
  readonly ports: readonly string[]
}

export interface PortCell {
  readonly port: string
  readonly allowed: number
  readonly total: number
  readonly reach: Reach
}

/** Groups of one row may have their answer from different policies. */
export interface CellReasons {
  /** Those that decide about every pair. */
  readonly common: readonly string[]
  readonly others: readonly string[]
}

export interface Matrix {
  readonly method: Method
  readonly rows: readonly Row[]
  readonly columns: readonly Column[]
  /** Of all pairs of a cell, one pod with itself included as if they were two. */
  reach(row: number, column: number, port: number): Reach
  /** By port; empty where row and column are one and the same pod. */
  cell(row: number, column: number): readonly PortCell[]
  /** The policies that decide about a cell's port; of a mixed cell, those that deny. */
  reasons(row: number, column: number, port: number, mostPairs?: number): CellReasons
  /** The same of one group and one destination of a cell alone. */
  pairReasons(from: MatrixGroup, to: Destination, port: number): CellReasons
  readonly notes: readonly Note[]
}

/** Merges equal columns, then equal rows. Whether a pod reaches itself is left out: it always does. */
export function buildMatrix(
  sources: readonly MatrixGroup[],
  destinations: readonly Destination[],
  judge: Judge,
  about: Pick<Matrix, 'method' | 'notes'>,
): Matrix {
  const built = buildMatrixUpTo(Number.POSITIVE_INFINITY, sources, destinations, judge, about)
  if (!built) throw new Error('a matrix without limit has too many kinds')
  return built
}

/** Undefined as soon as there turn out to be more than `mostKinds` rows, or columns. */
export function buildMatrixUpTo(
  mostKinds: number,
  sources: readonly MatrixGroup[],
  destinations: readonly Destination[],
  judge: Judge,
  about: Pick<Matrix, 'method' | 'notes'>,
): Matrix | undefined {
  // First those that the judge itself can't tell apart: what is left is compared cell by cell.
  const rowParts = merge(sources, (g) => atomsOf(g.ends, judge).join()).map((groups) => ({
    ...{ groups, atoms: atomsOf(groups[0]?.ends ?? [], judge) },
  }))
  const rowKinds = partition(rowParts.length)
  const merged = new Map<string, { readonly groups: Destination[]; readonly vectors: readonly Uint8Array[] }>()
  for (const groups of merge(destinations, (d) => destinationKey(d, judge))) {
    const ports = groups[0]?.ports ?? []
    const vectors = ports.map((p) => vectorOf(rowParts, p, judge))
    const key = ports.map((p, i) => `${p.text} ${textOf(vectors[i])}`).join(';')
    const known = merged.get(key)
    if (known) known.groups.push(...groups)
    else {
      merged.set(key, { groups: [...groups], vectors })
      for (const vector of vectors) rowKinds.refine(vector)
    }
    if (merged.size > mostKinds || rowKinds.count() > mostKinds) return undefined
  }
  const columns = [...merged.values()].map(({ groups }): Column => {
    return { groups, ports: groups[0]?.ports.map((p) => p.text) ?? [] }
  })
  const vectors = [...merged.values()].map((m) => m.vectors)
  const mergedRows = rowKinds.parts()
  const first = mergedRows.map(([i]) => i ?? 0)
  const rows = mergedRows.map((parts): Row => {
    const own = parts.flatMap((i) => rowParts[i] ?? [])
    return { groups: own.flatMap((p) => p.groups), atoms: [...new Set(own.flatMap((p) => p.atoms))] }
  })
  const reach = (row: number, column: number, port: number): Reach =>
    reaches[vectors[column]?.[port]?.[first[row] ?? 0] ?? 0] ?? 'none'
  return { ...about, rows, columns, reach, ...cellsOf(rows, columns, reach, judge) }
}

function cellsOf(
  rows: readonly Row[],
  columns: readonly Column[],
  reach: Matrix['reach'],
  judge: Judge,
): Pick<Matrix, 'cell' | 'reasons' | 'pairReasons'> {
  const counter = pairCounter(rows, columns, judge)
  const targets = columns.map(({ groups, ports }) =>
    ports.map((_, p) => {
      const ends = groups.flatMap((g) => g.ports[p]?.ends ?? [])
      return atomsOf(ends, judge)
    }),
  )
  const atoms = new Map<MatrixGroup | MatrixPort, readonly number[]>()
  const remember = (of: MatrixGroup | MatrixPort): readonly number[] => {
    const known = atoms.get(of) ?? atomsOf(of.ends, judge)
    atoms.set(of, known)
    return known
  }
  return {
    cell(row, column) {
      const states = (columns[column]?.ports ?? []).map((port, p) => {
        const found = reach(row, column, p)
        const { total, allowed } = counter(row, column, p, found)
        return {
          ...{ port, reach: found, total },
          get allowed() {
            return allowed()
          },
        }
      })
      return states.filter((s) => s.total > 0)
    },
    reasons(row, column, port, mostPairs = 100) {
      const asked = columns[column]?.groups[0]?.ports[port]
      const [from, to] = [rows[row]?.atoms ?? [], targets[column]?.[port] ?? []]
      return asked ? reasonsOf(from, to, asked, mostPairs, judge) : noReasons
    },
    pairReasons(from, to, port) {
      const asked = to.ports[port]
      return asked ? reasonsOf(remember(from), remember(asked), asked, 100, judge) : noReasons
    },
  }
}

const reaches = ['none', 'some', 'all'] as const satisfies readonly Reach[]

/** Vectors are long and many: a digest stands for each. */
const textOf = (bytes: Uint8Array | undefined): string =>
  createHash('sha1')
    .update(bytes ?? new Uint8Array(0))
    .digest('base64')

interface Partition {
  /** Splits parts whose positions have different entries. */
  refine(vector: Uint8Array): void
  count(): number
  parts(): readonly (readonly number[])[]
}

/** Positions at which all vectors so far have equal entries. */
function partition(size: number): Partition {
  const part = new Int32Array(size)
  let count = 1
  return {
    refine(vector) {
      const split = new Int32Array(count * reaches.length).fill(-1)
      let next = 0
      for (let i = 0; i < size; i++) {
        const key = (part[i] ?? 0) * reaches.length + (vector[i] ?? 0)
        if (split[key] === -1) split[key] = next++
        part[i] = split[key] ?? 0
      }
      count = next
    },
    count: () => count,
    parts: () => merge([...part.keys()], (i) => `${part[i]}`),
  }
}

const destinationKey = (d: Destination, judge: Judge): string =>
  d.ports.map((p) => `${p.text} ${atomsOf(p.ends, judge).join()}`).join(';')

/** Lists of equal things, in the order of their first. */
function merge<T>(things: readonly T[], keyOf: (thing: T) => string): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>()
  for (const thing of things) {
    const key = keyOf(thing)
    const group = groups.get(key)
    if (group) group.push(thing)
    else groups.set(key, [thing])
  }
  return [...groups.values()]
}

const atomsOf = (ends: readonly MatrixEnd[], judge: Judge): readonly number[] =>
  [...new Set(ends.map((e) => judge.atomOf(e)))].sort((a, b) => a - b)

/** For each row, by position in `reaches`: whether all, some or none of its pairs with the port's ends are allowed. */
function vectorOf(rows: readonly Pick<Row, 'atoms'>[], port: MatrixPort, judge: Judge): Uint8Array {
  const { some, all } = openTo(atomsOf(port.ends, judge), port, judge)
  const vector = new Uint8Array(rows.length)
  for (let i = 0; i < rows.length; i++) {
    const atoms = rows[i]?.atoms ?? []
    if (!atoms.some((a) => hasBit(some, a))) continue
    vector[i] = atoms.every((a) => hasBit(all, a)) ? 2 : 1
  }
  return vector
}

/** The atoms that reach some of `to`, and those that reach all. */
function openTo(
  to: readonly number[],
  port: MatrixPort,
  judge: Judge,
): { readonly some: Bitset; readonly all: Bitset } {
  const [first = new Uint32Array(0), ...rest] = to.map((b) => judge.open(b, port))
  if (rest.length === 0) return { some: first, all: first }
  const some = first.slice()
  for (const set of rest) orInto(some, set)
  return { some, all: rest.reduce(intersection, first) }
}

interface Counts {
  readonly total: number
  /** Takes time for a mixed cell: only where somebody wants to know. */
  readonly allowed: () => number
}

/** Counts pairs of different pods, by atom. */
function pairCounter(
  rows: readonly Row[],
  columns: readonly Column[],
  judge: Judge,
): (row: number, column: number, port: number, state: Reach) => Counts {
  const fromCounts = rows.map((r) =>
    countAtoms(
      r.groups.flatMap((g) => g.ends),
      judge,
    ),
  )
  const portEnds = columns.map((c) =>
    c.ports.map((text) => c.groups.flatMap((g) => g.ports.find((p) => p.text === text)?.ends ?? [])),
  )
  const fromTotals = fromCounts.map(sum)
  const toCounts = portEnds.map((ports) => ports.map((ends) => countAtoms(ends, judge)))
  const toTotals = toCounts.map((ports) => ports.map(sum))
  const rowOf = new Map(rows.flatMap((r, i) => r.groups.flatMap((g) => g.ends.map((e) => [e.end, i] as const))))
  return (row, column, port, state) => {
    const to = toCounts[column]?.[port] ?? new Map<number, number>()
    const own = (portEnds[column]?.[port] ?? []).filter((e) => rowOf.get(e.end) === row)
    const total = (fromTotals[row] ?? 0) * (toTotals[column]?.[port] ?? 0) - own.length
    if (state !== 'some') return { total, allowed: () => (state === 'all' ? total : 0) }
    const sample = columns[column]?.groups[0]?.ports[port]
    return { total, allowed: () => (sample ? countAllowed(fromCounts[row] ?? new Map(), to, own, sample, judge) : 0) }
  }
}

type AtomCounts = ReadonlyMap<number, number>

function countAllowed(
  from: AtomCounts,
  to: AtomCounts,
  own: readonly MatrixEnd[],
  port: MatrixPort,
  judge: Judge,
): number {
  const sources = [...from]
  let allowed = 0
  for (const [b, m] of to) {
    const open = judge.open(b, port)
    for (const [a, n] of sources) if (hasBit(open, a)) allowed += n * m
  }
  for (const e of own) if (hasBit(judge.open(judge.atomOf(e), port), judge.atomOf(e))) allowed--
  return allowed
}

const sum = (counts: AtomCounts): number => [...counts.values()].reduce((total, n) => total + n, 0)

function countAtoms(ends: readonly MatrixEnd[], judge: Judge): ReadonlyMap<number, number> {
  const counts = new Map<number, number>()
  for (const e of ends) counts.set(judge.atomOf(e), (counts.get(judge.atomOf(e)) ?? 0) + 1)
  return counts
}

/** Of the pairs that are denied; where none is, of all. Pairs beyond a number that nobody reads are left out. */
function reasonsOf(
  from: readonly number[],
  to: readonly number[],
  port: MatrixPort,
  mostPairs: number,
  judge: Judge,
): CellReasons {
  const [a = 0, b = 0] = [from[0], to[0]]
  if (from.length === 1 && to.length === 1) return { common: judge.reasons(a, b, port), others: [] }
  const pairs: (readonly [number, number])[] = []
  const denied: (readonly [number, number])[] = []
  let seen = 0
  for (const b of to) {
    const open = judge.open(b, port)
    for (const a of from) {
      if (denied.length === mostPairs || (denied.length === 0 && seen++ >= manyPairs)) break
      if (!hasBit(open, a)) denied.push([a, b])
      else if (pairs.length < mostPairs) pairs.push([a, b])
    }
  }
  return tally((denied.length > 0 ? denied : pairs).map(([a, b]) => judge.reasons(a, b, port)))
}

const manyPairs = 10_000
const noReasons: CellReasons = { common: [], others: [] }

function tally(lists: readonly (readonly string[])[]): CellReasons {
  const all = [...new Set(lists.flat())]
  const isCommon = (reason: string): boolean => lists.every((l) => l.includes(reason))
  return { common: all.filter(isCommon), others: all.filter((r) => !isCommon(r)) }
}
