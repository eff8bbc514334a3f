import { stripVTControlCharacters } from 'node:util'
import type { Origin } from '../artefact/origin.ts'
import { formatPacket } from '../packet/format.ts'
import { packetLength } from '../packet/length.ts'
import { decidingRules } from '../trace/decide.ts'
import { formatFraction, plus, zero } from '../trace/fraction.ts'
import type { Branch, EndView, Hop, Leg, Place, Step, Trace, Verdict, VerdictPlace } from '../trace/trace.ts'
import { formatOrigin } from './origin.ts'
import { type Paint, paintFor, type Symbols, unicode } from './paint.ts'
import { type StepText, stepText } from './step.ts'

export interface TextOptions {
  readonly colour: boolean
  readonly symbols: Symbols
  /** 0: what decided. 1: also what did not. 2: every rule examined. */
  readonly detail: 0 | 1 | 2
}
export const plainText: TextOptions = { colour: false, symbols: unicode, detail: 0 }

interface Style extends TextOptions {
  readonly paint: Paint
}

export const styleOf = (options: TextOptions): Style => ({ ...options, paint: paintFor(options.colour) })

/** The whole trace for a person: verdict, packet, hops there and back, cause, and one last line for scripts. */
export function formatTrace(trace: Trace, options: TextOptions = plainText): string {
  const style = styleOf(options)
  const body =
    trace.explored === 'one' ? trace.branches.flatMap((b) => branchLines(b, style)) : branchTable(trace, style)
  const notes = [...noteLines(trace, style), ...referenceLine(trace)]
  return [...headLines(trace, style), ...body, ...notes, resultLine(trace), ''].join('\n')
}

function headLines(trace: Trace, style: Style): readonly string[] {
  const { paint } = style
  const [branch] = trace.branches
  const { packet, assumed } = trace.question
  const chosen = assumed.length > 0 ? `   (${assumed.join(', ')} chosen)` : ''
  return [
    `${headline(trace.verdict, style)}  ${journey(trace, style)}`,
    ...causeLines(trace.verdict, style),
    `packet     ${formatPacket(packet)}  len ${packetLength(packet)} ttl ${packet.ttl}${chosen}`,
    ...(branch && trace.explored === 'one' ? choiceLines(branch, paint) : []),
    '',
  ]
}

export function headline(verdict: Verdict, { paint }: Style): string {
  const word = (verdict.mixed ? 'MIXED' : verdict.result.toUpperCase()).padEnd(9)
  return verdict.result === 'delivered' ? paint.good(word) : paint.bad(word)
}

function journey({ question, branches }: Trace, { paint }: Style): string {
  const [branch] = branches
  const reached = branches.length === 1 ? branch?.reached : undefined
  const via =
    question.to.kind === 'Pod' || !reached || (question.to.kind !== 'Service' && reached.name === endName(question.to))
      ? ''
      : ` -> ${reached.kind} ${reached.name}${reached.node && reached.kind === 'pod' ? ` (${reached.node})` : ''}`
  const count = (leg: Leg | undefined): number => leg?.hops.filter((h) => h.n !== undefined).length ?? 0
  const hops =
    branch && branches.length === 1
      ? `   ${hopCount(count(branch.legs[0]))} there${branch.legs[1] ? `, ${count(branch.legs[1])} back` : ''}`
      : ''
  return `${paint.object(endLabel(question.from))} -> ${paint.object(endLabel(question.to))}${paint.object(via)}${hops}`
}

const hopCount = (n: number): string => `${n} hop${n === 1 ? '' : 's'}`

const endName = (end: EndView): string => (end.namespace === undefined ? end.name : `${end.namespace}/${end.name}`)

export function endLabel(end: EndView): string {
  const port = end.port === undefined ? '' : `:${end.port}`
  switch (end.kind) {
    case 'Pod':
      return `pod ${endName(end)}${port}`
    case 'Service':
      return `svc ${endName(end)}${port}`
    case 'Node':
      return `node ${end.name}${port}`
    case 'Host':
      return `host ${end.name}${port}`
    case 'Address':
      return end.name.includes(':') && port !== '' ? `[${end.name}]${port}` : `${end.name}${port}`
    case 'Name':
      return `${end.name}${port}`
  }
}

function causeLines(verdict: Verdict, { paint }: Style): readonly string[] {
  if (verdict.result === 'delivered') return []
  const { place } = verdict
  const at = place
    ? ` at ${[place.hop === undefined ? '' : `hop ${place.hop}`, machineOf(place)].filter((t) => t !== '').join(', ')}`
    : ''
  const chain =
    place?.chain === undefined
      ? ''
      : `, ${place.table ?? ''} ${place.chain}${place.index === undefined ? '' : `:${place.index}`}`
  return [
    `           ${paint.bad(verdict.reason ?? '')}${at}${chain}, ${verdict.failed === 'reply' ? 'on the way back' : 'on the way there'}`,
    `           ${verdict.sentence}`,
    ...(place?.origin ? [`           from ${paint.object(formatOrigin(unsaid(place.origin, verdict.sentence)))}`] : []),
  ]
}

