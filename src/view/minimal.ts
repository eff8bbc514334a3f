import type { ClusterEvent } from '../cluster/process.ts'
import type { IpPacket } from '../packet/packet.ts'
import type { Branch, Hop, Leg, Trace } from '../trace/trace.ts'
import { destination, source } from './step.ts'

/**
 * One line per change of the packet and per delivery or drop; no rule, no index. Stable between releases:
 * `>` the packet, `=` a rewrite, `+` and `-` a tunnel, `^` and `v` a copy to a process and back to the kernel,
 * `<` the reply, `.` a delivery, `!` the end of a packet, `?` undecided.
 */
export function formatMinimal(trace: Trace): string {
  return trace.branches.map((b) => `${branchLines(b, trace).join('\n')}\n`).join('')
}

function branchLines(branch: Branch, trace: Trace): readonly string[] {
  const { from, packet, protocol } = trace.question
  const name = from.namespace === undefined ? from.name : `${from.namespace}/${from.name}`
  const start = `> ${from.kind.toLowerCase()} ${name} ${protocol} ${source(packet)} ${destination(packet)}`
  return [start, ...branch.legs.flatMap(legLines), ...endLines(branch)]
}

function legLines(leg: Leg): readonly string[] {
  const changes = leg.hops.flatMap((hop) =>
    hop.steps.flatMap((step) => (step.outer ? [] : changeLines(step.event, hop))),
  )
  return leg.direction === 'reply' ? ['< reply', ...changes] : changes
}

function changeLines(event: ClusterEvent, hop: Hop): readonly string[] {
  switch (event.kind) {
    case 'nat':
      return [`= ${event.manip} ${event.manip === 'src' ? source(event.after) : destination(event.after)}`]
    case 'encapsulate':
      return [`+ ${event.form}${event.vni === undefined ? '' : ` ${event.vni}`} ${event.outer.src} ${event.outer.dst}`]
    case 'decapsulate':
      return [`- ${event.form}`]
    case 'passage':
      return [
        `${event.to === 'process' ? '^' : 'v'} ${event.process} ${event.by === 'tun' ? event.device : (event.peer ?? 'socket')}`,
      ]
    case 'icmp-send':
      return event.suppressed === undefined ? [`* ${icmpName(event.packet)}`] : []
    case 'socket-receive':
      return [`. deliver ${placeOf(hop)}`]
    default:
      return []
  }
}

function endLines({ verdict }: Branch): readonly string[] {
  if (verdict.result === 'delivered') return []
  const at = verdict.place?.node ?? verdict.place?.netns ?? '-'
  return [`${verdict.result === 'undecided' ? '?' : '!'} ${verdict.result} ${verdict.reason ?? '-'} ${at}`]
}

function placeOf(hop: Hop): string {
  return hop.place.kind === 'machine' ? `${hop.place.machine} ${hop.place.name}` : `node ${hop.node ?? hop.netns}`
}

function icmpName(packet: IpPacket): string {
  const { payload } = packet
  if (payload.kind === 'tcp') return 'rst'
  if (payload.kind !== 'icmp') return payload.kind
  const { message } = payload
  return message.kind === 'error'
    ? `icmp ${message.type}/${message.code} ${packet.src}`
    : `icmp ${message.kind} ${packet.src}`
}
