import type { TextProblem } from '../problem.ts'
import { isBuiltin, RulesetBuilder } from './apply.ts'
import type { ChainBuilder } from './chain-builder.ts'
import { type Command, isTableName, takeCommand } from './command.ts'
import type { Rule, Ruleset, TableName } from './rule.ts'
import { scanRuleSpec } from './scan.ts'
import { type Token, tokenize } from './token.ts'

/** Longest chain name: XT_EXTENSION_MAXNAMELEN less one. */
const longestChain = 28

/**
 * Executes text for iptables-restore, line by line. A line with a problem is left out and told; the others count. Also takes
 * lines of `iptables -S` and lines with `iptables -t TABLE ...` in front, as scripts hold them.
 */
export class Restore {
  readonly problems: TextProblem[] = []
  readonly #builder: RulesetBuilder
  readonly #noflush: boolean
  /** Chains need no declaration: the text is a selection of rules. */
  readonly #excerpt: boolean
  /** The table of the section that is open. */
  #section: TableName | undefined
  readonly #seen = new Set<TableName>()
  /** Where each chain was first jumped to, by table. */
  readonly #jumps = new Map<TableName, Map<string, { readonly line: number; readonly found: string }>>()
  #line = 0

  constructor(ruleset: Ruleset, mode: 'flush' | 'noflush' | 'excerpt') {
    this.#builder = new RulesetBuilder(ruleset)
    this.#noflush = mode === 'noflush'
    this.#excerpt = mode === 'excerpt'
  }

  run(text: string): undefined {
    for (const line of text.split('\n')) {
      this.#line++
      const trimmed = line.trim()
      if (trimmed !== '' && !trimmed.startsWith('#')) this.#read(trimmed)
    }
    if (this.#section) this.#bad('the end of the text', 'COMMIT at the end of the table')
    if (!this.#excerpt) this.#checkJumps()
  }

  result(): { readonly ruleset: Ruleset; readonly problems: readonly TextProblem[] } {
    return { ruleset: this.#builder.build(), problems: this.problems.toSorted((a, b) => a.line - b.line) }
  }

  #bad(found: string, expected: string, line = this.#line): undefined {
    this.problems.push({ line, found, expected })
  }

  #read(line: string): undefined {
    if (line === 'COMMIT') {
      if (!this.#section) this.#bad('COMMIT', '*TABLE before COMMIT')
      this.#section = undefined
    } else if (line.startsWith('*')) this.#openTable(line.slice(1))
    else if (line.startsWith(':')) this.#chainLine(line)
    else this.#commandLine(line)
  }

  #openTable(name: string): undefined {
    if (this.#section) this.#bad(`*${name}`, `COMMIT at the end of table ${this.#section}`)
    if (!isTableName(name)) return this.#bad(`*${name}`, 'a table: *raw, *mangle, *nat, *filter or *security')
    if (!this.#noflush && this.#seen.has(name))
      this.#bad(`*${name}`, `each table once: what stood in the first *${name} is flushed by the second`)
    this.#section = name
    this.#seen.add(name)
    this.#builder.table(name)
    if (!this.#noflush) {
      this.#builder.flushTable(name)
      this.#jumps.delete(name)
    }
  }

  /** `:NAME POLICY [packets:bytes]`. With --noflush it empties a user chain, and leaves a built-in one's rules alone. */
  #chainLine(line: string): undefined {
    const [name = '', policy, counters] = line.slice(1).trim().split(/\s+/)
    if (!this.#section) return this.#bad(line, '*TABLE before the chains')
    if (!this.#nameIsGood(name)) return
    if (counters !== undefined && !/^\[\d+:\d+\]$/.test(counters))
      return this.#bad(counters, '[packets:bytes] after the policy')
    if (isBuiltin(this.#section, name)) return this.#policy(this.#section, name, policy)
    if (policy !== undefined && policy !== '-')
      return this.#bad(line, `:${name} - (only built-in chains have a policy)`)
    this.#builder.chain(this.#section, name).flush()
  }

  #policy(table: TableName, name: string, policy: string | undefined): undefined {
    if (policy === '-') return
    if (policy === 'ACCEPT' || policy === 'DROP') this.#builder.chain(table, name).policy = policy
    else this.#bad(`${name} ${policy ?? ''}`.trim(), `a policy for ${name}: ACCEPT or DROP`)
  }

  #nameIsGood(name: string): boolean {
    const good = name !== '' && name.length <= longestChain && !/^[-!]|\s/.test(name)
    if (!good) this.#bad(name, `a chain name of 1 to ${longestChain} characters that does not begin with "-" or "!"`)
    return good
  }

  #commandLine(text: string): undefined {
    const shell = /^(?:sudo\s+)?(?:ip6?tables)(?:-(?:nft|legacy))?\s+/.exec(text)
    const counters = /^\[(\d{1,15}):(\d{1,15})\]\s*/.exec(text)
    const prefix = shell?.[0] ?? counters?.[0] ?? ''
    const tokens = tokenize(text.slice(prefix.length), shell !== null)
    if (tokens === undefined) return this.#bad(text, 'a closing quote')
    const command = takeCommand(tokens)
    const counts = counters ? { packets: Number(counters[1]), bytes: Number(counters[2]) } : undefined
    const table = this.#tableOf(command)
    if (table) this.#execute(table, command, text, (rule) => (counts ? { ...rule, counters: counts } : rule))
  }

  #tableOf(command: Command): TableName | undefined {
    const name = command.table ?? this.#section ?? 'filter'
    if (isTableName(name)) return name
    this.#bad(`-t ${name}`, 'a table: raw, mangle, nat, filter or security')
    return undefined
  }

  #execute(table: TableName, command: Command, text: string, counted: (rule: Rule) => Rule): undefined {
    const { name, chain } = command
    if (name === undefined)
      return this.#bad(text, 'a line of iptables-save: *TABLE, :CHAIN POLICY, -A CHAIN ..., COMMIT')
    if (chain === undefined) return this.#wholeTable(table, command, text)
    if (this.#excerpt && name === 'append') this.#make(table, chain)
    const known = this.#builder.table(table).get(chain)
    if (name === 'new')
      return known ? this.#bad(text, `a new name: chain ${chain} is there already`) : this.#make(table, chain)
    if (!known) return this.#bad(text, `a chain of table ${table}; ":${chain} - [0:0]" or -N ${chain} makes it`)
    this.#onChain(table, known, command, text, counted)
  }

  #wholeTable(table: TableName, { name }: Command, text: string): undefined {
    const chains = this.#builder.table(table)
    if (name === 'flush') for (const chain of chains.values()) chain.flush()
    else if (name === 'remove') {
      for (const chain of [...chains.values()])
        if (!isBuiltin(table, chain.name) && chain.rules.length === 0) chains.delete(chain.name)
    } else if (name !== 'zero') this.#bad(text, 'a chain name')
  }

  #make(table: TableName, chain: string): undefined {
    if (this.#nameIsGood(chain)) this.#builder.chain(table, chain)
  }

  #onChain(
    table: TableName,
    chain: ChainBuilder,
    command: Command,
    text: string,
    counted: (rule: Rule) => Rule,
  ): undefined {
    switch (command.name) {
      case 'flush':
        return chain.flush()
      case 'policy':
        return isBuiltin(table, chain.name)
          ? this.#policy(table, chain.name, command.argument)
          : this.#bad(text, 'a built-in chain: only those have a policy')
      case 'remove':
        return this.#removeChain(table, chain, text)
      case 'rename':
        return this.#rename(table, chain, command.argument, text)
      case 'zero':
      case 'check':
        return
      case 'delete':
        if (command.number !== undefined) return this.#deleteAt(chain, command.number, text)
    }
    const rules = this.#rules(command.rest, table, text)?.map(counted)
    if (rules) this.#change(chain, command, rules, text)
  }

