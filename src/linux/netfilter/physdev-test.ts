import type { Match } from '../../artefact/iptables/rule.ts'
import { deviceMatches } from './header-test.ts'
import type { RuleTest } from './rule-test.ts'

type PhysdevMatch = Extract<Match, { kind: 'physdev' }>

/**
 * physdev_mt (net/netfilter/xt_physdev.c). A packet that br_netfilter did not lend matches exactly where every option is
 * negated; a bridged one without a known port to leave by fails `--physdev-out` either way.
 */
export function physdevTest(m: PhysdevMatch): RuleTest {
  const options = [m.in, m.out, m.isIn, m.isOut, m.isBridged].filter((option) => option !== undefined)
  return {
    passes: ({ skb: { physIn, physOut } }) => {
      if (physIn === undefined && physOut === undefined) return options.every((option) => option.not === true)
      if (m.isBridged && (physOut !== undefined) === !!m.isBridged.not) return false
      if (m.isIn && (physIn !== undefined) === !!m.isIn.not) return false
      if (m.isOut && (physOut !== undefined) === !!m.isOut.not) return false
      if (m.in && physIn !== undefined && deviceMatches(m.in.value, physIn) === !!m.in.not) return false
      if (!m.out) return true
      return physOut !== undefined && deviceMatches(m.out.value, physOut) !== !!m.out.not
    },
    miss: ({ skb }) => `bridge ports are ${skb.physIn ?? 'none'} and ${skb.physOut ?? 'none'}`,
  }
}
