import { type DataType, isDataType, wholeNumber } from './datatype.ts'
import { typesOf } from './expression.ts'
import { readExpression } from './read-expression.ts'
import { type ElementData, readElements } from './read-value.ts'
import type { NftReader } from './reader.ts'
import type { NftSet } from './ruleset.ts'
import { parseTime } from './time.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** What stands between the braces of a set or map. */
export function readSet(r: NftReader, kind: 'set' | 'map', name: string): NftSet {
  const set: Mutable<NftSet> = { kind, name, key: [], elements: [] }
  r.expect('{')
  for (r.skipBlank(); !r.accept('}'); r.skipBlank()) {
    readSetOption(r, set)
    if (!r.endsStatement) r.fail('";" or the end of the line')
  }
  if (set.key.length === 0) r.fail('the type of the set')
  return set
}

function readSetOption(r: NftReader, set: Mutable<NftSet>): void {
  const option = r.word('an option of a set: type, flags, elements, ...')
  switch (option) {
    case 'type':
      readTypes(r, set)
      return
    case 'typeof':
      readTypeof(r, set)
      return
    case 'flags':
      set.flags = readFlagWords(r)
      return
    case 'timeout':
      set.timeout = r.take(parseTime, 'a time, as 3h or 10800s')
      return
    case 'gc-interval':
      set.gcInterval = r.take(parseTime, 'a time, as 10s')
      return
    case 'size':
      set.size = r.take(wholeNumber, 'a number of elements')
      return
    case 'policy':
      set.policy = r.word('memory or performance')
      return
    case 'comment':
      set.comment = r.word('a comment in quotes')
      return
    case 'auto-merge':
      set.autoMerge = true
      return
    case 'counter':
      set.counter = true
      return
    case 'elements':
      r.expect('=')
      set.elements = readElements(r, set.key, dataOf(set))
      return
    default:
      r.fail('an option of a set: type, flags, timeout, gc-interval, size, policy, comment, counter, elements')
  }
}

export const dataOf = ({ data }: NftSet): ElementData | undefined => data

function readTypes(r: NftReader, set: Mutable<NftSet>): void {
  set.key = readTypeList(r)
  if (!r.accept(':')) return
  if (r.accept('verdict')) set.data = 'verdict'
  else {
    r.accept('interval')
    set.data = readTypeList(r)
  }
}

function readTypeList(r: NftReader): readonly DataType[] {
  const types = [readType(r)]
  while (r.accept('.')) types.push(readType(r))
  return types
}

const readType = (r: NftReader): DataType =>
  r.take((text) => (isDataType(text) ? text : undefined), 'a data type, as ipv4_addr')

function readTypeof(r: NftReader, set: Mutable<NftSet>): void {
  const key = readTypeofExpression(r)
  set.key = key.types
  set.keyOf = key.text
  if (!r.accept(':')) return
  if (r.accept('verdict')) {
    set.data = 'verdict'
    return
  }
  const data = readTypeofExpression(r)
  set.data = data.types
  set.dataOf = data.text
}

function readTypeofExpression(r: NftReader): { readonly types: readonly DataType[]; readonly text: string } {
  const { start } = r.peek
  const types = typesOf(readExpression(r))
  return { types, text: r.text.slice(start, r.ahead(-1).end) }
}

export function readFlagWords(r: NftReader): readonly string[] {
  const flags = [r.word('a flag')]
  while (r.accept(',')) flags.push(r.word('a flag'))
  return flags
}
