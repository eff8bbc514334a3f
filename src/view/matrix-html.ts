import type { Matrix } from '../trace/matrix.ts'
import { escapeHtml } from './escape-html.ts'
import type { CellPart, GridCell } from './matrix-grid.ts'
import { matrixGrid } from './matrix-grid.ts'
import { byText, titleLine } from './matrix-text.ts'

const style = `
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --faint: #667; --line: #d5d9df; --head: #f3f5f8;
  --good: #d9f2df; --good-text: #0a5c23; --bad: #fbdedd; --bad-text: #8f1414; --some: #fdefc8; --some-text: #6b4a00 }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --text: #e4e8ee; --faint: #98a1ad; --line: #363d47;
  --head: #1e232a; --good: #123d22; --good-text: #8fe0a8; --bad: #4a1a1c; --bad-text: #ffb0ab; --some: #46370d; --some-text: #f4d57e } }
body { background: var(--page); color: var(--text); font: 14px/1.45 system-ui, sans-serif; margin: 1.5rem }
h1 { font-size: 1.2rem; margin: 0 0 .3rem } h2 { font-size: 1rem; margin: 1.5rem 0 .4rem } p { margin: .3rem 0 .8rem; color: var(--faint) }
.frame { overflow: auto; max-height: 85vh; border: 1px solid var(--line); border-radius: 6px; width: fit-content; max-width: 100% }
table { border-collapse: separate; border-spacing: 0 } td, th { border-right: 1px solid var(--line); border-bottom: 1px solid var(--line); padding: .3rem .55rem; text-align: center; white-space: nowrap }
th { background: var(--head); font-weight: 600; text-align: left } thead th { position: sticky; top: 0; z-index: 2; vertical-align: bottom; white-space: normal; max-width: 7.5rem; min-width: 3.5rem; font-size: .85em; overflow-wrap: anywhere }
tbody th { position: sticky; left: 0; z-index: 1; max-width: 26rem; white-space: normal } thead th:first-child { left: 0; z-index: 3 }
thead small, tbody small { display: block; font-weight: 400; color: var(--faint); white-space: normal; max-width: 12rem }
.all { background: var(--good); color: var(--good-text) } .none { background: var(--bad); color: var(--bad-text) } .some { background: var(--some); color: var(--some-text) }
sup { font-size: .7em; margin-left: .15em } td:hover { outline: 2px solid var(--text); outline-offset: -2px } li { margin: .1rem 0 } .note { color: var(--text) }
`

/** One file that needs nothing else: no script, no font, no network. Told in pieces, row by row. */
export function* matrixHtml(matrix: Matrix): Generator<string> {
  const grid = matrixGrid(matrix, 4)
  const head = grid.columns.map(
    (c) =>
      `<th scope="col" title="${escapeHtml(c.members.join('\n'))}">${escapeHtml(c.label).replaceAll('/', '/<wbr>')}<small>${escapeHtml(c.ports.join(', '))}</small></th>`,
  )
  const title = escapeHtml(titleLine(matrix))
  yield `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>kubehop matrix</title><style>${style}</style></head><body>
<h1>Who reaches whom</h1><p>${title}. Rows open connections, columns take them.</p>
${matrix.notes.map((n) => `<p class="note">${n.level === 'warning' ? '⚠ ' : ''}${escapeHtml(n.message)}</p>`).join('\n')}
<div class="frame"><table><thead><tr><th>from \\ to</th>${head.join('')}</tr></thead>
<tbody>
`
  for (const [r, row] of grid.rows.entries()) {
    const name = `<th scope="row" title="${escapeHtml(row.members.join('\n'))}">${escapeHtml(row.label)}${podsText(row.pods)}</th>`
    const cells = grid.columns.map((_, c) => cellHtml(grid.cell(r, c), grid.reasons))
    yield `<tr>${name}${cells.join('')}</tr>\n`
  }
  yield `</tbody></table></div>
<h2>Decided by</h2><p>✔ all, ~ some, ✖ none of the pairs; · one and the same pod; small numbers refer to this list, + and more: a cell's tooltip names all.</p>
<ol>${grid.reasons.map((reason) => `<li>${escapeHtml(reason)}</li>`).join('')}</ol>
</body></html>
`
}

const podsText = (pods: number): string => (pods === 1 ? '' : `<small>${pods} pods</small>`)

const signs = { all: '✔', some: '~', none: '✖' } as const

function cellHtml({ parts }: GridCell, reasons: readonly string[]): string {
  const [part] = parts
  if (!part) return '<td title="one and the same pod">·</td>'
  const tone = parts.length === 1 ? part.reach : 'some'
  const tip = parts.map((p) => tipOf(p, reasons)).join('\n')
  const text = parts.map((p) => `${signs[p.reach]}${escapeHtml(p.ports.join(', '))}${numbersHtml(p)}`).join('<br>')
  return `<td class="${tone}" title="${escapeHtml(tip)}">${text}</td>`
}

const numbersHtml = (part: CellPart): string => (part.by.length === 0 ? '' : `<sup>${byText(part)}</sup>`)

const tipOf = ({ reach, ports, by, also, allowed, total }: CellPart, reasons: readonly string[]): string => {
  const word = { all: 'allowed', none: 'denied', some: '' }[reach] || `${allowed()} of ${total} pairs allowed`
  const names = [...by.map((n) => reasons[n - 1] ?? ''), ...also]
  return `${ports.length > 0 ? `${ports.join(', ')}: ` : ''}${word}${names.length > 0 ? ` by ${names.join(', ')}` : ': no policy'}`
}
