import { option } from '../module.ts'
import type { MatchModule } from './match-module.ts'

interface IcmpType {
  readonly type: number
  readonly code: number | undefined
}
type Names = Readonly<Record<string, readonly [type: number, code?: number]>>

/** Names of RFC 792 types and codes that iptables takes; it prints numbers. */
const icmpNames: Names = {
  any: [255],
  'echo-reply': [0],
  pong: [0],
  'destination-unreachable': [3],
  'network-unreachable': [3, 0],
  'host-unreachable': [3, 1],
  'protocol-unreachable': [3, 2],
  'port-unreachable': [3, 3],
  'fragmentation-needed': [3, 4],
  'source-route-failed': [3, 5],
  'network-unknown': [3, 6],
  'host-unknown': [3, 7],
  'network-prohibited': [3, 9],
  'host-prohibited': [3, 10],
  'TOS-network-unreachable': [3, 11],
  'TOS-host-unreachable': [3, 12],
  'communication-prohibited': [3, 13],
  'host-precedence-violation': [3, 14],
  'precedence-cutoff': [3, 15],
  'source-quench': [4],
  redirect: [5],
  'network-redirect': [5, 0],
  'host-redirect': [5, 1],
  'TOS-network-redirect': [5, 2],
  'TOS-host-redirect': [5, 3],
  'echo-request': [8],
  ping: [8],
  'router-advertisement': [9],
  'router-solicitation': [10],
  'time-exceeded': [11],
  'ttl-exceeded': [11],
  'ttl-zero-during-transit': [11, 0],
  'ttl-zero-during-reassembly': [11, 1],
  'parameter-problem': [12],
  'ip-header-bad': [12, 0],
  'required-option-missing': [12, 1],
  'timestamp-request': [13],
  'timestamp-reply': [14],
  'address-mask-request': [17],
  'address-mask-reply': [18],
}

/** RFC 4443 and RFC 4861. */
const icmp6Names: Names = {
  'destination-unreachable': [1],
  'no-route': [1, 0],
  'communication-prohibited': [1, 1],
  'beyond-scope': [1, 2],
  'address-unreachable': [1, 3],
  'port-unreachable': [1, 4],
  'failed-policy': [1, 5],
  'reject-route': [1, 6],
  'packet-too-big': [2],
  'time-exceeded': [3],
  'ttl-exceeded': [3],
  'ttl-zero-during-transit': [3, 0],
  'ttl-zero-during-reassembly': [3, 1],
  'parameter-problem': [4],
  'bad-header': [4, 0],
  'unknown-header-type': [4, 1],
  'unknown-option': [4, 2],
  'echo-request': [128],
  ping: [128],
  'echo-reply': [129],
  pong: [129],
  'mld-listener-query': [130],
  'mld-listener-report': [131],
  'mld-listener-done': [132],
  'mld-listener-reduction': [132],
  'router-solicitation': [133],
  'router-advertisement': [134],
  'neighbour-solicitation': [135],
  'neighbor-solicitation': [135],
  'neighbour-advertisement': [136],
  'neighbor-advertisement': [136],
  redirect: [137],
}

const parseType =
  (names: Names) =>
  (text: string): IcmpType | undefined => {
    const named = Object.entries(names).find(([name]) => name.toLowerCase() === text.toLowerCase())
    if (named) return { type: named[1][0], code: named[1][1] }
    const numbers = /^(\d{1,3})(?:\/(\d{1,3}))?$/.exec(text)
    if (!numbers) return undefined
    const type = Number(numbers[1])
    const code = numbers[2] === undefined ? undefined : Number(numbers[2])
    return type > 255 || (code ?? 0) > 255 ? undefined : { type, code }
  }

const expected = (names: Names): string =>
  `an ICMP type (8), a type and a code (3/4), or a name such as ${Object.keys(names).slice(0, 3).join(', ')}`

const format = (t: IcmpType): string => (t.code === undefined ? String(t.type) : `${t.type}/${t.code}`)

export const icmp: MatchModule<'icmp'> = {
  names: ['icmp'],
  needsProtocol: ['icmp'],
  options: { 'icmp-type': 1 },
  read: (given) => {
    const type = given.value('icmp-type', parseType(icmpNames), expected(icmpNames))
    const icmpType = type?.value.type === 255 ? { ...type, value: { type: 255, code: undefined } } : type
    return given.need(icmpType, 'icmp-type TYPE') && icmpType && { kind: 'icmp', icmpType }
  },
  write: (m) => option('icmp-type', m.icmpType, (t) => (t.type === 255 ? 'any' : format(t))),
}

export const icmp6: MatchModule<'icmp6'> = {
  names: ['icmp6', 'icmpv6', 'ipv6-icmp'],
  needsProtocol: ['ipv6-icmp'],
  options: { 'icmpv6-type': 1 },
  read: (given) => {
    const icmpType = given.value('icmpv6-type', parseType(icmp6Names), expected(icmp6Names))
    return given.need(icmpType, 'icmpv6-type TYPE') && icmpType && { kind: 'icmp6', icmpType }
  },
  write: (m) => option('icmpv6-type', m.icmpType, format),
}
