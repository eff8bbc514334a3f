import type { NftCommand } from './command.ts'
import {
  type NftChain,
  type NftOther,
  type NftRule,
  type NftRuleset,
  type NftSet,
  type NftTable,
  type NftTableRef,
  tableKey,
} from './ruleset.ts'
import { formatValue, type NftElement } from './value.ts'

interface DraftTable {
  readonly family: NftTable['family']
  readonly name: string
  comment: string | undefined
  flags: readonly string[] | undefined
  readonly sets: Map<string, DraftSet>
  readonly chains: Map<string, DraftChain>
  readonly others: NftOther[]
}

interface DraftSet {
  readonly set: NftSet
  /** Copied from the set when the first element changes. */
  elements: Map<string, NftElement> | undefined
}

interface DraftChain {
  readonly chain: NftChain
  rules: NftRule[] | undefined
}

/** A ruleset being changed. What no command touches keeps its identity. */
export class NftDraft {
  readonly #tables = new Map<string, DraftTable | NftTable>()

  constructor(ruleset: NftRuleset) {
    for (const table of ruleset.tables) this.#tables.set(tableKey(table), table)
  }

  /** What is wrong with the command, which then changes nothing; undefined where all is well. */
  apply(command: NftCommand): string | undefined {
    switch (command.op) {
      case 'flush-ruleset':
        for (const [key, { family }] of this.#tables) {
          if (command.family === undefined || command.family === family) this.#tables.delete(key)
        }
        return undefined
      case 'add-table':
        return this.#addTable(command)
      case 'delete-table':
      case 'destroy-table': {
        const had = this.#tables.delete(tableKey(command.at))
        return had || command.op === 'destroy-table' ? undefined : `a table: ${tableKey(command.at)} does not exist`
      }
      default:
        return this.#inTable(command)
    }
  }

  set(at: NftTableRef, name: string): NftSet | undefined {
    const table = this.#tables.get(tableKey(at))
    if (table === undefined) return undefined
    if (isDraft(table)) return table.sets.get(name)?.set
    return table.sets.find((s) => s.name === name)
  }

  result(): NftRuleset {
    return { tables: [...this.#tables.values()].map((table) => (isDraft(table) ? finished(table) : table)) }
  }

  #addTable({ at, comment, flags }: Extract<NftCommand, { op: 'add-table' }>): undefined {
    const key = tableKey(at)
    if (this.#tables.has(key)) return undefined
    const { family, name } = at
    this.#tables.set(key, { family, name, comment, flags, sets: new Map(), chains: new Map(), others: [] })
    return undefined
  }

  #inTable(command: Exclude<NftCommand, { op: 'flush-ruleset' | 'add-table' | 'delete-table' | 'destroy-table' }>) {
    const table = this.#draft(command.at)
    return table ? applyInTable(table, command) : `a table: ${tableKey(command.at)} does not exist`
  }

  #draft(at: NftTableRef): DraftTable | undefined {
    const key = tableKey(at)
    const table = this.#tables.get(key)
    if (table === undefined || isDraft(table)) return table
    const draft = draftOf(table)
    this.#tables.set(key, draft)
    return draft
  }
}

/** Carries out a whole transaction; `failures` hold what the kernel would have refused. */
export function applyNft(
  ruleset: NftRuleset,
  commands: readonly NftCommand[],
): { readonly ruleset: NftRuleset; readonly failures: readonly string[] } {
  const draft = new NftDraft(ruleset)
  const failures = commands.flatMap((command) => draft.apply(command) ?? [])
  return { ruleset: draft.result(), failures }
}

const isDraft = (table: DraftTable | NftTable): table is DraftTable => table.sets instanceof Map

const draftOf = ({ family, name, comment, flags, sets, chains, others = [] }: NftTable): DraftTable => ({
  family,
  name,
  comment,
  flags,
  sets: new Map(sets.map((set) => [set.name, { set, elements: undefined }])),
  chains: new Map(chains.map((chain) => [chain.name, { chain, rules: undefined }])),
  others: [...others],
})

