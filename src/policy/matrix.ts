import { addBit, andInto, type Bitset, countMembers, hasBit, transpose, wordsFor } from './bitset.ts'
import { type CompiledPolicies, compilePolicies } from './compile.ts'
import type { End } from './end.ts'
import { classify, type EndClasses } from './end-class.ts'
import { remembered } from './label-index.ts'
import type { Policy } from './policy.ts'
import type { MatrixQuery } from './port-sets.ts'

/** Who may open a connection to whom. Positions are those of the ends that were given. */
export interface ReachMatrix {
  readonly ends: readonly End[]
  /** How many ends policy tells apart. */
  readonly classes: number
  allows(from: number, to: number): boolean
  /** Pairs that are allowed, each direction counted, an end with itself included. */
  count(): number
}

/** Who reaches whom among classes of ends that policy can't tell apart. Own address and own node are left out. */
export interface ClassMatrix {
  /** Row c, of `wordsFor(count)` words: the classes that may open a connection to class c. */
  readonly inbound: Bitset
  readonly count: number
  /** The classes that have the port which is asked for. */
  readonly having: Bitset
}

export interface CompiledClasses extends EndClasses {
  query(query: MatrixQuery): ClassMatrix
  /** Of classes, in place of ends. */
  readonly deciders: CompiledPolicies['deciders']
}

/** Compiles once, for any number of queries. Ends that are pods of several families are taken at their `ip`. */
export function compileClasses(policies: readonly Policy[], ends: readonly End[]): CompiledClasses {
  const { representatives, classOf } = classify(policies, ends)
  const compiled = compilePolicies(policies, representatives)
  const count = representatives.length
  return {
    ...{ representatives, classOf, deciders: compiled.deciders },
    query(query) {
      const inbound = compiled.rows('ingress', query)
      andInto(inbound, transpose(compiled.rows('egress', query), count, count))
      return { inbound, count, having: compiled.withPort(query) }
    },
  }
}

/** As `compileClasses`, for the ends themselves, with what is always allowed. */
export function compileMatrix(policies: readonly Policy[], ends: readonly End[]): (query: MatrixQuery) => ReachMatrix {
  const { classOf, query: ask } = compileClasses(policies, ends)
  return (query) => {
    const { inbound, count, having } = ask(query)
    const hasPort = (i: number): boolean => hasBit(having, classOf[i] ?? 0)
    // Rows of destinations, a row for each end; then rows of sources.
    const toEnds = expandRows(inbound, wordsFor(count), classOf, hasPort)
    const bits = expandRows(transpose(toEnds, ends.length, count), wordsFor(ends.length), classOf, () => true)
    allowOwn(bits, ends, hasPort)
    return {
      ends,
      classes: count,
      allows: (from, to) => hasBit(bits, to, from * wordsFor(ends.length)),
      count: () => countMembers(bits),
    }
  }
}

/** A row for each end: that of its class, or an empty one. */
function expandRows(rows: Bitset, words: number, classOf: Uint32Array, wanted: (end: number) => boolean): Bitset {
  const expanded = new Uint32Array(classOf.length * words)
  for (const [i, own] of classOf.entries()) {
    if (wanted(i)) expanded.set(rows.subarray(own * words, (own + 1) * words), i * words)
  }
  return expanded
}

/** A pod reaches itself, and its node reaches it, whatever policy says. */
function allowOwn(bits: Bitset, ends: readonly End[], hasPort: (i: number) => boolean): void {
  const words = wordsFor(ends.length)
  const podsAt = new Map<string, number[]>()
  for (const [i, end] of ends.entries()) {
    if (end.kind !== 'pod' || !hasPort(i)) continue
    addBit(bits, i, i * words)
    if (end.pod.node !== undefined) remembered(podsAt, end.pod.node, () => []).push(i)
  }
  for (const [i, end] of ends.entries()) {
    if (end.kind === 'node') for (const pod of podsAt.get(end.node.name) ?? []) addBit(bits, pod, i * words)
  }
}
