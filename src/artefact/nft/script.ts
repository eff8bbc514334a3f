import type { NftCommand } from './command.ts'
import { formatElement } from './expression.ts'
import { formatNftRule, formatTypes } from './print.ts'
import { type NftChain, type NftSet, type NftTable, type NftTableRef, tableKey } from './ruleset.ts'

/** One transaction as programs on sigs.k8s.io/knftables hand it to `nft -f`, one command a line. */
export const formatNftScript = (commands: readonly NftCommand[]): string =>
  commands.map((command) => `${formatNftCommand(command)}\n`).join('')

export function formatNftCommand(command: NftCommand): string {
  switch (command.op) {
    case 'flush-ruleset':
      return command.family ? `flush ruleset ${command.family}` : 'flush ruleset'
    case 'add-table':
      return `add table ${tableKey(command.at)}${braces(commentOption(command.comment), flagsOption(command.flags))}`
    case 'delete-table':
    case 'destroy-table':
    case 'flush-table':
      return `${verbOf(command.op)} table ${tableKey(command.at)}`
    case 'add-chain':
      return `add chain ${tableKey(command.at)} ${chainText(command.chain)}`
    case 'delete-chain':
    case 'destroy-chain':
    case 'flush-chain':
    case 'delete-set':
    case 'destroy-set':
    case 'flush-set':
      return `${verbOf(command.op)} ${command.op.split('-')[1]} ${tableKey(command.at)} ${command.name}`
    case 'add-set':
      return `add ${setText(command.at, command.set)}`
    case 'add-element':
    case 'delete-element': {
      const elements = command.elements.map(formatElement).join(', ')
      return `${verbOf(command.op)} element ${tableKey(command.at)} ${command.set} { ${elements} }`
    }
    case 'add-rule': {
      const { at, chain, rule, index } = command
      const where = `${tableKey(at)} ${chain}${index ? ` index ${index}` : ''}`
      return `${index === undefined ? 'add' : 'insert'} rule ${where} ${formatNftRule(rule, 'script')}`
    }
    case 'add-other':
      return `table ${tableKey(command.at)} { ${command.other.head} { ${command.other.lines.join(' ; ')} ; } ; }`
  }
}

/** Everything in a table as sigs.k8s.io/knftables dumps its fake: tables, chains, sets, maps, rules, elements. */
export function dumpNftTable(table: NftTable): string {
  const at: NftTableRef = table
  const byName = <T extends { readonly name: string }>(list: readonly T[]): readonly T[] =>
    list.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const chains = byName(table.chains)
  const sets = [
    ...byName(table.sets.filter((s) => s.kind === 'set')),
    ...byName(table.sets.filter((s) => s.kind === 'map')),
  ]
  const lines = [
    `add table ${tableKey(at)}${braces(commentOption(table.comment), flagsOption(table.flags))}`,
    ...chains.map((chain) => `add chain ${tableKey(at)} ${chainText(chain)}`),
    ...sets.map((set) => `add ${setText(at, { ...set, elements: [] })}`),
    ...chains.flatMap(({ name, rules }) =>
      rules.map((rule) => `add rule ${tableKey(at)} ${name} ${formatNftRule(rule, 'script')}`),
    ),
    ...sets.flatMap(({ name, elements }) =>
      elements.map((e) => `add element ${tableKey(at)} ${name} { ${formatElement(e)} }`).sort(),
    ),
  ]
  return `${lines.join('\n')}\n`
}

const verbOf = (op: string): string => op.split('-')[0] ?? op

const commentOption = (comment: string | undefined): string => (comment === undefined ? '' : `comment "${comment}"`)
const flagsOption = (flags: readonly string[] | undefined): string => (flags ? `flags ${flags.join(',')}` : '')

function braces(...options: readonly string[]): string {
  const given = options.filter((option) => option !== '')
  return given.length === 0 ? '' : ` { ${given.map((option) => `${option} ; `).join('')}}`
}

function chainText({ name, base, comment }: Omit<NftChain, 'rules'>): string {
  const hook = base ? `type ${base.type} hook ${base.hook} priority ${base.priority}` : ''
  const policy = base?.policy === 'drop' ? 'policy drop' : ''
  return `${name}${braces(hook, policy, commentOption(comment))}`
}

function setText(at: NftTableRef, set: NftSet): string {
  const { kind, name, flags, timeout, gcInterval, size, policy, autoMerge, counter, comment, elements } = set
  const options = braces(
    formatTypes(set),
    flagsOption(flags),
    timeout === undefined ? '' : `timeout ${Math.round(timeout / 1000)}s`,
    gcInterval === undefined ? '' : `gc-interval ${Math.round(gcInterval / 1000)}s`,
    size === undefined ? '' : `size ${size}`,
    policy === undefined ? '' : `policy ${policy}`,
    autoMerge ? 'auto-merge' : '',
    counter ? 'counter' : '',
    commentOption(comment),
    elements.length === 0 ? '' : `elements = { ${elements.map(formatElement).join(', ')} }`,
  )
  return `${kind} ${tableKey(at)} ${name}${options}`
}
