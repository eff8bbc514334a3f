import type { ExtensionModule } from '../module.ts'
import type { Match } from '../rule.ts'
import { comment, limit, nfacct } from './account.ts'
import { addrtype, iprange, mac, pkttype } from './address.ts'
import { conntrack, state } from './conntrack.ts'
import { physdev, rpfilter } from './device.ts'
import { icmp, icmp6 } from './icmp.ts'
import { ipvs } from './ipvs.ts'
import { connmark, mark } from './mark.ts'
import type { MatchKind, MatchModule } from './match-module.ts'
import { multiport, sctp, tcp, udp } from './port.ts'
import { recent } from './recent.ts'
import { set } from './set.ts'
import { statistic } from './statistic.ts'

const modules: { readonly [K in MatchKind]: MatchModule<K> } = {
  comment,
  tcp,
  udp,
  sctp,
  icmp,
  icmp6,
  multiport,
  conntrack,
  state,
  mark,
  connmark,
  addrtype,
  statistic,
  recent,
  set,
  physdev,
  rpfilter,
  mac,
  iprange,
  nfacct,
  ipvs,
  pkttype,
  limit,
}

const byName = new Map<string, ExtensionModule<Match>>(
  Object.values(modules).flatMap((m) => m.names.map((name) => [name, m as ExtensionModule<Match>] as const)),
)

export const matchModule = (name: string): ExtensionModule<Match> | undefined => byName.get(name)

/** The match that iptables loads by itself for an option after `-p`. */
export function protocolModule(protocol: string | undefined): ExtensionModule<Match> | undefined {
  if (protocol === 'icmp' || protocol === 'tcp' || protocol === 'udp' || protocol === 'sctp')
    return modules[protocol] as ExtensionModule<Match>
  return protocol === 'ipv6-icmp' ? (modules.icmp6 as ExtensionModule<Match>) : undefined
}

/** `-m NAME ARGUMENTS`. */
export function formatMatch(match: Match): string {
  if (match.kind === 'unknown') return `-m ${match.module}${match.text === '' ? '' : ` ${match.text}`}`
  const module = modules[match.kind] as ExtensionModule<Match>
  const text = module.write(match)
  return `-m ${module.names[0] ?? ''}${text === '' ? '' : ` ${text}`}`
}
