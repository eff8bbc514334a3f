import { formatPacket } from '../../packet/format.ts'
import { toNumber } from '../../trace/fraction.ts'
import type { Journey, Stop } from '../../trace/journey.ts'
import type { Trace, Verdict } from '../../trace/trace.ts'
import { escapeHtml } from '../escape-html.ts'
import { formatOrigin } from '../origin.ts'
import { endLabel, type ShownStep } from '../text.ts'
import { stationNumbers } from './graph.ts'
import { pageScript } from './page-script.ts'
import { type StopText, stopText } from './stop-text.ts'
import { pageStyle, pictureColours, svgStyle } from './style.ts'
import { svgElement } from './svg.ts'

/**
 * One file that needs nothing else and may reach nothing else: the map, and every hop with its rules, stepped with keys
 * or buttons. Without scripts it is a list. `detail`: 1 tells all that happened, 2 also each rule that did not match.
 */
export function formatHtml(trace: Trace, detail: 1 | 2 = 1): string {
  const { question } = trace
  const [branch] = trace.branches
  const journey = branch?.journey ?? { boxes: [], stops: [] }
  const reached =
    branch?.reached && question.to.kind !== 'Pod' ? ` → ${branch.reached.kind} ${branch.reached.name}` : ''
  const title = `${endLabel(question.from)} → ${endLabel(question.to)}${reached}`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escapeHtml(title)} - kubehop</title><style>${pictureColours}${svgStyle}${pageStyle}</style></head><body>
<header><h1>${verdictBadge(trace.verdict)} ${escapeHtml(title)}</h1>
<p class="packet">${escapeHtml(formatPacket(question.packet))}${branch && branch.choices.length > 0 ? `, one way of several: probability ${toNumber(branch.probability).toFixed(3)}` : ''}</p>
${causeHtml(trace.verdict)}${trace.notes.map((n) => `<p class="note">${n.level === 'warning' ? '⚠ ' : ''}${escapeHtml(n.message)}</p>`).join('\n')}</header>
<nav aria-label="steps"><button id="first" title="Home">start</button><button id="back" title="left arrow">◀ back</button><button id="next" title="right arrow">next ▶</button><button id="play" title="space">▶ play</button><button id="all" title="d" aria-pressed="false">all details</button><span id="position" role="status"></span></nav>
<main><div class="map">${svgElement(journey, title, '', dot)}
<p class="legend"><span class="forward">━ request</span> <span class="reply">╍ reply</span> <span class="faint">← → or the buttons step, space plays, d shows all details; a click on a station goes there</span></p></div>
<div class="stops">${stopSections(journey, detail)}</div></main>
<script type="application/json" id="journey">${journeyJson(journey)}</script>
<script>${pageScript}</script>
</body></html>
`
}

/** The packet under way; a script moves it. */
const dot = '<g id="packet" visibility="hidden"><circle r="8"/></g>'

const verdictBadge = (verdict: Verdict): string =>
  `<span class="verdict ${verdict.result === 'delivered' ? 'good' : 'bad'}">${verdict.result === 'delivered' ? '✔' : '✖'} ${verdict.mixed ? 'mixed' : verdict.result}</span>`

function causeHtml({ result, reason, sentence, place }: Verdict): string {
  if (result === 'delivered') return ''
  const from = place?.origin ? ` <span class="origin">${escapeHtml(formatOrigin(place.origin))}</span>` : ''
  return `<p class="cause"><b>${escapeHtml(reason ?? '')}</b> ${escapeHtml(sentence)}${from}</p>\n`
}

function stopSections(journey: Journey, detail: 1 | 2): string {
  return (['forward', 'reply'] as const)
    .map((direction) => {
      const own = journey.stops.flatMap((stop, i) => (stop.direction === direction ? [stopHtml(stop, i, detail)] : []))
      return own.length === 0
        ? ''
        : `<h2 class="${direction}">${direction === 'forward' ? 'Request' : 'Reply'}</h2>\n${own.join('\n')}`
    })
    .join('\n')
}

function stopHtml(stop: Stop, index: number, detail: 1 | 2): string {
  const text = stopText(stop, detail)
  const node = text.node === undefined ? '' : `<span class="node">${escapeHtml(text.node)}</span>`
  const summary = text.summary === '' ? '' : `<span class="faint">${escapeHtml(text.summary)}</span>`
  return `<section class="stop${stop.failed ? ' failed' : ''}" id="stop-${index}" data-stop="${index}" tabindex="0">
<h3><span class="n">${text.number}</span> ${escapeHtml(text.place)} ${summary}${node}</h3>
<div class="inside">${packetHtml(text)}${text.steps.map(stepHtml).join('')}</div></section>`
}

function packetHtml({ packetIn, packetOut }: StopText): string {
  if (packetIn === undefined && packetOut === undefined) return ''
  if (packetIn === packetOut || packetOut === undefined) return `<p class="packet">${escapeHtml(packetIn ?? '')}</p>`
  return `<p class="packet">${escapeHtml(packetIn ?? '')}<br><span class="change">becomes ${escapeHtml(packetOut)}</span></p>`
}

function stepHtml(step: ShownStep): string {
  const evidence = (step.evidence ?? []).map((line) => `<code>${escapeHtml(line)}</code>`).join('')
  return `<div class="step level-${step.level}${step.tone ? ` ${step.tone}` : ''}"><b>${step.outer ? 'outer ' : ''}${escapeHtml(step.label)}</b> <span>${escapeHtml(step.text)}${evidence}</span></div>`
}

/** Which stations each stop lights up, by their number in the drawing. No `<` may end the script that holds it. */
function journeyJson(journey: Journey): string {
  const numbers = stationNumbers(journey)
  const data = journey.stops.map(({ direction, stations }) => ({
    direction,
    stations: stations.flatMap((id) => numbers.get(id) ?? []),
  }))
  return JSON.stringify(data).replaceAll('<', '\\u003c')
}
