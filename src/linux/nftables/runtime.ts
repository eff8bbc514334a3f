import type { NftExpression } from '../../artefact/nft/expression.ts'
import { emptyNft, type NftFamily, type NftRuleset, type NftTable, tableKey } from '../../artefact/nft/ruleset.ts'
import type { NftStatement } from '../../artefact/nft/statement.ts'
import type { NftElement } from '../../artefact/nft/value.ts'
import type { Family } from '../../net/ip.ts'
import type { Hook } from '../netfilter/hook.ts'
import { type PreparedBase, type PreparedNftTable, prepareNftTable } from './prepare.ts'

/** nftables in one network namespace. */
export interface NftRuntime {
  readonly ruleset: NftRuleset
  readonly tables: readonly PreparedNftTable[]
  /** Base chains by hook, lowest priority first; of equal ones the newest. */
  readonly chains: Readonly<Record<Family, Readonly<Record<Hook, readonly PreparedBase[]>>>>
  readonly hasNat: Readonly<Record<Family, boolean>>
  /** Connections are tracked because of its rules. */
  readonly tracks: Readonly<Record<Family, boolean>>
}

export const hooks: readonly Hook[] = ['prerouting', 'input', 'forward', 'output', 'postrouting']

/** Makes the ruleset ready. `previous`: what stood there before, whose learned elements and counters stay. */
export function nftRuntime(ruleset: NftRuleset, now: () => number, previous?: NftRuntime): NftRuntime {
  if (previous?.ruleset === ruleset) return previous
  return ruleset === emptyNft ? withoutTables() : prepare(ruleset, now, previous)
}

/** Without tables there is nothing that a packet could change: all namespaces have the same. */
const withoutTables = (): NftRuntime => {
  shared ??= prepare(emptyNft, () => 0, undefined)
  return shared
}
let shared: NftRuntime | undefined

function prepare(ruleset: NftRuleset, now: () => number, previous: NftRuntime | undefined): NftRuntime {
  const before = new Map(previous?.tables.map((table) => [table.name, table]))
  const tables = ruleset.tables.map((table) => {
    const same = before.get(tableKey(table))
    return same?.table === table ? same : prepareNftTable(table, now, same)
  })
  const active = tables.filter(({ table }) => !table.flags?.includes('dormant'))
  const of = (family: Family): readonly PreparedNftTable[] => active.filter(({ table }) => hasFamily(table, family))
  return {
    ruleset,
    tables,
    chains: { ipv4: chainsOf(of('ipv4')), ipv6: chainsOf(of('ipv6')) },
    hasNat: { ipv4: of('ipv4').some(hasNatChain), ipv6: of('ipv6').some(hasNatChain) },
    tracks: { ipv4: of('ipv4').some(tracksConnections), ipv6: of('ipv6').some(tracksConnections) },
  }
}

const wordOf = { ipv4: 'ip', ipv6: 'ip6' } as const satisfies Record<Family, NftFamily>
const hasFamily = ({ family }: NftTable, of: Family): boolean => family === 'inet' || family === wordOf[of]

function chainsOf(tables: readonly PreparedNftTable[]): Readonly<Record<Hook, readonly PreparedBase[]>> {
  const bases = tables.flatMap((table) =>
    table.table.chains.flatMap((chain): PreparedBase[] => (chain.base ? [{ table, chain, base: chain.base }] : [])),
  )
  // nf_hook_entries_grow: a new entry goes before those of its own priority.
  const sorted = bases.reverse().sort((a, b) => a.base.priority - b.base.priority)
  const at = (hook: Hook): readonly PreparedBase[] => sorted.filter(({ base }) => base.hook === hook)
  return {
    prerouting: at('prerouting'),
    input: at('input'),
    forward: at('forward'),
    output: at('output'),
    postrouting: at('postrouting'),
  }
}

const hasNatChain = ({ table }: PreparedNftTable): boolean => table.chains.some(({ base }) => base?.type === 'nat')

/**
 * nf_ct_netns_get is called by the expressions that translate or look at a connection, not by a nat chain: without one of
 * them connections are not tracked, and nat chains see nothing.
 */
const tracksConnections = (prepared: PreparedNftTable): boolean =>
  prepared.table.chains.some((chain) => chain.rules.some(({ statements }) => statements.some(looksAtConnection)))

function looksAtConnection(s: NftStatement): boolean {
  switch (s.kind) {
    case 'match':
    case 'exists':
      return usesConnection(s.left)
    case 'vmap':
    case 'set-change':
      return usesConnection(s.key)
    case 'assign':
      return s.field === 'ct mark' || usesConnection(s.value)
    case 'nat':
    case 'masquerade':
    case 'redirect':
      return true
    default:
      return false
  }
}

function usesConnection(e: NftExpression): boolean {
  switch (e.kind) {
    case 'field':
      return e.field.startsWith('ct ')
    case 'concat':
      return e.parts.some(usesConnection)
    case 'bitwise':
      return usesConnection(e.left)
    case 'map':
      return usesConnection(e.key)
    case 'fib':
    case 'numgen':
    case 'value':
      return false
  }
}

/** What `nft list ruleset` prints now: with the elements that packets added, and the time that they have left. */
export function listNft({ ruleset, tables }: NftRuntime, now: number): NftRuleset {
  return { tables: ruleset.tables.map((table, i) => listTable(table, tables[i], now)) }
}

function listTable(table: NftTable, prepared: PreparedNftTable | undefined, now: number): NftTable {
  const elements = (name: string, given: readonly NftElement[]): readonly NftElement[] =>
    prepared?.setsUsed.get(name)?.runtime.elements(now) ?? given
  const chains = table.chains.map((chain) => {
    const entered = prepared?.chainsEntered.get(chain.name)
    if (!entered) return chain
    return {
      ...chain,
      rules: entered.rules.map(({ rule, counter }) => ({ ...rule, statements: counted(rule.statements, counter) })),
    }
  })
  return { ...table, sets: table.sets.map((set) => ({ ...set, elements: elements(set.name, set.elements) })), chains }
}

const counted = (
  statements: readonly NftStatement[],
  counter: { readonly packets: number; readonly bytes: number },
): readonly NftStatement[] => statements.map((s) => (s.kind === 'counter' ? { ...s, counter: { ...counter } } : s))
