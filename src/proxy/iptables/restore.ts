import type { IptablesEdit } from '../../artefact/iptables/edit.ts'
import { formatRestoreRule, type RestoreDialect } from './restore-text.ts'
import type { ChainRule } from './rule-parts.ts'

/** One line after the chain lines of a table: a rule, or `-X`. */
export type RestoreLine = ChainRule | { readonly deleteChain: string }

/** What kube-proxy hands to `iptables-restore --noflush --counters`. A chain that is named is emptied first. */
export interface RestoreTable {
  readonly table: 'filter' | 'nat'
  readonly chains: readonly string[]
  readonly lines: readonly RestoreLine[]
}

/** What the restore does to a ruleset. */
export const restoreEdits = (tables: readonly RestoreTable[]): IptablesEdit[] =>
  tables.flatMap(({ table, chains, lines }) => [
    ...chains.map((chain): IptablesEdit => ({ op: 'flush-chain', table, chain })),
    ...lines.map(
      (line): IptablesEdit =>
        'deleteChain' in line
          ? { op: 'delete-chain', table, chain: line.deleteChain }
          : { op: 'append', table, chain: line.chain, rule: line.rule },
    ),
  ])

/** The text of the restore, in kube-proxy's own spelling. */
export function formatRestore(tables: readonly RestoreTable[], dialect: RestoreDialect): string {
  const text: string[] = []
  for (const { table, chains, lines } of tables) {
    text.push(`*${table}`)
    for (const chain of chains) text.push(`:${chain} - [0:0]`)
    for (const line of lines) {
      text.push('deleteChain' in line ? `-X ${line.deleteChain}` : formatRestoreRule(line, dialect))
    }
    text.push('COMMIT')
  }
  return `${text.join('\n')}\n`
}
