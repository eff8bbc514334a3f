import { protocolNumberOf } from '../../artefact/iptables/protocol.ts'
import type { ConntrackState, MaskedValue, Match, Negatable, PortRange } from '../../artefact/iptables/rule.ts'
import type { Ip } from '../../net/ip.ts'
import { type Prefix, prefixContains } from '../../net/prefix.ts'
import { type Connection, isDstNat, isSrcNat } from '../conntrack/connection.ts'
import type { Skb } from '../skb.ts'
import type { RuleTest } from './rule-test.ts'

type ConntrackMatch = Extract<Match, { kind: 'conntrack' }>

/**
 * conntrack_mt (net/netfilter/xt_conntrack.c). A packet without a connection is INVALID or UNTRACKED: then only the state
 * counts, and a rule that asks for no state fails.
 */
export function conntrackTest(match: ConntrackMatch): RuleTest {
  const { state } = match
  const conditions = connectionConditions(match)
  return {
    passes: ({ skb }) => {
      if (state && statesOf(skb).some((s) => state.value.includes(s)) === !!state.not) return false
      const { connection } = skb
      return connection ? conditions.every((holds) => holds(connection, skb)) : state !== undefined
    },
    miss: ({ skb }) => `the connection is ${statesOf(skb).join(',')}${directionOf(skb)}`,
  }
}

/** state_mt (net/netfilter/xt_state.c). */
export function stateTest({ state }: Extract<Match, { kind: 'state' }>): RuleTest {
  return {
    passes: ({ skb }) => state.value.includes(basicState(skb)) !== !!state.not,
    miss: ({ skb }) => `the connection is ${basicState(skb)}`,
  }
}

export function connmarkTest(mark: Negatable<MaskedValue>): RuleTest {
  return {
    passes: ({ skb: { connection } }) =>
      connection !== undefined && (((connection.mark & mark.value.mask) ^ mark.value.value) === 0) !== !!mark.not,
    miss: ({ skb }) => `connection mark is 0x${(skb.connection?.mark ?? 0).toString(16)}`,
  }
}

const basicState = ({ ctinfo }: Skb): ConntrackState => ctinfo?.state ?? 'INVALID'

function statesOf(skb: Skb): readonly ConntrackState[] {
  const { connection } = skb
  if (!connection) return [basicState(skb)]
  return [
    basicState(skb),
    ...(isSrcNat(connection) ? (['SNAT'] as const) : []),
    ...(isDstNat(connection) ? (['DNAT'] as const) : []),
  ]
}

const directionOf = ({ ctinfo }: Skb): string =>
  ctinfo && 'direction' in ctinfo ? `, ${ctinfo.direction} direction` : ''

type Condition = (connection: Connection, skb: Skb) => boolean

function connectionConditions(m: ConntrackMatch): readonly Condition[] {
  const protocol = m.protocol && protocolNumberOf(m.protocol.value)
  return [
    ...(m.direction ? [isDirection(m.direction)] : []),
    ...address(m.origSrc, (c) => c.original.src),
    ...address(m.origDst, (c) => c.original.dst),
    ...address(m.replSrc, (c) => c.reply.src),
    ...address(m.replDst, (c) => c.reply.dst),
    ...(m.protocol ? [(c: Connection) => (c.original.protocol === protocol) !== !!m.protocol?.not] : []),
    ...port(m.origSrcPort, (c) => c.original.srcPort),
    ...port(m.origDstPort, (c) => c.original.dstPort),
  ]
}

function isDirection(direction: 'ORIGINAL' | 'REPLY'): Condition {
  const wanted = direction === 'ORIGINAL' ? 'original' : 'reply'
  return (_, { ctinfo }) => ctinfo !== undefined && 'direction' in ctinfo && ctinfo.direction === wanted
}

function address(asked: Negatable<Prefix> | undefined, of: (c: Connection) => Ip): readonly Condition[] {
  return asked ? [(c) => prefixContains(asked.value, of(c)) !== !!asked.not] : []
}

function port(asked: Negatable<PortRange> | undefined, of: (c: Connection) => number): readonly Condition[] {
  if (!asked) return []
  const { from, to } = asked.value
  return [(c) => (of(c) >= from && of(c) <= to) !== !!asked.not]
}