  #change(chain: ChainBuilder, command: Command, rules: readonly Rule[], text: string): undefined {
    const at = command.number ?? 1
    if (command.name === 'append') for (const rule of rules) chain.append(rule)
    else if (command.name === 'delete') for (const rule of rules) this.#deleteRule(chain, rule, text)
    else if (command.name === 'insert' && at === 1) for (const rule of rules) chain.prepend(rule)
    else if (command.name === 'insert') {
      if (at > chain.rules.length + 1) return this.#bad(text, `a number up to ${chain.rules.length + 1}`)
      chain.splice(at - 1, 0, ...rules.toReversed())
    } else if (command.name === 'replace') {
      if (command.number === undefined || at > chain.rules.length || rules.length !== 1)
        return this.#bad(text, `-R CHAIN NUMBER with a number up to ${chain.rules.length} and one rule`)
      chain.splice(at - 1, 1, ...rules)
    }
  }

  #rules(tokens: readonly Token[], table: TableName, text: string): readonly Rule[] | undefined {
    const { rules, problems } = scanRuleSpec(tokens, this.#builder.family)
    for (const problem of problems) this.#bad(problem.found, problem.expected)
    for (const { target } of rules) {
      if (target?.kind === 'drop' && table === 'nat') this.#bad(text, 'no DROP in table nat, which iptables refuses')
      if (target?.kind !== 'jump' && target?.kind !== 'goto') continue
      const jumps = this.#jumps.get(table) ?? new Map()
      if (!jumps.has(target.chain)) jumps.set(target.chain, { line: this.#line, found: text })
      this.#jumps.set(table, jumps)
    }
    return problems.length === 0 ? rules : undefined
  }

  #deleteRule(chain: ChainBuilder, rule: Rule, text: string): undefined {
    const at = chain.indexOf(rule)
    if (at < 0) this.#bad(text, `a rule that stands in ${chain.name}`)
    else chain.splice(at, 1)
  }

  #deleteAt(chain: ChainBuilder, number: number, text: string): undefined {
    if (number > chain.rules.length) this.#bad(text, `a rule number of ${chain.name}, which has ${chain.rules.length}`)
    else chain.splice(number - 1, 1)
  }

  #removeChain(table: TableName, chain: ChainBuilder, text: string): undefined {
    if (isBuiltin(table, chain.name)) return this.#bad(text, 'a chain that is not built in')
    if (chain.rules.length > 0) return this.#bad(text, `-F ${chain.name} before: a chain with rules cannot be deleted`)
    this.#builder.table(table).delete(chain.name)
  }

  #rename(table: TableName, chain: ChainBuilder, to: string | undefined, text: string): undefined {
    const chains = this.#builder.table(table)
    if (to === undefined || chains.has(to) || isBuiltin(table, chain.name))
      return this.#bad(text, '-E OLD NEW, NEW being free')
    if (!this.#nameIsGood(to)) return
    const { rules } = chain.build()
    chains.delete(chain.name)
    this.#builder.chain(table, to).splice(0, 0, ...rules)
  }

  /** A jump that leads nowhere makes iptables-restore refuse the table. */
  #checkJumps(): undefined {
    for (const [table, jumps] of this.#jumps) {
      const chains = this.#builder.table(table)
      for (const [chain, { line, found }] of jumps)
        if (!chains.has(chain)) this.#bad(found, `${chain} to be a chain of table ${table} or a target`, line)
    }
  }
}