/** Without a note that the sentence has said already. */
function unsaid({ note, ...origin }: Origin, sentence: string): Origin {
  return note === undefined || sentence.includes(note) ? origin : { ...origin, note }
}

function choiceLines(branch: Branch, paint: Paint): readonly string[] {
  if (branch.choices.length === 0) return []
  const reached = branch.reached ? paint.object(branch.reached.name) : 'no backend'
  return [
    `choices    ${reached} with probability ${formatFraction(branch.probability)}   (--backend N or NAME pins another, --backend all lists them)`,
  ]
}

/** Several branches: each in one line, and what they add up to. */
function branchTable(trace: Trace, { paint }: Style): readonly string[] {
  const rows = trace.branches.map((b, i) => [
    `${i + 1}`,
    formatFraction(b.probability),
    b.verdict.result,
    b.reached
      ? `${b.reached.name}${b.reached.port === undefined ? '' : ` ${b.reached.address}:${b.reached.port}`}`
      : '-',
    b.reached ? `sees ${b.reached.source.ip}` : (b.verdict.reason ?? ''),
  ])
  const widths = [0, 1, 2, 3].map((c) => Math.max(...rows.map((r) => (r[c] ?? '').length)))
  const total = trace.branches.reduce((sum, b) => plus(sum, b.probability), zero)
  const line = (row: readonly string[], branch: Branch | undefined): string => {
    const [n = '', p = '', result = '', reached = '', source = ''] = row.map((cell, c) => cell.padEnd(widths[c] ?? 0))
    const painted = branch?.verdict.result === 'delivered' ? paint.good(result) : paint.bad(result)
    return `  ${n}  ${p}  ${painted}  ${paint.object(reached)}  ${source}`.trimEnd()
  }
  return [
    'branches',
    ...rows.map((r, i) => line(r, trace.branches[i])),
    `  probabilities add up to ${formatFraction(total)}`,
    '',
  ]
}

function branchLines(branch: Branch, style: Style): readonly string[] {
  return branch.legs.flatMap((leg) => [legTitle(leg), ...leg.hops.flatMap((hop) => hopLines(hop, style)), ''])
}

function legTitle(leg: Leg): string {
  if (leg.direction === 'forward') return 'FORWARD'
  const first = leg.hops.flatMap((h) => h.packetIn ?? [])[0]
  return `REPLY   ${first ? formatPacket(first) : ''}`.trimEnd()
}

const width = 78

function hopLines(hop: Hop, style: Style): readonly string[] {
  const { paint, symbols, detail } = style
  if (hop.place.kind === 'wire' && !hop.steps.some((s) => s.event.kind === 'drop')) {
    return [paint.evidence(`     ${symbols.wire.repeat(24)} ${hop.place.segment} ${symbols.wire.repeat(24)}`)]
  }
  const steps = shownSteps(hop, detail)
  const [only] = steps
  const inline =
    only && steps.length === 1 ? onOneLine(only, style) : steps.length === 0 ? trivialSummary(hop) : undefined
  const head = headLine(hop, inline ?? '', style)
  return inline === undefined ? [head, ...steps.flatMap((s, i) => stepLines(s, i === steps.length - 1, style))] : [head]
}

function headLine(hop: Hop, summary: string, { paint, symbols }: Style): string {
  const number = hop.n === undefined ? '  ' : String(hop.n).padStart(2)
  const name = placeName(hop.place)
  const rest = summary === '' ? '' : `${' '.repeat(Math.max(2, 16 - name.length))}${summary}`
  const pad = ' '.repeat(Math.max(2, width - visibleLength(name) - visibleLength(rest)))
  return `${number} ${symbols.place} ${paint.place(name)}${rest}${hop.node === undefined ? '' : `${pad}${hop.node}`}`
}

const visibleLength = (text: string): number => stripVTControlCharacters(text).length

/** A step that stands alone at its hop and fits beside its name. */
function onOneLine(step: ShownStep, { paint, symbols }: Style): string | undefined {
  if (step.evidence !== undefined || step.text.length > 76) return undefined
  const tone = step.tone === undefined ? (t: string): string => t : paint[step.tone]
  const label = step.label === 'fib' ? '' : `${step.label} `
  return `${step.outer ? 'outer ' : ''}${label}${tone(step.text)}${markOf(step, symbols)}`
}

const markOf = (step: ShownStep, symbols: Symbols): string =>
  step.tone === 'bad' ? ` ${symbols.no}` : step.label === 'socket' && step.tone === 'good' ? ` ${symbols.yes}` : ''

/** `outer`: it concerns the packet that carries ours. */
export interface ShownStep extends StepText {
  readonly outer: boolean
}

/** What happened at the hop, to the level of detail that is asked for. */
export function shownSteps(hop: Hop, detail: 0 | 1 | 2): readonly ShownStep[] {
  const deciding = decidingRules(hop.steps.map((s) => s.event))
  return hop.steps.flatMap((step): ShownStep[] => {
    // What the outer packet meets is told only where it decides something.
    const decides = deciding.has(step.event)
    const text = stepText(step.event, decides, step.reason)
    const resolved = step.resolved ? resolution(step.resolved) : undefined
    const shown = text && visible(text, step, hop, decides) <= detail ? [{ ...text, outer: step.outer === true }] : []
    return [...(resolved && resolved.level <= detail ? [{ ...resolved, outer: false }] : []), ...shown]
  })
}

