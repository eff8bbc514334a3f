import type { Sweep, SweepRow, TunnelOverhead } from '../trace/sweep.ts'
import { endJson, exitCodeOf, packetJson, verdictJson } from './json.ts'
import { formatColumns } from './table.ts'
import { endLabel, headline, plainText, styleOf, type TextOptions } from './text.ts'

/** Which sizes arrive and what becomes of the others, with the arithmetic of tunnels; the last line is for scripts. */
export function formatSweep(sweep: Sweep, options: TextOptions = plainText): string {
  const { question, rows, largest, overheads, verdict, df } = sweep
  const sizes = rows.map((r) => r.size).join(', ')
  const what = question.protocol === 'tcp' ? 'the first segment after the handshake' : `${question.protocol} packets`
  return [
    `${headline(verdict, styleOf(options))}  ${endLabel(question.from)} -> ${endLabel(question.to)}   ${what}, ${sizes} bytes, DF ${df ? 'set' : 'clear'}`,
    `largest    ${largest === undefined ? 'none arrives' : `${largest} bytes arrive`}`,
    ...overheads.map((o) => `overhead   ${arithmetic(o)}`),
    '',
    formatColumns(
      ['SIZE', 'SENT', 'RESULT', 'WHERE', 'ICMP'],
      rows.map((r) => [String(r.size), String(r.sent), r.verdict.result, where(r), icmp(r)]),
    ).trimEnd(),
    '',
    ...failures(rows),
    resultLine(sweep),
    '',
  ].join('\n')
}

/** What befell the sizes that did not arrive, each fate once. */
function failures(rows: readonly SweepRow[]): readonly string[] {
  const lost = rows.filter((r) => r.verdict.result !== 'delivered')
  const first = lost.filter((r, i) => lost.findIndex((o) => o.verdict.sentence === r.verdict.sentence) === i)
  return first.map((r) => `${String(r.size).padEnd(10)} ${r.verdict.reason ?? ''}: ${r.verdict.sentence}`)
}

const arithmetic = ({ machine, device, form, bytes, parts, lowerDevice, lowerMtu }: TunnelOverhead): string =>
  `${form} by ${device} on ${machine}: ${lowerMtu} of ${lowerDevice} - ${bytes} (${parts}) = ${lowerMtu - bytes}`

function where({ limit, verdict, fragmentedAt, size, sent }: SweepRow): string {
  if (limit) return `${limit.machine} ${limit.device}, mtu ${limit.mtu}`
  if (verdict.result !== 'delivered')
    return `${verdict.place?.node ?? verdict.place?.netns ?? ''} ${verdict.reason ?? ''}`
  const cut = fragmentedAt.length > 0 ? [`fragmented by ${fragmentedAt.join(', ')}`] : []
  return [...(sent < size ? [`in segments of ${sent}`] : []), ...cut].join(', ') || '-'
}

function icmp({ icmp: error, verdict, limit }: SweepRow): string {
  if (error) {
    const fate = error.arrived ? 'reaches the sender' : 'lost on its way'
    return `${error.type}/${error.code} mtu ${error.mtu} from ${error.from}: ${fate}`
  }
  if (!limit) return '-'
  return verdict.sentence.includes('EMSGSIZE') ? 'none needed: the sender gets EMSGSIZE' : 'none'
}

function resultLine({ verdict, rows, largest }: Sweep): string {
  const arrived = rows.filter((r) => r.verdict.result === 'delivered').length
  const reason = verdict.reason === undefined ? '' : ` ${verdict.reason}`
  const result = verdict.mixed ? 'mixed' : verdict.result
  return `result ${result}${reason}  sizes=${rows.length} delivered=${arrived} largest=${largest ?? 'none'}`
}

export function formatSweepJson(sweep: Sweep): string {
  const { question, df, largest, overheads, verdict } = sweep
  const rows = sweep.rows.map((r) => ({
    size: r.size,
    sent: r.sent,
    verdict: verdictJson(r.verdict),
    limit: r.limit ?? null,
    icmp: r.icmp ?? null,
    fragmentedAt: r.fragmentedAt,
  }))
  const json = {
    apiVersion: 'kubehop/v1',
    kind: 'Sweep',
    question: {
      from: endJson(question.from),
      to: endJson(question.to),
      protocol: question.protocol,
      packet: packetJson(question.packet),
      df,
      seed: question.seed,
    },
    verdict: verdictJson(verdict),
    exitCode: exitCodeOf(verdict),
    largest: largest ?? null,
    overheads,
    rows,
  }
  return `${JSON.stringify(json, undefined, 2)}\n`
}
