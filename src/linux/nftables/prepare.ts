import type { NftSet } from '../../artefact/nft/ruleset.ts'
import { type NftBase, type NftChain, type NftRule, type NftTable, tableKey } from '../../artefact/nft/ruleset.ts'
import { formatValue } from '../../artefact/nft/value.ts'
import { type RuntimeSet, runtimeSet } from './sets.ts'
import { type PreparedStatement, prepareStatement } from './statement.ts'

export type SetsOf = (name: string) => RuntimeSet | undefined

/** A table whose chains and sets are made ready the first time that a packet needs them. */
export interface PreparedNftTable {
  readonly table: NftTable
  /** `ip kube-proxy`. */
  readonly name: string
  chain(name: string): PreparedNftChain | undefined
  readonly set: SetsOf
  /** Those that some packet needed. */
  readonly chainsEntered: ReadonlyMap<string, PreparedNftChain>
  readonly setsUsed: ReadonlyMap<string, { readonly set: NftSet; readonly runtime: RuntimeSet }>
}

export interface PreparedNftChain {
  readonly chain: NftChain
  readonly rules: readonly PreparedNftRule[]
}

export interface PreparedNftRule {
  readonly rule: NftRule
  readonly statements: readonly PreparedStatement[]
  /** Of packets that passed all conditions, kernel state. */
  readonly counter: { packets: number; bytes: number }
}

export interface PreparedBase {
  readonly table: PreparedNftTable
  readonly chain: NftChain
  readonly base: NftBase
}

/** `previous`: the same table before. What packets put into its sets stays, and so do unchanged chains. */
export function prepareNftTable(table: NftTable, now: () => number, previous?: PreparedNftTable): PreparedNftTable {
  const chains = new Map(table.chains.map((chain) => [chain.name, chain]))
  const sets = new Map(table.sets.map((set) => [set.name, set]))
  const ready = new Map<string, PreparedNftChain>()
  const used = new Map<string, { readonly set: NftSet; readonly runtime: RuntimeSet }>()
  const set: SetsOf = (name) => {
    const known = used.get(name)
    if (known) return known.runtime
    const source = sets.get(name)
    if (!source) return undefined
    const runtime = runtimeSet(source, now(), learnedBefore(source, previous, now()))
    used.set(name, { set: source, runtime })
    return runtime
  }
  const prepared: PreparedNftTable = {
    table,
    name: tableKey(table),
    set,
    chainsEntered: ready,
    setsUsed: used,
    chain(name) {
      const known = ready.get(name)
      if (known) return known
      const source = chains.get(name)
      if (!source) return undefined
      const made = prepareChain(source, prepared)
      ready.set(name, made)
      return made
    },
  }
  return prepared
}

/** What packets put into the set while it was like this. */
function learnedBefore(set: NftSet, previous: PreparedNftTable | undefined, now: number) {
  const before = previous?.setsUsed.get(set.name)
  if (!before || before.set.key.join() !== set.key.join()) return []
  const given = new Set(before.set.elements.map(({ key }) => formatValue(key)))
  return before.runtime.elements(now).filter(({ key }) => !given.has(formatValue(key)))
}

function prepareChain(chain: NftChain, table: PreparedNftTable): PreparedNftChain {
  const rules = chain.rules.map((rule, i): PreparedNftRule => {
    const place = { table: table.name, chain: chain.name, index: i + 1 }
    const scope = { place, sets: table.set }
    const statements = rule.statements.map((s) => prepareStatement(s, scope, table.table.family))
    return { rule, statements, counter: counterOf(rule) }
  })
  return { chain, rules }
}

/** Starts from what the rule was loaded with. */
function counterOf({ statements }: NftRule): { packets: number; bytes: number } {
  const counter = statements.find((s) => s.kind === 'counter')
  return counter?.kind === 'counter' ? { ...counter.counter } : { packets: 0, bytes: 0 }
}