function visible(text: StepText, { event, outer }: Step, hop: Hop, decides: boolean): 0 | 1 | 2 {
  // What br_netfilter looks up for the bridge is looked up again for IP.
  if (event.kind === 'route' && hop.place.kind === 'hook' && event.purpose !== 'reroute') return 1
  if (!outer) return text.level
  if (event.kind === 'conntrack') return 1
  if (event.kind === 'route' && event.result.kind === 'local') return 1
  // An outer packet is accepted nearly always: only what changes or ends it is news.
  return event.kind === 'rule' && decides && text.tone === undefined ? 1 : text.level
}

/** ARP or NDP, folded into one line. */
function resolution(events: NonNullable<Hop['steps'][number]['resolved']>): StepText | undefined {
  const learned = events.findLast((e) => e.kind === 'neighbour-learned')
  if (learned?.kind !== 'neighbour-learned') return undefined
  return { label: 'neigh', text: `${learned.ip} dev ${learned.device} is ${learned.mac}, asked and answered`, level: 1 }
}

function stepLines(step: ShownStep, last: boolean, { paint, symbols, detail }: Style): readonly string[] {
  const tone = step.tone === undefined ? (t: string): string => t : paint[step.tone]
  const label = `${step.outer ? 'outer ' : ''}${step.label}`.padEnd(9)
  const evidence = detail >= 1 || step.evidence === undefined ? (step.evidence ?? []) : step.evidence
  return [
    `     ${last ? symbols.last : symbols.step} ${label} ${tone(step.text)}${markOf(step, symbols)}`,
    ...evidence.map((line) => `     ${last ? ' ' : '|'}            ${paint.evidence(line)}`),
  ]
}

/** A place where nothing was decided, in a few words. */
export function trivialSummary(hop: Hop): string {
  const stages = hop.steps.flatMap((s) => (s.event.kind === 'stage' ? [s.event] : []))
  const rules = hop.steps.reduce(
    (n, s) => n + (s.event.kind === 'rule' || s.event.kind === 'chain-end' ? s.event.examined : 0),
    0,
  )
  const [stage] = stages
  if (!stage) return hop.place.kind === 'device' && hop.place.portOf !== undefined ? `port of ${hop.place.portOf}` : ''
  if (rules === 0) return 'no rule applies'
  return `${rules} rules examined, ${stage.hook === 'postrouting' ? 'no masquerade' : 'none decided'}`
}

/** The node, or what else it is: `router isp`, but `router` for one that is called so. */
function machineOf({ node, netns }: VerdictPlace): string {
  const [kind = '', name] = netns.split(' ')
  return node ?? (kind === name ? kind : netns)
}

export function placeName(place: Place): string {
  switch (place.kind) {
    case 'machine':
      return place.machine === 'node' || place.machine === place.name ? place.name : `${place.machine} ${place.name}`
    case 'device': {
      const plain = place.deviceKind === 'physical' || place.deviceKind === 'veth'
      const name = plain ? place.device : `${place.device} (${place.deviceKind})`
      return place.from === undefined ? name : `${place.from} -> ${name}`
    }
    case 'hook':
      return place.hook.toUpperCase()
    case 'route':
      return 'route'
    case 'wire':
      return `wire ${place.segment}`
  }
}

const noteLines = (trace: Trace, { paint, symbols }: Style): readonly string[] =>
  trace.notes.map((n) =>
    n.level === 'warning' ? paint.change(`${symbols.warn} ${n.message}`) : `note       ${n.message}`,
  )

/** Where the reason is explained. */
const referenceLine = ({ verdict }: Trace): readonly string[] =>
  verdict.reason === undefined ? [] : [`see docs/reasons.md#${verdict.reason}`]

/** The last line: the same facts for scripts, in a form that stays. */
function resultLine({ verdict, branches }: Trace): string {
  const direction = (which: 'forward' | 'reply'): string =>
    verdict.result === 'delivered'
      ? 'delivered'
      : verdict.failed === which
        ? verdict.result
        : which === 'forward'
          ? 'delivered'
          : 'none'
  const cost = branches.reduce(
    (sum, b) => ({ rules: sum.rules + b.cost.rulesExamined, lookups: sum.lookups + b.cost.lookups }),
    { rules: 0, lookups: 0 },
  )
  const reason = verdict.reason === undefined ? '' : ` ${verdict.reason}`
  const place = verdict.place
    ? ` ${machineOf(verdict.place)}${verdict.place.hop === undefined ? '' : ` hop=${verdict.place.hop}`}`
    : ''
  return `result ${verdict.mixed ? 'mixed' : verdict.result}${reason}${place}  forward=${direction('forward')} reply=${direction('reply')}  rules=${cost.rules} lookups=${cost.lookups}`
}
