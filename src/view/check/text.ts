import { type Checked, holds } from '../../trace/check.ts'
import { paintFor } from '../paint.ts'
import type { TextOptions } from '../text.ts'

/** A line for each that holds (not with `quiet`), and for each that does not what differs; then how many. */
export function formatCheck(results: readonly Checked[], { colour, symbols }: TextOptions, quiet: boolean): string {
  const paint = paintFor(colour)
  const lines = results.flatMap((r) => {
    if (holds(r)) return quiet ? [] : [`${paint.good(symbols.yes)} ${r.name}`]
    const { from, to } = r.expected
    return [`${paint.bad(symbols.no)} ${r.name}`, `    ${from} -> ${to}`, ...r.differences.map((d) => `    ${d}`)]
  })
  const failed = results.filter((r) => !holds(r)).length
  return `${[...lines, `${results.length - failed} hold, ${failed} fail`].join('\n')}\n`
}
