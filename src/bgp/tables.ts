import { formatPrefix, type Prefix } from '../net/prefix.ts'
import { attributesKey, type PathAttributes } from './attributes.ts'
import type { RouteSource } from './filter.ts'
import type { LocalTarget } from './speaker.ts'

/** A route of a RIB without its prefix and its source's number: what equal routes share. */
export interface Route {
  readonly source: RouteSource
  readonly preference: number
  /** Absent for BGP, whose next hop is resolved. */
  readonly target?: LocalTarget
  readonly metric?: number | undefined
  /** Kernel routes only: protocol number. */
  readonly protocol?: number | undefined
  readonly tunnel?: string | undefined
  /** BGP only. */
  readonly attributes?: PathAttributes
}

/** Gives equal values one number and one object. */
export class Interned<Value> {
  readonly #numbers = new Map<string, number>()
  readonly #values: Value[] = []
  readonly #keyOf: (value: Value) => string
  constructor(keyOf: (value: Value) => string) {
    this.#keyOf = keyOf
  }
  numberOf(value: Value): number {
    const key = this.#keyOf(value)
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    this.#numbers.set(key, this.#values.length)
    return this.#values.push(value) - 1
  }
  at(n: number): Value {
    const value = this.#values[n]
    if (value === undefined) throw new RangeError(`nothing has the number ${n}`)
    return value
  }
  get size(): number {
    return this.#values.length
  }
}

/** What all speakers of one convergence share: prefixes, attribute sets and routes, by number. */
export interface Tables {
  readonly prefixes: Interned<Prefix>
  readonly attributes: Interned<PathAttributes>
  readonly routes: Interned<Route>
}

export const emptyTables = (): Tables => ({
  prefixes: new Interned(formatPrefix),
  attributes: new Interned(attributesKey),
  routes: new Interned(routeKey),
})

function routeKey({ source, preference, target, metric, protocol, tunnel, attributes }: Route): string {
  const to = target && Object.values(target).join(' ')
  return [source, preference, to, metric, protocol, tunnel, attributes && attributesKey(attributes)].join('#')
}
