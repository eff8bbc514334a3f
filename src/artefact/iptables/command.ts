import type { TableName } from './rule.ts'
import type { Token } from './token.ts'

export type CommandName =
  | 'append'
  | 'insert'
  | 'delete'
  | 'replace'
  | 'check'
  | 'new'
  | 'remove'
  | 'flush'
  | 'policy'
  | 'rename'
  | 'zero'

const commands: Readonly<Record<string, CommandName>> = {
  '-A': 'append',
  '--append': 'append',
  '-I': 'insert',
  '--insert': 'insert',
  '-D': 'delete',
  '--delete': 'delete',
  '-R': 'replace',
  '--replace': 'replace',
  '-C': 'check',
  '--check': 'check',
  '-N': 'new',
  '--new-chain': 'new',
  '-X': 'remove',
  '--delete-chain': 'remove',
  '-F': 'flush',
  '--flush': 'flush',
  '-P': 'policy',
  '--policy': 'policy',
  '-E': 'rename',
  '--rename-chain': 'rename',
  '-Z': 'zero',
  '--zero': 'zero',
}

/** A line of iptables arguments, its command taken out. */
export interface Command {
  readonly name: CommandName | undefined
  readonly chain: string | undefined
  /** `-I CHAIN 3`, `-D CHAIN 3`, `-R CHAIN 3`: from 1. */
  readonly number: number | undefined
  /** What `-P` and `-E` give: a policy, a new name. */
  readonly argument: string | undefined
  /** The text after `-t`. */
  readonly table: string | undefined
  /** The tokens that remain: the rule. */
  readonly rest: readonly Token[]
}

export const isTableName = (text: string): text is TableName =>
  text === 'raw' || text === 'mangle' || text === 'nat' || text === 'filter' || text === 'security'

/** `-t`, the command and its chain may stand anywhere among the options. */
export function takeCommand(tokens: readonly Token[]): Command {
  const rest: Token[] = []
  let found: Omit<Command, 'table' | 'rest'> = {
    name: undefined,
    chain: undefined,
    number: undefined,
    argument: undefined,
  }
  let table: string | undefined
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]
    if (token === undefined) break
    const name = token.quoted || found.name ? undefined : commands[token.text]
    if (name) {
      const taken = takeOperands(name, tokens, i + 1)
      found = taken.command
      i = taken.last
    } else if (!token.quoted && (token.text === '-t' || token.text === '--table')) table = tokens[++i]?.text ?? ''
    else rest.push(token)
  }
  return { ...found, table, rest }
}

function takeOperands(
  name: CommandName,
  tokens: readonly Token[],
  at: number,
): { readonly command: Omit<Command, 'table' | 'rest'>; readonly last: number } {
  let next = at
  const operand = (fits: RegExp): string | undefined => {
    const token = tokens[next]
    if (token === undefined || !fits.test(token.text)) return undefined
    next++
    return token.text
  }
  const chain = operand(/^[^-!]/)
  const numbered = name === 'insert' || name === 'delete' || name === 'replace'
  const number = numbered && chain !== undefined ? operand(/^[1-9]\d*$/) : undefined
  const argument = name === 'policy' || name === 'rename' ? operand(/^[^-]/) : undefined
  return {
    command: { name, chain, number: number === undefined ? undefined : Number(number), argument },
    last: next - 1,
  }
}
