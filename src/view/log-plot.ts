/** Lines of a plot with logarithmic axes. All values are above zero. */
export interface LogPlot {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly lines: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[]
}

const size = { width: 760, height: 460, left: 80, right: 250, top: 40, bottom: 50 }
const colours = ['#c0392b', '#e67e22', '#2471a3', '#17a589', '#7d3c98', '#616a6b']

/** An SVG document of its own. */
export function logPlot({ title, x, y, lines }: LogPlot): string {
  const points = lines.flatMap((l) => l.points)
  const xs = decades(points.map((p) => p[0]))
  const ys = decades(points.map((p) => p[1]))
  const atX = scale(xs, size.left, size.width - size.right)
  const atY = scale(ys, size.height - size.bottom, size.top)
  const parts = [
    text(size.left, 22, title, 'font-size="16"'),
    ...xs.map((v) => axisLine(atX(v), size.top, atX(v), size.height - size.bottom)),
    ...xs.map((v) => text(atX(v), size.height - size.bottom + 18, label(v), 'text-anchor="middle"')),
    ...ys.map((v) => axisLine(size.left, atY(v), size.width - size.right, atY(v))),
    ...ys.map((v) => text(size.left - 8, atY(v) + 4, label(v), 'text-anchor="end"')),
    text((size.left + size.width - size.right) / 2, size.height - 10, x, 'text-anchor="middle"'),
    text(14, size.top - 12, y),
    ...lines.flatMap((line, i) => series(line, colours[i % colours.length] ?? 'black', i, atX, atY)),
  ]
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="12">`
  return [head, '<rect width="100%" height="100%" fill="white"/>', ...parts, '</svg>', ''].join('\n')
}

function series(
  { name, points }: LogPlot['lines'][number],
  colour: string,
  i: number,
  atX: (v: number) => number,
  atY: (v: number) => number,
): readonly string[] {
  const path = points.map(([a, b]) => `${atX(a).toFixed(1)},${atY(b).toFixed(1)}`)
  const dots = points.map(
    ([a, b]) => `<circle cx="${atX(a).toFixed(1)}" cy="${atY(b).toFixed(1)}" r="3" fill="${colour}"/>`,
  )
  const [x, y] = [size.width - size.right + 16, size.top + 16 + 20 * i]
  return [
    `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...dots,
    `<rect x="${x}" y="${y - 9}" width="10" height="10" fill="${colour}"/>`,
    text(x + 16, y, name),
  ]
}

/** Powers of ten around the values. */
function decades(values: readonly number[]): readonly number[] {
  const from = Math.floor(Math.log10(Math.min(...values)))
  const to = Math.ceil(Math.log10(Math.max(...values)))
  return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i))
}

function scale(ticks: readonly number[], low: number, high: number): (v: number) => number {
  const [from, to] = [Math.log10(ticks[0] ?? 1), Math.log10(ticks.at(-1) ?? 10)]
  return (v) => low + ((Math.log10(v) - from) / Math.max(to - from, 1)) * (high - low)
}

const label = (v: number): string => v.toLocaleString('en-US')
const text = (x: number, y: number, content: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${content}</text>`
const axisLine = (x1: number, y1: number, x2: number, y2: number): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#ddd"/>`
