import type { MatrixChange, MatrixDifference } from '../trace/matrix-compare.ts'
import { namesText } from './matrix-grid.ts'
import { paintFor } from './paint.ts'
import { plainText, type TextOptions } from './text.ts'

/** One line for each change, with whom it concerns and who decides. */
export function formatDifference(difference: MatrixDifference, options: TextOptions = plainText): string {
  const { changes, onlyBefore, onlyAfter } = difference
  const paint = paintFor(options.colour)
  const shown = options.detail > 0 ? Number.POSITIVE_INFINITY : 5
  const ports = Math.max(0, ...changes.map((c) => c.port.length))
  const lines = changes.map((c) => {
    const word = `${c.change === 'reachable' || c.change === 'added' ? '+' : '-'} ${c.change.padEnd(11)}`
    const by = c.by.length > 0 ? `   by ${namesText(c.by, shown)}` : '   no policy'
    return `${paintOf(c, paint)(word)}  ${c.port.padEnd(ports)}  ${namesText(c.from, shown)} ${options.symbols.to} ${namesText(c.to, shown)}${by}`
  })
  const only = [
    ...(onlyBefore.length > 0 ? [`only before: ${namesText(onlyBefore, shown)}`] : []),
    ...(onlyAfter.length > 0 ? [`only after: ${namesText(onlyAfter, shown)}`] : []),
  ]
  const all = [...lines, ...only]
  return `${(all.length > 0 ? all : ['nothing differs']).join('\n')}\n`
}

const paintOf = ({ change }: MatrixChange, paint: ReturnType<typeof paintFor>): ((text: string) => string) =>
  change === 'reachable' || change === 'added' ? paint.good : paint.bad

/** As `matrix-difference.schema.json` describes it. */
export function formatDifferenceJson({ method, changes, onlyBefore, onlyAfter }: MatrixDifference): string {
  const json = { apiVersion: 'kubehop/v1', kind: 'MatrixDifference', method, changes, onlyBefore, onlyAfter }
  return `${JSON.stringify(json, undefined, 2)}\n`
}
