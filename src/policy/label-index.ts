import type { LabelSelector, Labels } from '../kube/objects/meta.ts'
import { matchesLabelSelector } from '../kube/selector.ts'
import { addBit, type Bitset, difference, emptySet, intersection, orInto } from './bitset.ts'
import { termsOf } from './miss.ts'

/** The members that a selector selects. */
export type LabelIndex = (selector: LabelSelector) => Bitset

/**
 * For selectors over many objects: each term is asked once per value of its key, and answers are combined as sets.
 * `labels[i]` are those of member i; a member without any (`undefined`) is never selected.
 */
export function labelIndex(labels: readonly (Labels | undefined)[]): LabelIndex {
  const size = labels.length
  const everyone = emptySet(size)
  for (const [i, l] of labels.entries()) if (l) addBit(everyone, i)
  const keys = new Map<string, ReadonlyMap<string, Bitset>>()
  const valuesOf = (key: string): ReadonlyMap<string, Bitset> => remembered(keys, key, () => byValue(labels, key))
  const terms = new Map<string, Bitset>()
  const selected = (key: string, selector: LabelSelector): Bitset =>
    remembered(terms, JSON.stringify(selector), () => membersOf(valuesOf(key), everyone, key, selector))
  return (selector) => {
    const [first = everyone, ...rest] = termsOf(selector).map((term) => selected(term.key, term.selector))
    return rest.reduce(intersection, first)
  }
}

export function remembered<K, V>(cache: Map<K, V>, key: K, make: () => V): V {
  const found = cache.get(key)
  if (found !== undefined) return found
  const made = make()
  cache.set(key, made)
  return made
}

function byValue(labels: readonly (Labels | undefined)[], key: string): ReadonlyMap<string, Bitset> {
  const values = new Map<string, Bitset>()
  for (const [i, l] of labels.entries()) {
    const value = l && Object.hasOwn(l, key) ? l[key] : undefined
    if (value !== undefined)
      addBit(
        remembered(values, value, () => emptySet(labels.length)),
        i,
      )
  }
  return values
}

/** `selector` has one term, about `key`. */
function membersOf(
  values: ReadonlyMap<string, Bitset>,
  everyone: Bitset,
  key: string,
  selector: LabelSelector,
): Bitset {
  const withKey = new Uint32Array(everyone.length)
  const found = new Uint32Array(everyone.length)
  const [expression] = selector.matchExpressions ?? []
  // Terms that name the values they take need not be asked about any other.
  const named = expression?.operator === 'In' ? expression.values : selector.matchLabels && [selector.matchLabels[key]]
  if (named) {
    for (const value of named) orInto(found, values.get(value ?? '') ?? found)
    return found
  }
  for (const [value, set] of values) {
    orInto(withKey, set)
    if (matchesLabelSelector(selector, { [key]: value })) orInto(found, set)
  }
  if (matchesLabelSelector(selector, {})) orInto(found, difference(everyone, withKey))
  return found
}
