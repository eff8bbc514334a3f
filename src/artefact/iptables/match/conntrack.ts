import { present } from '../../problem.ts'
import { type OptionReader, option, words } from '../module.ts'
import { protocolNumberOf } from '../protocol.ts'
import type { ConntrackState, Negatable, PortRange } from '../rule.ts'
import {
  formatPortRange,
  formatShortPrefix,
  parseFamilyPrefix,
  parsePortRange,
  parseWordList,
  portRangeExpected,
  prefixExpected,
} from '../value.ts'
import type { MatchModule, MatchOf } from './match-module.ts'

/** In the order in which they are printed (libxt_conntrack). */
const states: readonly ConntrackState[] = ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED', 'SNAT', 'DNAT']
const directions = ['ORIGINAL', 'REPLY'] as const

const readStates = (given: OptionReader, name: string, known: readonly ConntrackState[]) =>
  given.value(name, parseWordList(known), `a comma list of ${known.join(', ')}`)

const writeStates = (name: string, value: Negatable<readonly ConntrackState[]> | undefined): string =>
  option(name, value, (list) => states.filter((s) => list.includes(s)).join(','))

/** One of ORIGINAL and REPLY; "not the one" is the other. */
export function readDirection(given: OptionReader, name: string): 'ORIGINAL' | 'REPLY' | undefined {
  const find = (text: string) => directions.find((d) => d === text.toUpperCase())
  const direction = given.value(name, find, 'ORIGINAL or REPLY')
  if (!direction?.not) return direction?.value
  return direction.value === 'ORIGINAL' ? 'REPLY' : 'ORIGINAL'
}

export const conntrack: MatchModule<'conntrack'> = {
  names: ['conntrack'],
  options: {
    ctstate: 1,
    ctproto: 1,
    ctorigsrc: 1,
    ctorigdst: 1,
    ctreplsrc: 1,
    ctrepldst: 1,
    ctorigsrcport: 1,
    ctorigdstport: 1,
    ctdir: 1,
  },
  kept: ['ctstatus', 'ctexpire', 'ctreplsrcport', 'ctrepldstport'],
  read: (given) => {
    const prefix = (name: string) => given.value(name, parseFamilyPrefix(given.family), prefixExpected(given.family))
    const port = (name: string) => given.value(name, (text) => parsePortRange(text), portRangeExpected)
    return present<MatchOf<'conntrack'>>({
      kind: 'conntrack',
      state: readStates(given, 'ctstate', states),
      protocol: given.value('ctproto', parseProtocolNumber, 'a protocol name or number, not 0'),
      origSrc: prefix('ctorigsrc'),
      origDst: prefix('ctorigdst'),
      replSrc: prefix('ctreplsrc'),
      replDst: prefix('ctrepldst'),
      origSrcPort: port('ctorigsrcport'),
      origDstPort: port('ctorigdstport'),
      direction: readDirection(given, 'ctdir'),
    })
  },
  write: (m) => {
    const port = (name: string, value: Negatable<PortRange> | undefined) =>
      option(name, value, (r) => formatPortRange(r))
    return words(
      writeStates('ctstate', m.state),
      option('ctproto', m.protocol, (p) => String(protocolNumberOf(p) ?? p)),
      option('ctorigsrc', m.origSrc, formatShortPrefix),
      option('ctorigdst', m.origDst, formatShortPrefix),
      option('ctreplsrc', m.replSrc, formatShortPrefix),
      option('ctrepldst', m.replDst, formatShortPrefix),
      port('ctorigsrcport', m.origSrcPort),
      port('ctorigdstport', m.origDstPort),
      m.direction ? `--ctdir ${m.direction}` : '',
    )
  },
}

/** Kept as the decimal number, which is what iptables-save prints here. */
const parseProtocolNumber = (text: string): string | undefined => {
  const number = protocolNumberOf(text)
  return number === undefined || number === 0 ? undefined : String(number)
}

export const state: MatchModule<'state'> = {
  names: ['state'],
  options: { state: 1 },
  read: (given) => {
    const value = readStates(given, 'state', states.slice(0, 5))
    return given.need(value, 'state STATE') && value && { kind: 'state', state: value }
  },
  write: (m) => writeStates('state', m.state),
}
