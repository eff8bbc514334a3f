import type { Prefix } from '../net/prefix.ts'
import type { PathAttributes } from './attributes.ts'
import { nlriSize, updateCount } from './message-size.ts'
import { IntList, none } from './rib.ts'

/**
 * What a speaker tells one class of its sessions in one round: per prefix the attributes announced before and now (by
 * number, `none` for nothing) and the sessions these paths came from. A session is never told its own path, so what an
 * entry means depends on who receives it.
 */
export class Update {
  readonly class: number
  /** The one session it is for; undefined for all of the class. */
  readonly only: number | undefined
  readonly prefixes = new IntList()
  readonly before = new IntList()
  readonly beforeFrom = new IntList()
  readonly now = new IntList()
  readonly nowFrom = new IntList()

  constructor(ofClass: number, only?: number) {
    this.class = ofClass
    this.only = only
  }

  get length(): number {
    return this.prefixes.length
  }

  add(prefix: number, before: number, beforeFrom: number, now: number, nowFrom: number): void {
    this.prefixes.push(prefix)
    this.before.push(before)
    this.beforeFrom.push(beforeFrom)
    this.now.push(now)
    this.nowFrom.push(nowFrom)
  }

  /** Attribute number that entry `i` announces to the session, `withdrawn`, or `unchanged`. */
  meaning(i: number, session: number): number {
    const had = this.beforeFrom.at(i) === session ? none : this.before.at(i)
    const has = this.nowFrom.at(i) === session ? none : this.now.at(i)
    if (has === had) return unchanged
    return has === none ? withdrawn : has
  }
}

export const withdrawn = -1
export const unchanged = -2

/** A session that no path came from. */
const nobody = -(2 ** 31)

/** Messages and prefixes that an Update is for each session of the class: prefixes with equal attributes share messages. */
export class Packing {
  readonly #update: Update
  readonly #sizes: Measures
  /** Octets of prefixes by attribute number, for a session that none of the paths came from. */
  readonly #octets = new Map<number, number>()
  readonly #entriesOf = new Map<number, number[]>()
  readonly #common: Sent

  constructor(update: Update, sizes: Measures) {
    this.#update = update
    this.#sizes = sizes
    let prefixes = 0
    for (let i = 0; i < update.length; i++) {
      const meaning = update.meaning(i, nobody)
      if (meaning !== unchanged) prefixes++
      this.#count(this.#octets, meaning, i, 1)
      for (const from of new Set([update.nowFrom.at(i), update.beforeFrom.at(i)])) {
        if (from >= 0) this.#entriesOf.set(from, [...(this.#entriesOf.get(from) ?? []), i])
      }
    }
    let messages = 0
    for (const [attributes, octets] of this.#octets) messages += this.#messages(octets, attributes)
    this.#common = { messages, prefixes }
  }

  sentTo(session: number): Sent {
    const own = this.#entriesOf.get(session)
    if (!own) return this.#common
    let { messages, prefixes } = this.#common
    const changed = new Map<number, number>()
    for (const i of own) {
      const [common, here] = [this.#update.meaning(i, nobody), this.#update.meaning(i, session)]
      prefixes += Number(here !== unchanged) - Number(common !== unchanged)
      this.#count(changed, common, i, -1)
      this.#count(changed, here, i, 1)
    }
    for (const [attributes, octets] of changed) {
      const before = this.#octets.get(attributes) ?? 0
      messages += this.#messages(before + octets, attributes) - this.#messages(before, attributes)
    }
    return { messages, prefixes }
  }

  #count(into: Map<number, number>, meaning: number, entry: number, sign: 1 | -1): void {
    if (meaning === unchanged) return
    const octets = nlriSize(this.#sizes.prefix(this.#update.prefixes.at(entry)))
    into.set(meaning, (into.get(meaning) ?? 0) + sign * octets)
  }

  #messages(octets: number, attributes: number): number {
    const sample = this.#sizes.prefix(this.#update.prefixes.at(0))
    return updateCount(octets, attributes === withdrawn ? undefined : this.#sizes.attributes(attributes), sample)
  }
}

export interface Sent {
  readonly messages: number
  readonly prefixes: number
}

export interface Measures {
  readonly prefix: (n: number) => Prefix
  readonly attributes: (n: number) => PathAttributes
}
