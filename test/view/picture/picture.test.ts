import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../../src/trace/end.ts'
import type { Journey } from '../../../src/trace/journey.ts'
import { trace } from '../../../src/trace/run.ts'
import type { Trace } from '../../../src/trace/trace.ts'
import { formatDot } from '../../../src/view/picture/dot.ts'
import { formatHtml } from '../../../src/view/picture/html.ts'
import { layOut, type Placed } from '../../../src/view/picture/layout.ts'
import { formatMermaid } from '../../../src/view/picture/mermaid.ts'
import { linesOf } from '../../../src/view/picture/route.ts'
import { formatSvg } from '../../../src/view/picture/svg.ts'
import { loadScenario } from '../../scenario.ts'
import { browser, openPage, withoutBrowser } from '../browser.ts'

function traceOf(scenario: string, from: string, to: string): Trace {
  const result = trace(loadScenario(scenario).cluster, { from, to, namespace: 'shop', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}

const across = traceOf('small', 'pod/cart', 'svc/web:80')
const routed = traceOf('shop', 'external', 'node/cp-1:31080')
const dropped = traceOf('vxlan-fdb-missing', 'deploy/frontend', 'deploy/catalog')
const journeyOf = ({ branches }: Trace): Journey => branches[0]?.journey ?? { boxes: [], stops: [] }

const hostile = `"><img src=x onerror=alert(1)></title></script><!-- ]]> & \u0001 \\`

/** Every name that the picture shows says something that a page would obey. */
function poisoned(): Trace {
  const [branch] = across.branches
  if (!branch) throw new Error('no branch')
  const { boxes, stops } = branch.journey
  const journey: Journey = {
    boxes: boxes.map((b) => ({ ...b, name: hostile, stations: b.stations.map((s) => ({ ...s, name: hostile })) })),
    stops: stops.map((s) => ({
      ...s,
      hop: { ...s.hop, node: hostile, place: { kind: 'machine', machine: 'pod', name: hostile } },
    })),
  }
  return {
    ...across,
    question: { ...across.question, to: { ...across.question.to, name: hostile } },
    notes: [{ level: 'info', code: 'x', message: hostile }],
    branches: [{ ...branch, journey }],
  }
}

describe('the map of a journey', () => {
  test('a node holds its pods, devices and one IP stack; a wire lies between nodes', () => {
    const [a, wire, b] = journeyOf(across).boxes
    expect([a?.name, wire?.kind, b?.name]).toEqual(['node-a', 'wire', 'node-b'])
    expect(a?.stations.map((s) => s.kind)).toEqual(['pod', 'port', 'bridge', 'stack', 'tunnel', 'card'])
  })

  test('what br_netfilter lends to IP stays at the bridge', () => {
    const [hook] = journeyOf(across).stops.filter((s) => s.hop.place.kind === 'hook')
    expect(hook?.stations).toEqual(['node-a bridge cni0'])
  })

  test('the failing hop is marked, and no other', () => {
    const failed = journeyOf(dropped).stops.filter((s) => s.failed)
    expect(failed.map((s) => s.stations.at(-1))).toEqual(['node-a tunnel flannel.1'])
    expect(journeyOf(across).stops.filter((s) => s.failed)).toEqual([])
  })
})

describe.each([
  ['across nodes', across],
  ['over routers', routed],
  ['dropped', dropped],
] as const)('the drawing of a trace %s', (_, told) => {
  const journey = journeyOf(told)
  const layout = layOut(journey)

  test('no two stations overlap, and all are on the page', () => {
    const cells = layout.stations.filter((s) => s.of.kind !== 'wire')
    const overlaps = (a: Placed<unknown>, b: Placed<unknown>): boolean =>
      a !== b && a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
    expect(cells.flatMap((a) => cells.filter((b) => overlaps(a, b)))).toEqual([])
    const beyond = layout.stations.filter((s) => s.x + s.width > layout.width || s.y + s.height > layout.height)
    expect(beyond).toEqual([])
  })

  test('no line runs through a station', () => {
    const inside = linesOf(journey, layout).flatMap(({ points }) =>
      points.slice(1).flatMap((to, i) => {
        const from = points[i] ?? to
        const at = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 }
        const covers = (s: Placed<{ readonly kind: string }>): boolean =>
          s.of.kind !== 'wire' && at.x > s.x && at.x < s.x + s.width && at.y > s.y && at.y < s.y + s.height
        return layout.stations.filter(covers)
      }),
    )
    expect(inside).toEqual([])
  })

  test('every numbered hop stands in the page, with its rules', () => {
    const html = formatHtml(told)
    for (const { hop } of journey.stops)
      if (hop.n !== undefined) expect(html).toContain(`<span class="n">${hop.n}</span>`)
    for (const text of ['<script src', '<link', '@import', 'url(http']) expect(html).not.toContain(text)
  })
})

describe('escaping', () => {
  test('nothing that a name says is markup', () => {
    const trace = poisoned()
    for (const text of [formatHtml(trace), formatSvg(trace)]) {
      expect(text).toContain('&lt;img src=x')
      expect(text).not.toContain('<img')
      expect(text).not.toContain('\u0001')
      expect(text.match(/<\/script>/g)?.length ?? 0).toBe(text.startsWith('<!doctype') ? 2 : 0)
    }
    expect(formatMermaid(trace)).not.toMatch(/<img|""|\n[^ f\n]/)
    for (const line of formatDot(trace).split('\n'))
      expect(line.replaceAll(/\\./g, '').match(/"/g)?.length ?? 0).toSatisfy((n: number) => n % 2 === 0)
  })
})

describe('graphs for other tools', () => {
  test('Mermaid: request and reply between named stations, the failing one marked', () => {
    const text = formatMermaid(dropped)
    expect(text).toMatch(/^flowchart TB\n {2}subgraph b0\["node node-a"\]/)
    expect(text).toMatch(/s\d+\["✖ flannel\.1<br>vxlan"\]/)
    expect(formatMermaid(across)).toMatch(/s\d+ -\.->\|"\d+"\| s\d+/)
  })

  const dot = spawnSync('dot', ['-V']).status === 0
  test.skipIf(!dot)(`Graphviz draws the DOT text${dot ? '' : ' (dot is not installed)'}`, () => {
    for (const told of [across, routed, dropped, poisoned()]) {
      const { status, stderr } = spawnSync('dot', ['-Tsvg'], { input: formatDot(told), encoding: 'utf8' })
      expect([status, stderr]).toEqual([0, ''])
    }
  })
})

describe.skipIf(browser === undefined)(`the page in a browser${withoutBrowser}`, { timeout: 120_000 }, () => {
  const stops = journeyOf(across).stops.length
  const press = (...keys: readonly string[]): string =>
    `<script>for (const key of ${JSON.stringify(keys)}) document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))</script>`
  const after = (script: string): string => formatHtml(across).replace('</body>', `${script}</body>`)
  const shown = (dom: string): string | undefined => /id="position"[^>]*>([^<]*)</.exec(dom)?.[1]

  test.each([
    { name: 'opens at the first hop', script: '', position: `1 of ${stops}, request` },
    {
      name: 'steps on and back with the arrow keys',
      script: press('ArrowRight', 'ArrowRight', 'ArrowLeft'),
      position: `2 of ${stops}, request`,
    },
    {
      name: 'goes to the end, which is of the reply',
      script: press('End', 'ArrowRight'),
      position: `${stops} of ${stops}, reply`,
    },
    {
      name: 'goes on by button',
      script: "<script>document.getElementById('next').click()</script>",
      position: `2 of ${stops}, request`,
    },
  ])('$name', ({ script, position }) => {
    const { dom, log } = openPage(after(script), 'trace.html')
    expect(shown(dom)).toBe(position)
    expect(log).toBe('')
    expect(dom.match(/class="stop on"/g)).toHaveLength(1)
    expect(dom.match(/class="station [a-z]+ on"/g)?.length ?? 0).toBeGreaterThan(0)
  })

  test('a click on a station goes to the hop there', () => {
    const click = `<script>document.querySelector('.station.tunnel').dispatchEvent(new MouseEvent('click', { bubbles: true }))</script>`
    const { dom } = openPage(after(click), 'trace.html')
    expect(dom).toMatch(/class="station tunnel on"/)
  })

  test('obeys no name, and the picture alone is well-formed XML', () => {
    const page = openPage(formatHtml(poisoned()), 'trace.html')
    expect([page.log, page.dom.includes('<img')]).toEqual(['', false])
    const picture = openPage(formatSvg(poisoned()), 'trace.svg')
    expect(picture.dom).not.toMatch(/parsererror|error on line/i)
    expect(picture.dom).toContain('</svg>')
  })
})
