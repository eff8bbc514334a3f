import { option } from '../module.ts'
import { formatMasked, markExpected, parseMasked } from '../value.ts'
import type { MatchModule, MatchOf } from './match-module.ts'

const markModule = <K extends 'mark' | 'connmark'>(kind: K): MatchModule<K> => ({
  names: [kind],
  options: { mark: 1 },
  read: (given) => {
    const value = given.value('mark', parseMasked, markExpected)
    if (given.need(value, 'mark VALUE[/MASK]') === undefined || value === undefined) return undefined
    return { kind, mark: value } as MatchOf<K>
  },
  write: (m) => option('mark', (m as MatchOf<'mark'>).mark, formatMasked),
})

export const mark = markModule('mark')
export const connmark = markModule('connmark')
