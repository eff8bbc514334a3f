import type { Family } from '../../net/ip.ts'
import type { Prefix } from '../../net/prefix.ts'
import { hasOption, type Loaded, load, optionOf } from './loaded.ts'
import { interfaceExpected, parseInterface } from './match/device.ts'
import { matchModule, protocolModule } from './match/modules.ts'
import { OptionReader } from './module.ts'
import { protocolName, protocolNumberOf } from './protocol.ts'
import type { Match, Negatable, Rule, Target } from './rule.ts'
import { standardOptions } from './standard-option.ts'
import { otherTargets, targetModule } from './target/modules.ts'
import type { Token } from './token.ts'
import { parseFamilyPrefix, prefixExpected } from './value.ts'

export interface SpecProblem {
  readonly found: string
  readonly expected: string
}

/**
 * Reads what may stand after `-A CHAIN`: options in any order, long and short, `!` before an option (or, as iptables once
 * took it, after). One rule for every pair of sources and destinations, as `-s A,B` means several rules.
 */
export function scanRuleSpec(
  tokens: readonly Token[],
  family: Family,
): { readonly rules: readonly Rule[]; readonly problems: readonly SpecProblem[] } {
  const scan = new Scan(tokens, family)
  scan.run()
  const rules = scan.problems.length === 0 ? scan.rules() : []
  return scan.problems.length === 0 ? { rules, problems: [] } : { rules: [], problems: scan.problems }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

class Scan {
  readonly problems: SpecProblem[] = []
  readonly #tokens: readonly Token[]
  readonly #family: Family
  readonly #base: Partial<Mutable<Rule>> = {}
  readonly #matches: Loaded[] = []
  #sources: readonly Negatable<Prefix>[] = []
  #destinations: readonly Negatable<Prefix>[] = []
  #target: Loaded | undefined
  #goto: string | undefined
  #otherFamily = false
  #at = 0

  constructor(tokens: readonly Token[], family: Family) {
    this.#tokens = tokens
    this.#family = family
  }

  run(): undefined {
    while (this.#at < this.#tokens.length && this.problems.length === 0) this.#next()
  }

  rules(): readonly Rule[] {
    if (this.#otherFamily) return []
    const matches = this.#matches.map((loaded) => this.#finishMatch(loaded)).filter((m) => m !== undefined)
    const target = this.#finishTarget()
    if (this.problems.length > 0) return []
    const rest = { ...this.#base, matches, ...(target ? { target } : {}) }
    return each(this.#sources).flatMap((source) =>
      each(this.#destinations).map((destination) => ({
        ...(source ? { source } : {}),
        ...(destination ? { destination } : {}),
        ...rest,
      })),
    )
  }

  #next(): undefined {
    const not = this.#bang()
    const token = this.#tokens[this.#at++]
    if (token === undefined) return this.#bad('!', 'an option after "!"')
    const short = token.quoted ? undefined : standardOptions[token.text]
    if (short !== undefined) return this.#standard(short, token.text, not)
    if (token.quoted || !token.text.startsWith('--'))
      return this.#bad(token.text, 'an option (-s, -p, -m, -j, --dport, ...)')
    this.#extensionOption(token, not)
  }

  #bang(): boolean {
    const token = this.#tokens[this.#at]
    if (token?.text !== '!' || token.quoted) return false
    this.#at++
    return true
  }

  #bad(found: string, expected: string): undefined {
    this.problems.push({ found, expected })
  }

  /** The value of an option; a `!` before the value is the older way to negate it. */
  #value(option: string): { readonly text: string; readonly not: boolean } | undefined {
    const not = this.#bang()
    const token = this.#tokens[this.#at++]
    if (token === undefined) this.#bad(option, `a value after ${option}`)
    return token && { text: token.text, not }
  }

  #standard(name: string, option: string, before: boolean): undefined {
    switch (name) {
      case '4':
        this.#otherFamily ||= this.#family !== 'ipv4'
        return
      case '6':
        this.#otherFamily ||= this.#family !== 'ipv6'
        return
      case 'ignored':
        return
      case 'wait':
        if (/^\d+$/.test(this.#tokens[this.#at]?.text ?? '')) this.#at++
        return
      case 'f':
        return this.#fragment(before)
      case 'c':
        return this.#counters()
    }
    const value = this.#value(option)
    if (value === undefined) return
    this.#valued(name, option, value.text, before || value.not)
  }

  #valued(name: string, option: string, text: string, not: boolean): undefined {
    if (not && 'mjg'.includes(name)) return this.#bad(`! ${option}`, `${option} without "!"`)
    const negation = not ? { not: true as const } : {}
    switch (name) {
      case 's':
        this.#sources = this.#addresses(option, text, not)
        return
      case 'd':
        this.#destinations = this.#addresses(option, text, not)
        return
      case 'i':
      case 'o':
        return this.#interface(name, option, text, negation)
      case 'p':
        return this.#protocol(option, text, negation)
      case 'm':
        this.#matches.push(load(text, matchModule(text)))
        return
      case 'j':
        if (this.#target || this.#goto !== undefined) return this.#bad(`${option} ${text}`, 'only one -j or -g')
        this.#target = load(text, targetModule(text))
        return
      case 'g':
        if (this.#target || this.#goto !== undefined) return this.#bad(`${option} ${text}`, 'only one -j or -g')
        this.#goto = text
    }
  }

  #addresses(option: string, text: string, not: boolean): readonly Negatable<Prefix>[] {
    const parse = parseFamilyPrefix(this.#family)
    const parts = text.split(',')
    if (not && parts.length > 1) this.#bad(`! ${option} ${text}`, 'one address after "!", not several')
    const prefixes: Negatable<Prefix>[] = []
    for (const part of parts) {
      const value = parse(part)
      if (value === undefined) this.#bad(`${option} ${part}`, prefixExpected(this.#family))
      else if (not) prefixes.push({ not: true, value })
      else if (value.length > 0) prefixes.push({ value })
    }
    return prefixes
  }

  #interface(name: 'i' | 'o', option: string, text: string, negation: { readonly not?: true }): undefined {
    const value = parseInterface(text)
    if (value === undefined) return this.#bad(`${option} ${text}`, interfaceExpected)
    if (value === '+' && !negation.not) return
    this.#base[name === 'i' ? 'inInterface' : 'outInterface'] = { ...negation, value }
  }

  #protocol(option: string, text: string, negation: { readonly not?: true }): undefined {
    const number = protocolNumberOf(text)
    if (number === undefined)
      return this.#bad(`${option} ${text}`, 'a protocol: tcp, udp, sctp, icmp, all, a number, ...')
    if (number === 0) return negation.not ? this.#bad('! -p all', 'a protocol that can match') : undefined
    this.#base.protocol = { ...negation, value: protocolName(number) }
  }

  #fragment(not: boolean): undefined {
    if (this.#family === 'ipv6') return this.#bad('-f', '-m frag in IPv6; -f is for IPv4')
    this.#base.fragment = not ? { not: true, value: true } : { value: true }
  }

  #counters(): undefined {
    const packets = parseCount(this.#tokens[this.#at++]?.text)
    const bytes = parseCount(this.#tokens[this.#at++]?.text)
    if (packets === undefined || bytes === undefined) return this.#bad('-c', 'two numbers after -c: packets and bytes')
    this.#base.counters = { packets, bytes }
  }

  #extensionOption(token: Token, not: boolean): undefined {
    const name = token.text.slice(2)
    const owner = this.#ownerOf(name) ?? this.#unmodelled()
    if (owner === undefined) return this.#noOwner(token)
    const modelled = owner.module && optionOf(owner.module, name)
    if (!modelled) return this.#keep(owner, token, not)
    const [canonical, arity] = modelled
    const negated = (arity > 0 && this.#bang()) || not
    const values = this.#tokens.slice(this.#at, this.#at + arity)
    this.#at += arity
    if (values.length < arity)
      return this.#bad(token.text, `${arity === 1 ? 'a value' : 'two values'} after ${token.text}`)
    if (owner.given.has(canonical)) return this.#bad(token.text, `--${canonical} only once`)
    owner.given.set(canonical, { not: negated, values: values.map((v) => v.text) })
    owner.raw.push(...(negated ? ['!'] : []), token.raw, ...values.map((v) => v.raw))
  }

  /** The extension named last wins, as in iptables; else the match that `-p` implies. */
  #ownerOf(name: string): Loaded | undefined {
    const candidates = [...this.#matches, ...(this.#target ? [this.#target] : [])].reverse()
    const loaded = candidates.find((c) => c.module && hasOption(c.module, name))
    if (loaded) return loaded
    const implied = protocolModule(this.#positiveProtocol())
    if (!implied || !hasOption(implied, name)) return undefined
    const added = load(implied.names[0] ?? '', implied)
    this.#matches.push(added)
    return added
  }

  /** An option that no modelled extension has belongs to the extension named last that is not modelled. */
  #unmodelled(): Loaded | undefined {
    if (this.#target && !this.#target.module) return this.#target
    return this.#matches.findLast((m) => !m.module)
  }

  #noOwner(token: Token): undefined {
    const named = [...this.#matches, ...(this.#target ? [this.#target] : [])].map((l) => l.name)
    this.#bad(
      token.text,
      named.length === 0 ? 'an option of iptables' : `an option of iptables or of ${named.join(', ')}`,
    )
  }

  #keep(owner: Loaded, token: Token, not: boolean): undefined {
    owner.opaque = true
    owner.raw.push(...(not ? ['!'] : []), token.raw)
    for (let next = this.#tokens[this.#at]; next && isValue(next); next = this.#tokens[this.#at]) {
      owner.raw.push(next.raw)
      this.#at++
    }
  }

  #positiveProtocol(): string | undefined {
    return this.#base.protocol?.not ? undefined : this.#base.protocol?.value
  }

  #reader(loaded: Loaded): OptionReader {
    const context = { family: this.#family, protocol: this.#positiveProtocol() }
    return new OptionReader(loaded.given, context, (found, expected) =>
      this.#bad(found === '' ? `${loaded.name} without options` : found, expected),
    )
  }

  #finishMatch(loaded: Loaded): Match | undefined {
    const text = loaded.raw.join(' ')
    if (!loaded.module || loaded.opaque) return { kind: 'unknown', module: loaded.name, text }
    const needed = loaded.module.needsProtocol
    if (needed && !needed.includes(this.#positiveProtocol() ?? ''))
      this.#bad(`-m ${loaded.name}`, `-p ${needed.join(', -p ')} in a rule with -m ${loaded.name}`)
    return loaded.module.read(this.#reader(loaded)) as Match | undefined
  }

  #finishTarget(): Target | undefined {
    if (this.#goto !== undefined) return { kind: 'goto', chain: this.#goto }
    const loaded = this.#target
    if (!loaded) return undefined
    const text = loaded.raw.join(' ')
    if (loaded.module && !loaded.opaque) return loaded.module.read(this.#reader(loaded)) as Target | undefined
    if (loaded.opaque || otherTargets.has(loaded.name)) return { kind: 'unknown', name: loaded.name, text }
    return { kind: 'jump', chain: loaded.name }
  }
}

const each = <T>(values: readonly T[]): readonly (T | undefined)[] => (values.length === 0 ? [undefined] : values)

/** Values of an unknown option: anything that is no option. A quoted word is always a value. */
const isValue = (token: Token): boolean => token.quoted || (!/^-{1,2}[A-Za-z]/.test(token.text) && token.text !== '!')

/** Counters have 64 bits; what a number can't hold exactly is no count that anyone reads. */
const parseCount = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
