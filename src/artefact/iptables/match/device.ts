import { present } from '../../problem.ts'
import { flagOption, option, words } from '../module.ts'
import type { MatchModule, MatchOf } from './match-module.ts'

const interfaceExpected = 'a device name of at most 15 characters; a final "+" stands for any rest'

/** IFNAMSIZ is 16, with the final zero. */
export const parseInterface = (text: string): string | undefined =>
  text !== '' && text.length <= 15 && !/[\s/]/.test(text) ? text : undefined
export { interfaceExpected }

export const physdev: MatchModule<'physdev'> = {
  names: ['physdev'],
  options: {
    'physdev-in': 1,
    'physdev-out': 1,
    'physdev-is-in': 0,
    'physdev-is-out': 0,
    'physdev-is-bridged': 0,
  },
  read: (given) =>
    present<MatchOf<'physdev'>>({
      kind: 'physdev',
      in: given.value('physdev-in', parseInterface, interfaceExpected),
      isIn: given.flag('physdev-is-in'),
      out: given.value('physdev-out', parseInterface, interfaceExpected),
      isOut: given.flag('physdev-is-out'),
      isBridged: given.flag('physdev-is-bridged'),
    }),
  write: (m) =>
    words(
      flagOption('physdev-is-in', m.isIn),
      option('physdev-in', m.in, (name) => name),
      flagOption('physdev-is-out', m.isOut),
      option('physdev-out', m.out, (name) => name),
      flagOption('physdev-is-bridged', m.isBridged),
    ),
}

export const rpfilter: MatchModule<'rpfilter'> = {
  names: ['rpfilter'],
  options: { loose: 0, validmark: 0, 'accept-local': 0, invert: 0 },
  read: (given) =>
    present<MatchOf<'rpfilter'>>({
      kind: 'rpfilter',
      loose: given.plainFlag('loose'),
      validmark: given.plainFlag('validmark'),
      acceptLocal: given.plainFlag('accept-local'),
      invert: given.plainFlag('invert'),
    }),
  write: (m) =>
    words(
      flagOption('loose', m.loose),
      flagOption('validmark', m.validmark),
      flagOption('accept-local', m.acceptLocal),
      flagOption('invert', m.invert),
    ),
}
