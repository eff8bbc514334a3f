import { formatPrefix } from '../../../net/prefix.ts'
import { present } from '../../problem.ts'
import { option, words } from '../module.ts'
import { protocolNumberOf } from '../protocol.ts'
import { parseFamilyPrefix, parsePortName, portExpected, prefixExpected } from '../value.ts'
import { readDirection } from './conntrack.ts'
import type { MatchModule, MatchOf } from './match-module.ts'

export const ipvs: MatchModule<'ipvs'> = {
  names: ['ipvs'],
  options: { vproto: 1, vaddr: 1, vport: 1, vdir: 1 },
  kept: ['ipvs', 'vmethod', 'vportctl'],
  read: (given) =>
    present<MatchOf<'ipvs'>>({
      kind: 'ipvs',
      vproto: given.value('vproto', parseProtocol, 'a protocol name or number'),
      vaddr: given.value('vaddr', parseFamilyPrefix(given.family), prefixExpected(given.family)),
      vport: given.value('vport', parsePortName, portExpected),
      vdir: readDirection(given, 'vdir'),
    }),
  write: (m) =>
    words(
      option('vproto', m.vproto, (p) => String(protocolNumberOf(p) ?? p)),
      option('vaddr', m.vaddr, formatPrefix),
      option('vport', m.vport, String),
      m.vdir ? `--vdir ${m.vdir}` : '',
    ),
}

const parseProtocol = (text: string): string | undefined => {
  const number = protocolNumberOf(text)
  return number === undefined ? undefined : String(number)
}
