import type { Match } from '../../artefact/iptables/rule.ts'
import type { Facts } from './facts.ts'
import type { RulePlace, RuleTest } from './rule-test.ts'

type StatisticMatch = Extract<Match, { kind: 'statistic' }>
type LimitMatch = Extract<Match, { kind: 'limit' }>

/** Parts of a whole in which xt_statistic keeps a probability. */
const certain = 2 ** 31

/** statistic_mt (net/netfilter/xt_statistic.c). `nth` takes packets number `packet`, counted from 0, of every `every`. */
export function statisticTest(match: StatisticMatch, place: RulePlace): RuleTest {
  const miss = (): string => 'the lot fell otherwise'
  if (match.mode === 'random') {
    const { not, value } = match.probability
    return { passes: (f) => draw(value, place, f) !== !!not, miss, stateful: true }
  }
  let seen = 0
  return {
    passes: () => (seen++ % match.every.value === match.packet) !== !!match.every.not,
    miss: () => `packet ${seen} is not the one of every ${match.every.value}`,
    stateful: true,
  }
}

/** Tells of the lot, unless there is nothing to draw. */
function draw(numerator: number, place: RulePlace, { ctx }: Facts): boolean {
  if (numerator <= 0) return false
  if (numerator >= certain) return true
  const taken = ctx.chance.probably(numerator, { what: 'statistic', ...place })
  ctx.emit({ kind: 'choice', ...place, taken, numerator })
  return taken
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** limit_mt (net/netfilter/xt_limit.c): a bucket of `burst` tokens that refills at the average rate, in virtual time. */
export function limitTest({ average, burst }: LimitMatch): RuleTest {
  const [count = '1', unit = 's'] = average.split('/')
  const cost = (unitMs[unit.charAt(0)] ?? 1000) / Math.max(1, Number(count))
  let credit = cost * burst
  let last: number | undefined
  return {
    passes: ({ ctx }) => {
      const now = ctx.clock.now()
      credit = Math.min(cost * burst, credit + (now - (last ?? now)))
      last = now
      if (credit < cost) return false
      credit -= cost
      return true
    },
    miss: () => `more than ${average}`,
    stateful: true,
  }
}
