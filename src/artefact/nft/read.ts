import type { Origin } from '../origin.ts'
import type { TextProblem } from '../problem.ts'
import type { NftCommand } from './command.ts'
import { wholeNumber } from './datatype.ts'
import { NftDraft } from './draft.ts'
import { type ChainHead, readChain } from './read-chain.ts'
import { dataOf, readFlagWords, readSet } from './read-set.ts'
import { readRule } from './read-statement.ts'
import { readElements } from './read-value.ts'
import { NftReader, Unreadable } from './reader.ts'
import { emptyNft, type NftFamily, type NftRule, type NftRuleset, type NftTableRef } from './ruleset.ts'

export interface NftParsed {
  readonly ruleset: NftRuleset
  readonly problems: readonly TextProblem[]
}

/** The text of `nft list ruleset`, or a script for `nft -f`, run on an empty kernel. */
export const parseNft = (text: string, origin?: Origin): NftParsed => runNft(emptyNft, text, origin)

/** What `nft -f` with this text makes of the ruleset. The new rules and sets carry the origin. */
export function runNft(ruleset: NftRuleset, text: string, origin?: Origin): NftParsed {
  const script = new Script(ruleset, text, origin)
  return script.run()
}

const families: readonly string[] = ['ip', 'ip6', 'inet'] satisfies NftFamily[]
const isFamily = (text: string): text is NftFamily => families.includes(text)

class Script {
  readonly #r: NftReader
  readonly #draft: NftDraft
  readonly #problems: TextProblem[] = []
  readonly #origin: Origin | undefined

  constructor(ruleset: NftRuleset, text: string, origin: Origin | undefined) {
    this.#r = new NftReader(text)
    this.#draft = new NftDraft(ruleset)
    this.#origin = origin
  }

  run(): NftParsed {
    const r = this.#r
    for (r.skipBlank(); r.peek.kind !== 'end'; r.skipBlank()) {
      if (r.accept('}')) this.#tell(r.ahead(-1).line, '}', 'a command or a table')
      else this.#guarded(() => this.#command())
    }
    return { ruleset: this.#draft.result(), problems: this.#problems }
  }

  #tell(line: number, found: string, expected: string): void {
    this.#problems.push({ line, found, expected })
  }

