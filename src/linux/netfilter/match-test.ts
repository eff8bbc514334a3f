import { formatMatch } from '../../artefact/iptables/match/modules.ts'
import { protocolNumberOf } from '../../artefact/iptables/protocol.ts'
import type { IpRange, MaskedValue, Match, Negatable } from '../../artefact/iptables/rule.ts'
import { type Ip, ipToBigInt } from '../../net/ip.ts'
import { prefixContains } from '../../net/prefix.ts'
import { addrtypeTest } from './addrtype-test.ts'
import { connmarkTest, conntrackTest, stateTest } from './conntrack-test.ts'
import type { Facts } from './facts.ts'
import { icmpTest } from './icmp-test.ts'
import { physdevTest } from './physdev-test.ts'
import { multiportTest, portTest } from './port-test.ts'
import { checkRecent, maskAddress, type RecentCheck } from './recent.ts'
import type { RulePlace, RuleTest } from './rule-test.ts'
import { limitTest, statisticTest } from './statistic-test.ts'

/** The condition that a match stands for; undefined for one that always holds. */
export function matchTest(match: Match, place: RulePlace): RuleTest | undefined {
  switch (match.kind) {
    case 'comment':
    // It counts into an object of its own and matches everything (xt_nfacct).
    case 'nfacct':
      return undefined
    case 'tcp':
    case 'udp':
    case 'sctp':
      return portTest(match)
    case 'icmp':
    case 'icmp6':
      return icmpTest(match)
    case 'multiport':
      return multiportTest(match)
    case 'conntrack':
      return conntrackTest(match)
    case 'state':
      return stateTest(match)
    case 'mark':
      return markTest(match.mark)
    case 'connmark':
      return connmarkTest(match.mark)
    case 'addrtype':
      return addrtypeTest(match)
    case 'statistic':
      return statisticTest(match, place)
    case 'recent':
      return recentTest(match)
    case 'set':
      return setTest(match)
    case 'physdev':
      return physdevTest(match)
    case 'rpfilter':
      return rpfilterTest(match)
    case 'mac':
      return plainTest(match, match.source, ({ skb }, mac) =>
        skb.sourceMac === undefined ? undefined : skb.sourceMac === mac,
      )
    case 'iprange':
      return iprangeTest(match)
    case 'pkttype':
      return plainTest(match, match.type, ({ skb }, type) => skb.packetType === (type === 'unicast' ? 'host' : type))
    case 'ipvs':
      return ipvsTest(match)
    case 'limit':
      return limitTest(match)
    case 'unknown':
      return { passes: () => undefined, miss: () => '' }
  }
}

/** ipvs_mt (net/netfilter/xt_ipvs.c): of packets that IPVS did not touch, none passes. */
function ipvsTest(match: Extract<Match, { kind: 'ipvs' }>): RuleTest {
  const { vaddr, vport, vproto } = match
  return {
    passes: ({ ctx, skb }) => {
      const virtual = ctx.virtualOf?.(skb)
      if (!virtual) return false
      if (vproto && (protocolNumberOf(vproto.value) === protocolNumberOf(virtual.protocol)) === !!vproto.not)
        return false
      if (vaddr && prefixContains(vaddr.value, virtual.address) === !!vaddr.not) return false
      return !vport || (vport.value === virtual.port) !== !!vport.not
    },
    miss: () => 'it is of no such IPVS connection',
  }
}

function markTest({ not, value }: Negatable<MaskedValue>): RuleTest {
  return {
    passes: ({ skb }) => (((skb.mark & value.mask) ^ value.value) === 0) !== !!not,
    miss: ({ skb }) => `mark is 0x${skb.mark.toString(16)}`,
  }
}

/** A condition on one value. `holds` undefined: there is nothing to compare, and the rule fails, negated or not. */
function plainTest<T>(
  match: Match,
  { not, value }: Negatable<T>,
  holds: (facts: Facts, value: T) => boolean | undefined,
): RuleTest {
  return {
    passes: (f) => {
      const held = holds(f, value)
      return held !== undefined && held !== !!not
    },
    miss: () => `${formatMatch(match)} does not hold`,
  }
}

function recentTest(match: Extract<Match, { kind: 'recent' }>): RuleTest {
  const check: RecentCheck = {
    op: match.op.value,
    not: match.op.not === true,
    seconds: match.seconds ?? 0,
    hitcount: match.hitcount ?? 0,
    reap: match.reap === true,
    name: match.name,
  }
  const address = ({ skb }: Facts): Ip =>
    maskAddress(match.side === 'source' ? skb.packet.src : skb.packet.dst, match.mask)
  return {
    passes: (f) => checkRecent(f.nf.recent, check, address(f), f.ctx.clock.now()),
    miss: (f) => `${address(f)} is ${check.not ? '' : 'not '}on the list ${match.name}`,
    stateful: true,
  }
}

function setTest({ set, directions }: Extract<Match, { kind: 'set' }>): RuleTest {
  return {
    passes: ({ nf, skb }) => {
      const held = nf.sets?.test(set.value, directions, skb)
      return held === undefined ? undefined : held !== !!set.not
    },
    miss: () => `it is ${set.not ? '' : 'not '}in the set ${set.value}`,
  }
}

function rpfilterTest({ loose, invert }: Extract<Match, { kind: 'rpfilter' }>): RuleTest {
  return {
    passes: ({ ctx, in: device }) => (device === 'lo' || ctx.reversePath(loose === true)) !== !!invert,
    miss: ({ skb }) => `the route back to ${skb.packet.src} ${invert ? 'passes' : 'does not pass'}`,
  }
}

function iprangeTest({ src, dst }: Extract<Match, { kind: 'iprange' }>): RuleTest {
  const holds = (asked: Negatable<IpRange> | undefined, ip: Ip): boolean => {
    if (!asked) return true
    const [n, from, to] = [ipToBigInt(ip), ipToBigInt(asked.value.from), ipToBigInt(asked.value.to)]
    return (from <= n && n <= to) !== !!asked.not
  }
  return {
    passes: ({ skb: { packet } }) => holds(src, packet.src) && holds(dst, packet.dst),
    miss: ({ skb: { packet } }) =>
      holds(src, packet.src) ? `destination ${packet.dst} is out of range` : `source ${packet.src} is out of range`,
  }
}
