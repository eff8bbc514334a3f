import { option } from '../module.ts'
import type { MatchModule } from './match-module.ts'

export type SetDirection = 'src' | 'dst'
export const setExpected = 'a set name, then up to six of src and dst with commas between'

export function parseSet(
  values: readonly string[],
): { readonly set: string; readonly directions: readonly SetDirection[] } | undefined {
  const [set = '', list = ''] = values
  const directions = list.split(',')
  const known = directions.filter((d): d is SetDirection => d === 'src' || d === 'dst')
  return set === '' || set.length > 31 || known.length !== directions.length || known.length > 6
    ? undefined
    : { set, directions: known }
}

export const set: MatchModule<'set'> = {
  names: ['set'],
  options: { 'match-set': 2 },
  kept: [
    'return-nomatch',
    'update-counters',
    'update-subcounters',
    'packets-eq',
    'packets-lt',
    'packets-gt',
    'bytes-eq',
    'bytes-lt',
    'bytes-gt',
  ],
  read: (given) => {
    const value = given.values('match-set', parseSet, setExpected)
    if (given.need(value, 'match-set NAME src|dst[,...]') === undefined || value === undefined) return undefined
    const { set: name, directions } = value.value
    return { kind: 'set', set: value.not ? { not: true, value: name } : { value: name }, directions }
  },
  write: (m) => option('match-set', m.set, (name) => `${name} ${m.directions.join(',')}`),
}
