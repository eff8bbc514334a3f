import CliTable from 'cli-table3'

const nothing = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '   ',
}

/** Columns as kubectl prints them: upper-case heads, three blanks between, no lines. */
export function formatColumns(head: readonly string[], rows: readonly (readonly string[])[], headers = true): string {
  const table = new CliTable({ chars: nothing, style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] } })
  if (headers) table.push([...head])
  for (const row of rows) table.push(row.map((cell) => (cell === '' ? '<none>' : cell)))
  const lines = table.toString().split('\n')
  return lines.map((line) => `${line.trimEnd()}\n`).join('')
}
