import { present } from '../../problem.ts'
import { parseSet, setExpected } from '../match/set.ts'
import { flagOption, type OptionReader, words } from '../module.ts'
import { parseInteger } from '../value.ts'
import type { TargetModule, TargetOf } from './target-module.ts'

export const notrack: TargetModule<'notrack'> = {
  names: ['NOTRACK'],
  options: {},
  read: () => ({ kind: 'notrack' }),
  write: () => '',
}

export const ct: TargetModule<'ct'> = {
  names: ['CT'],
  options: { notrack: 0, zone: 1, helper: 1 },
  kept: ['zone-orig', 'zone-reply', 'ctevents', 'expevents', 'timeout'],
  read: (given) =>
    present<TargetOf<'ct'>>({
      kind: 'ct',
      notrack: given.plainFlag('notrack'),
      helper: given.plain('helper', (text) => text || undefined, 'the name of a conntrack helper'),
      zone: given.plain('zone', parseInteger(0, 65535), 'a zone from 0 to 65535') || undefined,
    }),
  write: (t) =>
    words(
      flagOption('notrack', t.notrack),
      t.helper === undefined ? '' : `--helper ${t.helper}`,
      t.zone ? `--zone ${t.zone}` : '',
    ),
}

export const checksum: TargetModule<'checksum'> = {
  names: ['CHECKSUM'],
  options: { 'checksum-fill': 0 },
  read: (given) => {
    given.need(given.plainFlag('checksum-fill'), 'checksum-fill')
    return { kind: 'checksum', text: '--checksum-fill' }
  },
  write: (t) => t.text,
}

export const tcpmss: TargetModule<'tcpmss'> = {
  names: ['TCPMSS'],
  options: { 'set-mss': 1, 'clamp-mss-to-pmtu': 0 },
  read: (given) => {
    if (given.has('clamp-mss-to-pmtu')) return { kind: 'tcpmss', text: '--clamp-mss-to-pmtu' }
    const mss = given.plain('set-mss', parseInteger(0, 65535), 'a segment size from 0 to 65535')
    if (given.need(mss, 'set-mss SIZE') === undefined || mss === undefined) return undefined
    return { kind: 'tcpmss', text: `--set-mss ${mss}` }
  },
  write: (t) => t.text,
}

type SetTarget = TargetOf<'set-add'>

/** One module for both kinds: `--add-set` and `--del-set`. */
export const setTarget = {
  names: ['SET'],
  options: { 'add-set': 2, 'del-set': 2, exist: 0 },
  kept: ['timeout', 'map-set', 'map-mark', 'map-prio', 'map-queue'],
  read: (given: OptionReader): SetTarget | undefined => {
    const name = given.has('add-set') ? 'add-set' : 'del-set'
    const value = given.values(name, parseSet, setExpected)
    if (given.need(value, 'add-set NAME src|dst[,...]') === undefined || value === undefined) return undefined
    const { set, directions } = value.value
    const kind = name === 'add-set' ? 'set-add' : 'set-del'
    return present<SetTarget>({ kind, set, directions, exist: given.plainFlag('exist') })
  },
  write: (t: SetTarget): string =>
    words(
      `--${t.kind === 'set-add' ? 'add-set' : 'del-set'} ${t.set} ${t.directions.join(',')}`,
      flagOption('exist', t.exist),
    ),
} as const satisfies TargetModule<'set-add'>
