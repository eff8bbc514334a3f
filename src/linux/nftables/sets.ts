import type { NftSet } from '../../artefact/nft/ruleset.ts'
import { formatValue, type NftElement, type NftValue } from '../../artefact/nft/value.ts'
import { familyOf, ipToBigInt, parseIp } from '../../net/ip.ts'
import { lastAddress } from '../../net/prefix.ts'

/** A set or map while packets look at it and change it. */
export interface RuntimeSet {
  readonly size: number
  /** The element that holds the key now, given as the texts of its parts. */
  find(key: readonly string[], now: number): NftElement | undefined
  /** `update` starts the time of a known element anew, `add` does not. False: the set is full. */
  put(key: readonly string[], now: number, timeout: number | undefined, refresh: boolean): boolean
  remove(key: readonly string[]): void
  /** What `nft list set` prints of it now. */
  elements(now: number): readonly NftElement[]
}

interface Entry {
  readonly element: NftElement
  /** Virtual milliseconds; undefined: never. */
  expires: number | undefined
}

const keyText = (parts: readonly string[]): string => parts.join(' . ')

/** nft_set_rhash, nft_set_pipapo: equal keys by hash, intervals one after another. `now`: virtual milliseconds. */
export function runtimeSet(
  set: Pick<NftSet, 'elements' | 'flags' | 'timeout' | 'size'>,
  now: number,
  learned: readonly NftElement[] = [],
): RuntimeSet {
  const exact = new Map<string, Entry>()
  const intervals: { readonly holds: (parts: readonly string[]) => boolean; readonly element: NftElement }[] = []
  const expiry = (own: number | undefined, at: number): number | undefined => {
    const time = own ?? set.timeout
    return time === undefined || time === 0 ? undefined : at + time
  }
  for (const element of [...set.elements, ...learned]) {
    const parts = exactParts(element.key)
    if (!parts) intervals.push({ holds: holdsKey(element.key), element })
    else if (!exact.has(keyText(parts))) {
      exact.set(keyText(parts), { element, expires: expiry(element.expires ?? element.timeout, now) })
    }
  }
  const live = (key: string, at: number): Entry | undefined => {
    const entry = exact.get(key)
    if (entry?.expires === undefined || entry.expires > at) return entry
    exact.delete(key)
    return undefined
  }
  return {
    get size() {
      return exact.size + intervals.length
    },
    find: (key, at) => live(keyText(key), at)?.element ?? intervals.find(({ holds }) => holds(key))?.element,
    put(key, at, timeout, refresh) {
      const text = keyText(key)
      const known = live(text, at)
      if (known) {
        if (refresh) known.expires = expiry(timeout, at)
        return true
      }
      if (exact.size >= (set.size ?? 65535)) return false
      exact.set(text, { element: { key: keyOf(key) }, expires: expiry(timeout, at) })
      return true
    },
    remove: (key) => void exact.delete(keyText(key)),
    elements: (at) => [
      ...[...exact.keys()].flatMap((key) => listed(live(key, at), at)),
      ...intervals.map(({ element }) => element),
    ],
  }
}

const listed = (entry: Entry | undefined, now: number): readonly NftElement[] =>
  entry ? [entry.expires === undefined ? entry.element : { ...entry.element, expires: entry.expires - now }] : []

function keyOf(key: readonly string[]): NftValue {
  const parts = key.map((text): NftValue => ({ kind: 'literal', text }))
  const [only] = parts
  return parts.length === 1 && only ? only : { kind: 'concat', parts }
}

/** The texts of a key without intervals; undefined for one that stands for many. */
function exactParts(key: NftValue): readonly string[] | undefined {
  if (key.kind === 'concat') {
    const parts = key.parts.map(exactParts)
    return parts.every((part) => part !== undefined) ? parts.flat() : undefined
  }
  if (key.kind === 'literal') return key.text.endsWith('*') ? undefined : [key.text]
  return key.kind === 'flags' ? [formatValue(key)] : undefined
}

export function holdsKey(key: NftValue): (parts: readonly string[]) => boolean {
  const tests = (key.kind === 'concat' ? key.parts : [key]).map(holdsText)
  return (parts) => key.kind === 'any' || tests.every((test, i) => test(parts[i] ?? ''))
}

/** Whether one canonical text is what the value stands for. */
export function holdsText(value: NftValue): (text: string) => boolean {
  switch (value.kind) {
    case 'literal': {
      const { text } = value
      if (text.endsWith('*') && value.quoted) return (given) => given.startsWith(text.slice(0, -1))
      return (given) => given === text
    }
    case 'prefix':
      return within(value.prefix.address, lastAddress(value.prefix))
    case 'range':
      return within(value.from, value.to)
    case 'flags': {
      const text = value.names.join(',')
      return (given) => given === text
    }
    case 'any':
      return () => true
    case 'concat':
      return () => false
  }
}

function within(from: string, to: string): (text: string) => boolean {
  const [low, high] = [orderOf(from), orderOf(to)]
  if (low === undefined || high === undefined) return () => false
  const first = parseIp(from)
  const family = first && familyOf(first)
  return (text) => {
    const ip = parseIp(text)
    if ((ip && familyOf(ip)) !== family) return false
    const at = orderOf(text)
    return at !== undefined && at >= low && at <= high
  }
}

/** Addresses and numbers, comparable with their kind. */
export function orderOf(text: string): bigint | undefined {
  const ip = parseIp(text)
  if (ip !== undefined) return ipToBigInt(ip)
  return /^(\d+|0x[0-9a-f]+)$/i.test(text) ? BigInt(text) : undefined
}
