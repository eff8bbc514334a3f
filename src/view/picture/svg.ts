import type { Journey, Station, Stop } from '../../trace/journey.ts'
import type { Trace } from '../../trace/trace.ts'
import { escapeHtml } from '../escape-html.ts'
import { endLabel } from '../text.ts'
import { failedStation, stationNumbers } from './graph.ts'
import { layOut, type Placed } from './layout.ts'
import { type Line, linesOf, pathData } from './route.ts'
import { type StopText, stepLines, stopText } from './stop-text.ts'
import { pictureColours, svgStyle } from './style.ts'

/** The way of one connection as a picture that stands alone: no script, no font, no network. Light or dark as its reader is. */
export function formatSvg(trace: Trace): string {
  const journey = trace.branches[0]?.journey ?? { boxes: [], stops: [] }
  const { question, verdict } = trace
  const title = `${endLabel(question.from)} -> ${endLabel(question.to)}: ${verdict.mixed ? 'mixed' : verdict.result}`
  return `${svgElement(journey, title, `<style>${pictureColours}${svgStyle}</style>`)}\n`
}

/** `head` and `above`: what else belongs into the element, as SVG: before all and over all. */
export function svgElement(journey: Journey, title: string, head = '', above = ''): string {
  const layout = layOut(journey)
  const stops = journey.stops.map((stop) => ({ stop, text: stopText(stop, 0) }))
  const { width, height } = layout
  const numbers = stationNumbers(journey)
  const failed = failedStation(journey)
  const station = (placed: Placed<Station>): string =>
    stationElement(placed, numbers.get(placed.of.id) ?? 0, placed.of.id === failed, stops)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" preserveAspectRatio="xMidYMin" role="img">
<title>${escapeHtml(title)}</title>${head}${markers}
<rect class="page" width="100%" height="100%"/>
${layout.boxes.map(boxElement).join('\n')}
${layout.stations.map(station).join('\n')}
${linesOf(journey, layout).map(lineElement).join('\n')}${above}
</svg>`
}

const markers = `<defs>${['forward', 'reply']
  .map(
    (d) =>
      `<marker id="arrow-${d}" class="${d}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>`,
  )
  .join('')}</defs>`

function boxElement({ of, x, y, width, height }: ReturnType<typeof layOut>['boxes'][number]): string {
  const rect = `<rect class="box ${of.kind}" x="${x}" y="${y}" width="${width}" height="${height}" rx="10"/>`
  if (of.kind === 'wire') return `<g>${rect}</g>`
  const label = of.kind === of.name ? of.name : `${of.kind} ${of.name}`
  return `<g>${rect}${textElement('box-name', x + 14, y + 21, label, Math.floor((width - 24) / 7.8))}</g>`
}

const lineElement = (line: Line): string =>
  `<path class="route ${line.direction}" d="${pathData(line)}" marker-end="url(#arrow-${line.direction})"/>`

interface ToldStop {
  readonly stop: Stop
  readonly text: StopText
}

function stationElement(placed: Placed<Station>, index: number, failed: boolean, stops: readonly ToldStop[]): string {
  const { of, x, y, width, height } = placed
  const here = stops.filter(({ stop }) => stop.stations.includes(of.id))
  const label = of.kind === 'wire' ? `wire ${of.name}` : of.name
  const inner = of.kind === 'wire' ? x + 14 : x + 10
  return [
    `<g class="station ${of.kind}${failed ? ' failed' : ''}" data-station="${index}">`,
    `<title>${escapeHtml([`${label}${of.device ? ` (${of.device})` : ''}`, ...here.flatMap(tipLines)].join('\n'))}</title>`,
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="7"/>`,
    textElement(
      'name',
      inner,
      y + (of.kind === 'wire' ? 15 : 19),
      `${failed ? '✖ ' : ''}${label}`,
      Math.floor((width - 16) / 7.8),
    ),
    ...(of.kind === 'wire'
      ? []
      : [
          `<text x="${inner}" y="${y + 37}"><tspan class="kind">${escapeHtml(kindText(of))}</tspan>${hopNumbers(here)}</text>`,
        ]),
    '</g>',
  ].join('')
}

const kindText = (station: Station): string =>
  station.device && station.device !== 'physical'
    ? station.device
    : ['stack', 'machine'].includes(station.kind)
      ? ''
      : station.kind

/** Which hops these are, there and back. */
function hopNumbers(here: readonly ToldStop[]): string {
  return (['forward', 'reply'] as const)
    .map((direction) => {
      const ns = here
        .filter((s) => s.stop.direction === direction)
        .map((s) => s.text.number)
        .filter((n) => n !== '')
      return ns.length === 0
        ? ''
        : `<tspan class="number ${direction}" dx="6">${direction === 'forward' ? '→' : '←'}${numberList(ns)}</tspan>`
    })
    .join('')
}

const numberList = (ns: readonly string[]): string => (ns.length > 3 ? `${ns[0]}…${ns.at(-1)}` : ns.join(','))

const tipLines = ({ stop, text }: ToldStop): readonly string[] => [
  '',
  `${stop.direction === 'forward' ? 'request' : 'reply'}${text.number === '' ? '' : `, hop ${text.number}`}: ${text.place}${text.summary === '' ? '' : `  ${text.summary}`}`,
  ...text.steps.flatMap(stepLines).map((line) => `  ${line}`),
]

/** Cut to the room that there is; the tooltip has all of it. */
const textElement = (kind: string, x: number, y: number, text: string, room: number): string =>
  `<text class="${kind}" x="${x}" y="${y}">${escapeHtml(shorten(text, room))}</text>`

/** The middle gives way: names differ at both ends. */
function shorten(text: string, room: number): string {
  if (text.length <= room) return text
  const head = Math.ceil((room - 1) / 2)
  return `${text.slice(0, head)}…${text.slice(text.length - (room - 1 - head))}`
}
