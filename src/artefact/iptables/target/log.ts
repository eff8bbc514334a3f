import { flagOption, type OptionReader, words } from '../module.ts'
import { quote } from '../token.ts'
import { parseInteger } from '../value.ts'
import type { TargetModule } from './target-module.ts'

const levels = ['emerg', 'alert', 'crit', 'error', 'warning', 'notice', 'info', 'debug']

/** A number, or a whole syslog name. */
function parseLevel(text: string): number | undefined {
  const lower = text.toLowerCase()
  const named = lower === 'panic' ? 0 : levels.indexOf(lower)
  return parseInteger(0, 7)(text) ?? (named < 0 ? undefined : named)
}

const readPrefix = (given: OptionReader, name: string, longest: number): string => {
  const fits = (text: string) => (Buffer.byteLength(text) <= longest ? text : undefined)
  const prefix = given.plain(name, fits, `a prefix of at most ${longest} bytes`)
  return prefix ? `--${name} ${quote(prefix)}` : ''
}

const number = (given: OptionReader, name: string, max: number): string => {
  const value = given.plain(name, parseInteger(0, max), `a number from 0 to ${max}`)
  return value ? `--${name} ${value}` : ''
}

const logFlags = ['log-tcp-sequence', 'log-tcp-options', 'log-ip-options', 'log-uid', 'log-macdecode'] as const

/** Level 4 (warning) is the default and is not printed. A prefix has at most 29 bytes. */
export const log: TargetModule<'log'> = {
  names: ['LOG'],
  options: {
    'log-prefix': 1,
    'log-level': 1,
    'log-tcp-sequence': 0,
    'log-tcp-options': 0,
    'log-ip-options': 0,
    'log-uid': 0,
    'log-macdecode': 0,
  },
  read: (given) => {
    const level = given.plain('log-level', parseLevel, `a number from 0 to 7, or one of ${levels.join(', ')}`) ?? 4
    const flags = logFlags.map((name) => flagOption(name, given.plainFlag(name)))
    const text = words(readPrefix(given, 'log-prefix', 29), level === 4 ? '' : `--log-level ${level}`, ...flags)
    return { kind: 'log', text }
  },
  write: (t) => t.text,
}

export const nflog: TargetModule<'nflog'> = {
  names: ['NFLOG'],
  options: { 'nflog-prefix': 1, 'nflog-group': 1, 'nflog-range': 1, 'nflog-size': 1, 'nflog-threshold': 1 },
  read: (given) => {
    const text = words(
      readPrefix(given, 'nflog-prefix', 63),
      number(given, 'nflog-group', 65535),
      given.has('nflog-size') ? number(given, 'nflog-size', 0xffffffff) : number(given, 'nflog-range', 0xffffffff),
      number(given, 'nflog-threshold', 65535),
    )
    return { kind: 'nflog', text }
  },
  write: (t) => t.text,
}

export const trace: TargetModule<'trace'> = {
  names: ['TRACE'],
  options: {},
  read: () => ({ kind: 'trace', text: '' }),
  write: (t) => t.text,
}
