import type { Match } from '../../artefact/iptables/rule.ts'
import type { Family } from '../../net/ip.ts'
import type { IcmpMessage } from '../../packet/packet.ts'
import type { Facts } from './facts.ts'
import type { RuleTest } from './rule-test.ts'

/** ICMP numbers of the message on the wire. */
export function icmpNumbers(message: IcmpMessage, family: Family): { readonly type: number; readonly code: number } {
  const v4 = family === 'ipv4'
  switch (message.kind) {
    case 'echo-request':
      return { type: v4 ? 8 : 128, code: 0 }
    case 'echo-reply':
      return { type: v4 ? 0 : 129, code: 0 }
    case 'error':
      return { type: message.type, code: message.code }
    case 'redirect':
      return { type: v4 ? 5 : 137, code: message.code }
    case 'neighbour-solicitation':
      return { type: 135, code: 0 }
    case 'neighbour-advertisement':
      return { type: 136, code: 0 }
  }
}

/** icmp_match (net/ipv4/netfilter/ip_tables.c): type 255 is any, and so is a code left out. */
export function icmpTest(match: Extract<Match, { kind: 'icmp' | 'icmp6' }>): RuleTest {
  const { not, value } = match.icmpType
  const family: Family = match.kind === 'icmp' ? 'ipv4' : 'ipv6'
  const fits = (f: Facts): boolean => {
    if (f.payload?.kind !== 'icmp' || f.family !== family) return false
    const { type, code } = icmpNumbers(f.payload.message, f.family)
    const same = type === value.type && (value.code === undefined || code === value.code)
    return ((value.type === 255 && family === 'ipv4') || same) !== !!not
  }
  return {
    passes: fits,
    miss: (f) => {
      if (f.payload?.kind !== 'icmp') return 'it has no ICMP header'
      const { type, code } = icmpNumbers(f.payload.message, f.family)
      return `ICMP ${type}/${code} is ${not ? '' : 'not '}${value.type}/${value.code ?? 'any'}`
    },
  }
}