  /** What cannot be read is told, and reading goes on behind the statement. */
  #guarded(read: () => void): void {
    try {
      read()
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      const { line, text } = this.#r.peek
      this.#problems.push(error.problem ?? { line, found: text, expected: 'something that is known here' })
      this.#r.skipStatement()
    }
  }

  #apply(command: NftCommand, line: number): void {
    const failure = this.#draft.apply(command)
    if (failure !== undefined) this.#tell(line, command.op.replace('-', ' '), failure)
  }

  #command(): void {
    const r = this.#r
    const { text, line } = r.peek
    if (text === 'table') {
      this.#table(line)
      return
    }
    r.take((word) => (verbs.has(word) ? word : undefined), 'a command (add, delete, flush, ...) or a table')
    const object = r.word('table, chain, rule, set, map, element or ruleset')
    if (object === 'ruleset' && text === 'flush') {
      const family = isFamily(r.peek.text) ? r.peek.text : undefined
      if (family) r.next()
      this.#apply({ op: 'flush-ruleset', ...(family && { family }) }, line)
      return
    }
    if (object === 'table' && (text === 'add' || text === 'create')) {
      this.#table(line, true)
      return
    }
    this.#onObject(text, object, this.#ref(), line)
  }

  #ref(): NftTableRef {
    const r = this.#r
    const family = isFamily(r.peek.text) ? r.peek.text : 'ip'
    if (isFamily(r.peek.text)) r.next()
    const name = r.word('the name of a table')
    return this.#enter({ family, name })
  }

  #enter(at: NftTableRef): NftTableRef {
    this.#r.family = at.family
    this.#r.setOf = (name) => this.#draft.set(at, name)
    return at
  }

  /** `table ip x { ... }`, or `add table ip x`. */
  #table(line: number, isCommand = false): void {
    const r = this.#r
    if (!isCommand) r.next()
    if (['arp', 'bridge', 'netdev'].includes(r.peek.text)) r.fail('a table of family ip, ip6 or inet')
    const at = this.#ref()
    if (r.peek.text !== '{') {
      this.#apply({ op: 'add-table', at }, line)
      return
    }
    r.next()
    const head: { comment?: string; flags?: readonly string[] } = {}
    for (r.skipBlank(); readTableOption(r, head); r.skipBlank());
    this.#apply({ op: 'add-table', at, ...head }, line)
    for (r.skipBlank(); !r.accept('}') && r.peek.kind !== 'end'; r.skipBlank()) {
      this.#guarded(() => this.#inTable(at))
    }
  }

  #inTable(at: NftTableRef): void {
    const r = this.#r
    const { line, start, text } = r.peek
    if (text === 'chain') {
      r.next()
      this.#chain(at, r.word('the name of a chain'), line)
      return
    }
    if (text === 'set' || text === 'map') {
      r.next()
      this.#set(at, text, r.word(`the name of a ${text}`), line)
      return
    }
    while (r.peek.text !== '{' && !r.endsStatement) r.next()
    const head = r.text.slice(start, r.peek.start).trim()
    const body = r.skipStatement().replace(/^\{|\}$/g, '')
    const lines = body
      .split('\n')
      .map((bodyLine) => bodyLine.trim().replace(/;$/, '').trim())
      .filter((bodyLine) => bodyLine !== '')
    this.#apply({ op: 'add-other', at, other: { head, lines } }, line)
  }

  #chain(at: NftTableRef, name: string, line: number): void {
    const addHead = (chain: ChainHead): void => this.#apply({ op: 'add-chain', at, chain }, line)
    readChain(this.#r, name, addHead, () => this.#guarded(() => this.#rule(at, name)))
  }

  #rule(at: NftTableRef, chain: string, index?: number): void {
    const { line } = this.#r.peek
    const read = this.#readRule()
    const rule = this.#origin ? { ...read, origin: this.#origin } : read
    this.#apply({ op: 'add-rule', at, chain, rule, ...(index !== undefined && { index }) }, line)
  }

  /** A rule that cannot be read stands there all the same: a packet that reaches it is undecided. */
  #readRule(): NftRule {
    const { start } = this.#r.peek
    try {
      return readRule(this.#r)
    } catch (error) {
      if (!(error instanceof Unreadable) || !error.problem) throw error
      this.#problems.push(error.problem)
      const { start: at } = this.#r.peek
      return { statements: [{ kind: 'other', text: this.#r.text.slice(start, at) + this.#r.skipStatement() }] }
    }
  }

  #set(at: NftTableRef, kind: 'set' | 'map', name: string, line: number): void {
    const read = readSet(this.#r, kind, name)
    this.#apply({ op: 'add-set', at, set: this.#origin ? { ...read, origin: this.#origin } : read }, line)
  }

  #onObject(verb: string, object: string, at: NftTableRef, line: number): void {
    const r = this.#r
    const isNew = verb === 'add' || verb === 'create'
    switch (object) {
      case 'table':
        this.#apply({ op: tableOp[verb] ?? r.fail(`another command for a table than ${verb}`), at }, line)
        return
      case 'chain': {
        const name = r.word('the name of a chain')
        if (!isNew) this.#removal(verb, 'chain', at, name, line)
        else if (r.peek.text === '{') this.#chain(at, name, line)
        else this.#apply({ op: 'add-chain', at, chain: { name } }, line)
        return
      }
      case 'set':
      case 'map': {
        const name = r.word(`the name of a ${object}`)
        if (isNew) this.#set(at, object, name, line)
        else this.#removal(verb, 'set', at, name, line)
        return
      }
      case 'element':
        this.#elements(verb, at, line)
        return
      case 'rule':
        this.#ruleCommand(verb, at)
        return
      default:
        r.fail(`table, chain, rule, set, map or element instead of "${object}"`)
    }
  }

  #removal(verb: string, what: 'chain' | 'set', at: NftTableRef, name: string, line: number): void {
    if (verb !== 'delete' && verb !== 'destroy' && verb !== 'flush') this.#r.fail(`add, delete or flush, not ${verb}`)
    this.#apply({ op: `${verb}-${what}`, at, name }, line)
  }

  #elements(verb: string, at: NftTableRef, line: number): void {
    const r = this.#r
    const name = r.take((text) => (this.#draft.set(at, text) ? text : undefined), 'a set or map of this table')
    const set = this.#draft.set(at, name)
    const isAdded = verb === 'add' || verb === 'create'
    const elements = readElements(r, set?.key ?? [], isAdded && set ? dataOf(set) : undefined)
    this.#apply({ op: isAdded ? 'add-element' : 'delete-element', at, set: name, elements }, line)
  }

  #ruleCommand(verb: string, at: NftTableRef): void {
    const r = this.#r
    const chain = r.word('the name of a chain')
    if (verb !== 'add' && verb !== 'insert') r.fail('add or insert: rules have no handles here')
    if (r.accept('index')) {
      const index = r.take(wholeNumber, 'the index of a rule')
      this.#rule(at, chain, verb === 'add' ? index + 1 : index)
    } else this.#rule(at, chain, verb === 'insert' ? 0 : undefined)
  }
}

const verbs: ReadonlySet<string> = new Set(['add', 'create', 'insert', 'delete', 'destroy', 'flush'])
const tableOp: Readonly<Record<string, 'delete-table' | 'destroy-table' | 'flush-table'>> = {
  delete: 'delete-table',
  destroy: 'destroy-table',
  flush: 'flush-table',
}

function readTableOption(r: NftReader, head: { comment?: string; flags?: readonly string[] }): boolean {
  if (r.accept('comment')) head.comment = r.word('a comment in quotes')
  else if (r.accept('flags')) head.flags = readFlagWords(r)
  else return false
  return true
}
