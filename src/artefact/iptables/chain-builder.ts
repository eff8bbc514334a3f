import { formatRuleSpec } from './print.ts'
import type { Chain, Rule } from './rule.ts'

/** One chain while it is changed. Adding at either end costs the same, however long the chain is. */
export class ChainBuilder {
  readonly name: string
  policy: 'ACCEPT' | 'DROP' | undefined
  readonly #original: Chain
  #rules: Rule[] | undefined
  /** Rules put before the others, the first of them last. */
  #front: Rule[] = []
  /** Texts of the rules, made when first asked for. */
  #texts: Set<string> | undefined

  constructor(chain: Chain) {
    this.#original = chain
    this.name = chain.name
    this.policy = chain.policy
  }

  get rules(): readonly Rule[] {
    if (this.#front.length > 0) {
      this.#rules = [...this.#front.reverse(), ...(this.#rules ?? this.#original.rules)]
      this.#front = []
    }
    return this.#rules ?? this.#original.rules
  }

  append(rule: Rule): undefined {
    this.#own().push(rule)
    this.#texts?.add(formatRuleSpec(rule))
  }

  prepend(rule: Rule): undefined {
    this.#front.push(rule)
    this.#texts?.add(formatRuleSpec(rule))
  }

  /** Replaces `removed` rules from index `at` (from 0) by the given ones. */
  splice(at: number, removed: number, ...added: readonly Rule[]): undefined {
    this.#rules = this.rules.toSpliced(at, removed, ...added)
    this.#texts = undefined
  }

  flush(): undefined {
    this.#rules = []
    this.#front = []
    this.#texts = undefined
  }

  /** Whether an equal rule stands in the chain: `iptables -C`. */
  has(rule: Rule): boolean {
    this.#texts ??= new Set(this.rules.map(formatRuleSpec))
    return this.#texts.has(formatRuleSpec(rule))
  }

  /** Index of the first equal rule, or -1. */
  indexOf(rule: Rule): number {
    const text = formatRuleSpec(rule)
    return this.rules.findIndex((r) => formatRuleSpec(r) === text)
  }

  build(): Chain {
    const rules = this.rules
    if (rules === this.#original.rules && this.policy === this.#original.policy) return this.#original
    return { name: this.name, ...(this.policy ? { policy: this.policy } : {}), rules }
  }

  #own(): Rule[] {
    this.#rules ??= [...this.#original.rules]
    return this.#rules
  }
}
