import { type OptionReader, option, words } from '../module.ts'
import { parseInteger } from '../value.ts'
import type { MatchModule, MatchOf } from './match-module.ts'

const one = 2 ** 31

/** A probability as the kernel keeps it, in parts of 2^31, rounded half away from zero (libxt_statistic, lround). */
export const probabilityParts = (probability: number): number => Math.round(probability * one)

export const formatProbability = (parts: number): string => (parts / one).toFixed(11)

export const statistic: MatchModule<'statistic'> = {
  names: ['statistic'],
  options: { mode: 1, probability: 1, every: 1, packet: 1 },
  read: (given) => {
    const mode = given.plain('mode', (t) => (['random', 'nth'] as const).find((m) => m === t), 'random or nth')
    if (mode === 'random') return readRandom(given)
    if (mode === 'nth') return readNth(given)
    return given.need(undefined, 'mode random or --mode nth')
  },
  write: (m) =>
    m.mode === 'random'
      ? words('--mode random', option('probability', m.probability, formatProbability))
      : words('--mode nth', option('every', m.every, String), `--packet ${m.packet}`),
}

function readRandom(given: OptionReader): MatchOf<'statistic'> | undefined {
  const probability = given.value('probability', parseProbability, 'a number from 0 to 1')
  return given.need(probability, 'probability P') && probability && { kind: 'statistic', mode: 'random', probability }
}

function parseProbability(text: string): number | undefined {
  const p = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN
  return p >= 0 && p <= 1 ? probabilityParts(p) : undefined
}

/** `--every` needs `--packet` since iptables 1.8.8; before, 0 was meant. */
function readNth(given: OptionReader): MatchOf<'statistic'> | undefined {
  const every = given.value('every', parseInteger(1, 0xffffffff), 'a number of packets, from 1')
  const packet = given.plain('packet', parseInteger(0, 0xffffffff), 'a number from 0') ?? 0
  if (given.need(every, 'every N --packet M') === undefined || every === undefined) return undefined
  if (packet >= every.value) return given.bad(`--packet ${packet}`, `a number below --every ${every.value}`)
  return { kind: 'statistic', mode: 'nth', every, packet }
}
