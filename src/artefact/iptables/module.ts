import type { Family } from '../../net/ip.ts'
import type { Negatable } from './rule.ts'

/** An option as it stood in a rule, its name spelled in the one way that its module uses. */
export interface GivenOption {
  readonly not: boolean
  readonly values: readonly string[]
}

/** The number of values that an option takes, or the option that it is another name of. */
export type OptionSpec = 0 | 1 | 2 | string

/** One match or target extension: its names, its options, and both directions between them and the typed value. */
export interface ExtensionModule<T> {
  /** As written after `-m` or `-j`; the first is the one that is printed. */
  readonly names: readonly string[]
  readonly options: Readonly<Record<string, OptionSpec>>
  /** The rule must have one of these after `-p`, or the kernel refuses it. */
  readonly needsProtocol?: readonly string[]
  /** Options that exist and are not modelled: with one of them the whole extension is kept as text. */
  readonly kept?: readonly string[]
  /** Undefined only after a problem was told to the reader. */
  read(given: OptionReader): T | undefined
  /** The arguments after the name, as iptables-save prints them. */
  write(value: T): string
}

/** The given options of one extension, read with problems collected. */
export class OptionReader {
  readonly family: Family
  /** The rule's `-p`, as printed. */
  readonly protocol: string | undefined
  readonly #given: ReadonlyMap<string, GivenOption>
  readonly #report: (found: string, expected: string) => void

  constructor(
    given: ReadonlyMap<string, GivenOption>,
    context: { readonly family: Family; readonly protocol: string | undefined },
    report: (found: string, expected: string) => void,
  ) {
    this.#given = given
    this.family = context.family
    this.protocol = context.protocol
    this.#report = report
  }

  has(name: string): boolean {
    return this.#given.has(name)
  }

  bad(found: string, expected: string): undefined {
    this.#report(found, expected)
    return undefined
  }

  /** All values of an option at once. */
  values<T>(
    name: string,
    parse: (values: readonly string[]) => T | undefined,
    expected: string,
  ): Negatable<T> | undefined {
    const option = this.#given.get(name)
    if (option === undefined) return undefined
    const value = parse(option.values)
    if (value === undefined) return this.bad(`--${name} ${option.values.join(' ')}`, expected)
    return option.not ? { not: true, value } : { value }
  }

  value<T>(name: string, parse: (text: string) => T | undefined, expected: string): Negatable<T> | undefined {
    return this.values(name, ([text = '']) => parse(text), expected)
  }

  /** An option that takes no `!`. */
  plain<T>(name: string, parse: (text: string) => T | undefined, expected: string): T | undefined {
    const value = this.value(name, parse, expected)
    if (value?.not) return this.bad(`! --${name}`, `--${name} without "!"`)
    return value?.value
  }

  flag(name: string): Negatable<true> | undefined {
    return this.values(name, () => true as const, '')
  }

  plainFlag(name: string): true | undefined {
    return this.plain(name, () => true as const, '')
  }

  /** `text` when the one option that is needed is missing. */
  need<T>(value: T | undefined, option: string): T | undefined {
    const name = option.split(' ')[0] ?? option
    if (value === undefined && !this.has(name)) return this.bad('', `--${option}`)
    return value
  }
}

/** `--name value`, with `!` before it where it is negated; nothing for an absent option. */
export function option<T>(name: string, given: Negatable<T> | undefined, format: (value: T) => string): string {
  if (given === undefined) return ''
  const value = format(given.value)
  return `${given.not ? '! ' : ''}--${name}${value === '' ? '' : ` ${value}`}`
}

export const flagOption = (name: string, given: Negatable<true> | true | undefined): string =>
  option(name, given === true ? { value: true } : given, () => '')

export const words = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ')
