import { quote } from '../token.ts'
import { parseInteger } from '../value.ts'
import type { MatchModule } from './match-module.ts'

/** At most 255 bytes (XT_MAX_COMMENT_LEN counts the final zero). */
export const comment: MatchModule<'comment'> = {
  names: ['comment'],
  options: { comment: 1 },
  read: (given) => {
    const fits = (text: string) => (Buffer.byteLength(text) <= 255 ? text : undefined)
    const text = given.plain('comment', fits, 'a comment of at most 255 bytes')
    return given.need(text, 'comment TEXT') === undefined || text === undefined ? undefined : { kind: 'comment', text }
  },
  write: (m) => `--comment ${quote(m.text)}`,
}

/** iptables-save prints two blanks before the name. */
export const nfacct: MatchModule<'nfacct'> = {
  names: ['nfacct'],
  options: { 'nfacct-name': 1 },
  read: (given) => {
    const name = given.plain('nfacct-name', (text) => text || undefined, 'the name of an nfacct object')
    return given.need(name, 'nfacct-name NAME') && name ? { kind: 'nfacct', name } : undefined
  },
  write: (m) => `--nfacct-name  ${m.name}`,
}

/** Units of xt_limit: 10000 parts a second (XT_LIMIT_SCALE). */
const rates = [
  ['day', 864_000_000],
  ['hour', 36_000_000],
  ['min', 600_000],
  ['sec', 10_000],
] as const

export const limit: MatchModule<'limit'> = {
  names: ['limit'],
  options: { limit: 1, 'limit-burst': 1 },
  read: (given) => {
    const average = given.plain('limit', normalRate, 'a rate up to 10000/sec: 5/min')
    const burst = given.plain('limit-burst', parseInteger(1, 10000), 'a number of packets from 1 to 10000')
    return average === undefined && given.has('limit')
      ? undefined
      : { kind: 'limit', average: average ?? '3/hour', burst: burst ?? 5 }
  },
  write: (m) => `--limit ${m.average}${m.burst === 5 ? '' : ` --limit-burst ${m.burst}`}`,
}

/**
 * The rate as the kernel keeps it, an interval in whole parts, written in the largest unit that loses little
 * (libxt_limit, print_rate): 60/min is 1/sec.
 */
function normalRate(text: string): string | undefined {
  const parsed = /^(\d+)(?:\/([a-z]+))?$/i.exec(text)
  const unit = parsed && rates.find(([name]) => isUnit(parsed[2] ?? 'sec', name))
  const rate = Number(parsed?.[1])
  if (!unit || rate === 0 || rate / (unit[1] / 10_000) > 10_000) return undefined
  const interval = Math.floor(unit[1] / rate)
  let chosen: (typeof rates)[number] = rates[0]
  for (const next of rates.slice(1)) {
    if (interval > next[1] || next[1] / interval < next[1] % interval) break
    chosen = next
  }
  return `${Math.floor(chosen[1] / interval)}/${chosen[0]}`
}

const fullNames = { day: 'day', hour: 'hour', min: 'minute', sec: 'second' } as const
const isUnit = (text: string, unit: keyof typeof fullNames): boolean => fullNames[unit].startsWith(text.toLowerCase())