function finished({ family, name, comment, flags, sets, chains, others }: DraftTable): NftTable {
  return {
    family,
    name,
    ...(comment !== undefined && { comment }),
    ...(flags && { flags }),
    sets: [...sets.values()].map(({ set, elements }) =>
      elements ? { ...set, elements: [...elements.values()] } : set,
    ),
    chains: [...chains.values()].map(({ chain, rules }) => (rules ? { ...chain, rules } : chain)),
    ...(others.length > 0 && { others }),
  }
}

type InTable = Exclude<NftCommand, { op: 'flush-ruleset' | 'add-table' | 'delete-table' | 'destroy-table' }>

function applyInTable(table: DraftTable, command: InTable): string | undefined {
  switch (command.op) {
    case 'flush-table':
      for (const chain of table.chains.values()) chain.rules = []
      return undefined
    case 'add-chain':
      return addChain(table, command.chain)
    case 'add-set':
      return addSet(table, command.set)
    case 'add-other':
      table.others.push(command.other)
      return undefined
    case 'add-rule':
      return addRule(table, command)
    case 'flush-chain': {
      const chain = table.chains.get(command.name)
      if (chain) chain.rules = []
      return chain ? undefined : noSuch('chain', command.name)
    }
    case 'flush-set': {
      const set = table.sets.get(command.name)
      if (set) set.elements = new Map()
      return set ? undefined : noSuch('set', command.name)
    }
    case 'delete-chain':
      return table.chains.delete(command.name) ? undefined : noSuch('chain', command.name)
    case 'delete-set':
      return table.sets.delete(command.name) ? undefined : noSuch('set', command.name)
    case 'destroy-chain':
      table.chains.delete(command.name)
      return undefined
    case 'destroy-set':
      table.sets.delete(command.name)
      return undefined
    case 'add-element':
    case 'delete-element':
      return changeElements(table, command)
  }
}

const noSuch = (what: string, name: string): string => `a ${what}: ${name} does not exist`

/** `add` of what is there already changes nothing, except that a policy may change. */
function addChain(table: DraftTable, chain: Omit<NftChain, 'rules'>): string | undefined {
  const known = table.chains.get(chain.name)
  if (!known) {
    table.chains.set(chain.name, { chain: { ...chain, rules: [] }, rules: undefined })
    return undefined
  }
  if (chain.base === undefined) return undefined
  const { base } = known.chain
  const isSame =
    base?.type === chain.base.type && base.hook === chain.base.hook && base.priority === chain.base.priority
  if (!isSame) return `the hook that chain ${chain.name} has already`
  table.chains.set(chain.name, { chain: { ...known.chain, base: chain.base }, rules: known.rules })
  return undefined
}

function addSet(table: DraftTable, set: NftSet): string | undefined {
  const known = table.sets.get(set.name)
  if (!known) table.sets.set(set.name, { set, elements: undefined })
  else for (const element of set.elements) elementsOf(known).set(formatValue(element.key), element)
  return undefined
}

function addRule(table: DraftTable, { chain: name, rule, index }: Extract<NftCommand, { op: 'add-rule' }>) {
  const chain = table.chains.get(name)
  if (!chain) return noSuch('chain', name)
  chain.rules ??= [...chain.chain.rules]
  if (index === undefined) chain.rules.push(rule)
  else chain.rules.splice(index, 0, rule)
  return undefined
}

function elementsOf(set: DraftSet): Map<string, NftElement> {
  set.elements ??= new Map(set.set.elements.map((element) => [formatValue(element.key), element]))
  return set.elements
}

function changeElements(
  table: DraftTable,
  { op, set: name, elements }: Extract<NftCommand, { op: 'add-element' | 'delete-element' }>,
): string | undefined {
  const set = table.sets.get(name)
  if (!set) return noSuch('set', name)
  const present = elementsOf(set)
  for (const element of elements) {
    const key = formatValue(element.key)
    if (op === 'add-element') {
      if (!present.has(key)) present.set(key, element)
    } else if (!present.delete(key)) return `an element of ${name}: ${key} is none`
  }
  return undefined
}
