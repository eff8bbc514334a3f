import type { ClusterEvent } from '../cluster/process.ts'
import { formatPacket } from '../packet/format.ts'
import { type IpPacket, tcpFlag } from '../packet/packet.ts'
import type { Branch, Hop, Step, Trace } from '../trace/trace.ts'
import { destination, natText, passageText, source } from './step.ts'
import { placeName } from './text.ts'

/** `-q`: one line per hop at which something happened to the packet, with the hop's number; then what must not be missed. */
export function formatBrief(trace: Trace): string {
  const notes = trace.notes.flatMap((n) => (n.brief ? [`note ${n.message}\n`] : []))
  return [trace.branches.map((b) => `${[...branchLines(b), verdictLine(b)].join('\n')}\n`).join('\n'), ...notes].join(
    '',
  )
}

function branchLines(branch: Branch): readonly string[] {
  return branch.legs.flatMap((leg) => leg.hops.flatMap(hopLines))
}

function hopLines(hop: Hop): readonly string[] {
  const where =
    hop.place.kind === 'machine'
      ? `${placeName(hop.place)}${hop.node === undefined || hop.place.machine === 'node' ? '' : `@${hop.node}`}`
      : `${hop.node ?? hop.netns} ${placeName(hop.place)}`
  const news = hop.steps.flatMap((s) => (s.outer ? [] : (newsOf(s) ?? balancerNews(hop, s.event) ?? [])))
  return news.map((text) => `${String(hop.n ?? '').padStart(2)} ${where.padEnd(32)} ${text}`)
}

/** The node that a load balancer chose, where it does not rewrite the packet to say so. */
function balancerNews({ place }: Hop, event: ClusterEvent): string | undefined {
  const chose = place.kind === 'machine' && place.machine === 'load-balancer' && event.kind === 'route'
  const via = chose && event.result.kind === 'unicast' ? event.result.route.via : undefined
  return via && `sends it on to ${via}`
}

function newsOf({ event, reason }: Step): string | undefined {
  switch (event.kind) {
    case 'socket-send':
      return `${source(event.packet)} -> ${destination(event.packet)}`
    case 'nat':
      return natText(event)
    case 'encapsulate':
      return `${event.form}${event.vni === undefined ? '' : ` vni ${event.vni}`}  ${event.outer.src} -> ${event.outer.dst}`
    case 'decapsulate':
      return `${event.form} taken off`
    case 'passage':
      return passageText(event)
    case 'socket-receive':
      return isReset(event.packet) ? 'gets RST' : 'delivered'
    case 'icmp-send':
      return event.suppressed === undefined
        ? `sends ${formatPacket(event.packet).split(' quoting ')[0]}  (${event.why})`
        : undefined
    case 'drop':
      return `${reason ?? event.reason}: ${event.detail}`
    default:
      return undefined
  }
}

const isReset = ({ payload }: IpPacket): boolean => payload.kind === 'tcp' && (payload.flags & tcpFlag.rst) !== 0

const verdictLine = ({ verdict }: Branch): string =>
  verdict.result === 'delivered' ? 'delivered' : `${verdict.result} ${verdict.reason ?? ''}: ${verdict.sentence}`
