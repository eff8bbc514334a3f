import type { NftCommand } from '../../artefact/nft/command.ts'
import { formatElement } from '../../artefact/nft/expression.ts'
import { formatNftRule } from '../../artefact/nft/print.ts'
import type { NftChain, NftSet, NftTable } from '../../artefact/nft/ruleset.ts'
import { formatValue, type NftElement } from '../../artefact/nft/value.ts'
import { isServiceChain } from './names.ts'

/** What a kube-proxy knows between two syncs. Times in milliseconds. */
export interface NftProxierState {
  readonly table: NftTable
  /** Chains that are no longer used, and since when: flushed already, not yet deleted. */
  readonly stale: ReadonlyMap<string, number>
}

export interface NftSync {
  /** One transaction: only what changed. */
  readonly commands: readonly NftCommand[]
  readonly state: NftProxierState
}

/** Unused chains stay for a second, since maps of other transactions may still lead to them (proxier.go, staleChains). */
const staleFor = 1000

/** The transaction that brings what was installed to what is wanted. */
export function syncNft(wanted: NftTable, previous: NftProxierState | undefined, now: number): NftSync {
  const at = { family: wanted.family, name: wanted.name }
  const before = previous?.table
  const stale = staleChains(wanted, previous, now)
  const commands: NftCommand[] = [
    ...(before
      ? []
      : [{ op: 'add-table' as const, at, ...(wanted.comment !== undefined && { comment: wanted.comment }) }]),
    ...wanted.sets.flatMap((set) => addedSet(at, set, before)),
    ...wanted.chains.flatMap((chain) => addedChain(at, chain, before)),
    ...wanted.chains.flatMap((chain) => changedRules(at, chain, before, previous?.stale.has(chain.name) === true)),
    ...wanted.sets.flatMap((set) => changedElements(at, set, before)),
    ...stale.flushed.map((name): NftCommand => ({ op: 'flush-chain', at, name })),
    ...stale.deleted.map((name): NftCommand => ({ op: 'delete-chain', at, name })),
    ...(before?.sets ?? [])
      .filter((set) => !wanted.sets.some((s) => s.name === set.name))
      .map(({ name }): NftCommand => ({ op: 'delete-set', at, name })),
  ]
  return { commands, state: { table: wanted, stale: stale.left } }
}

type At = Pick<NftTable, 'family' | 'name'>

function staleChains(wanted: NftTable, previous: NftProxierState | undefined, now: number) {
  const used = new Set(wanted.chains.map(({ name }) => name))
  const known = previous?.stale ?? new Map<string, number>()
  const unused = (previous?.table.chains ?? []).map(({ name }) => name).filter((name) => !used.has(name))
  const flushed = unused.filter((name) => isServiceChain(name) && !known.has(name))
  const waiting = [...known].filter(([name]) => !used.has(name))
  const deleted = waiting.filter(([, since]) => now - since > staleFor).map(([name]) => name)
  const left = new Map([
    ...waiting.filter(([name]) => !deleted.includes(name)),
    ...flushed.map((name) => [name, now] as const),
  ])
  return { flushed, deleted, left }
}

function addedSet(at: At, set: NftSet, before: NftTable | undefined): readonly NftCommand[] {
  if (before?.sets.some((s) => s.name === set.name)) return []
  return [{ op: 'add-set', at, set: { ...set, elements: [] } }]
}

function addedChain(at: At, chain: NftChain, before: NftTable | undefined): readonly NftCommand[] {
  if (before?.chains.some((c) => c.name === chain.name)) return []
  const { rules: _, ...head } = chain
  return [{ op: 'add-chain', at, chain: head }]
}

/** A chain is rewritten whole where any of its rules changed. */
function changedRules(at: At, chain: NftChain, before: NftTable | undefined, wasStale: boolean): readonly NftCommand[] {
  const old = before?.chains.find((c) => c.name === chain.name)
  const isSame = old && !wasStale && textOf(old) === textOf(chain)
  if (isSame) return []
  const rules = chain.rules.map((rule): NftCommand => ({ op: 'add-rule', at, chain: chain.name, rule }))
  return [...(old || wasStale ? [{ op: 'flush-chain' as const, at, name: chain.name }] : []), ...rules]
}

const textOf = (chain: NftChain): string => chain.rules.map((rule) => formatNftRule(rule)).join('\n')

function changedElements(at: At, set: NftSet, before: NftTable | undefined): readonly NftCommand[] {
  const old = byKey(before?.sets.find((s) => s.name === set.name)?.elements ?? [])
  const wanted = byKey(set.elements)
  const removed = [...old].filter(([key, e]) => !isSame(e, wanted.get(key))).map(([, e]) => e)
  const added = [...wanted].filter(([key, e]) => !isSame(e, old.get(key))).map(([, e]) => e)
  return [
    ...removed.map(({ key }): NftCommand => ({ op: 'delete-element', at, set: set.name, elements: [{ key }] })),
    ...added.map((element): NftCommand => ({ op: 'add-element', at, set: set.name, elements: [element] })),
  ]
}

const byKey = (elements: readonly NftElement[]): ReadonlyMap<string, NftElement> =>
  new Map(elements.map((element) => [formatValue(element.key), element]))

const isSame = (a: NftElement, b: NftElement | undefined): boolean =>
  b !== undefined && formatElement(a) === formatElement(b)
