import { ascii, unicode } from '../view/paint.ts'
import type { TextOptions } from '../view/text.ts'
import type { CommonArguments } from './common-arguments.ts'
import type { Io } from './io.ts'

/** Colours only where a person looks and did not say no (NO_COLOR, FORCE_COLOR); symbols as the locale can print them. */
export function textOptions(args: CommonArguments, io: Io): TextOptions {
  const { env } = io
  const wanted =
    env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0'
      ? true
      : env.NO_COLOR
        ? false
        : io.outIsTerminal && env.TERM !== 'dumb'
  const colour = args.color === 'auto' ? wanted : args.color === 'always'
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || 'C.UTF-8'
  return {
    colour,
    symbols: /utf-?8/i.test(locale) ? unicode : ascii,
    detail: args.verbose >= 2 ? 2 : args.verbose === 1 ? 1 : 0,
  }
}
