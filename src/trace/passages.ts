import type { Branch, Leg, Note } from './trace.ts'

/** How often a packet on its way is copied between kernel and user space, where a process carries it (flannel's udp backend). */
export function passageNotes([branch]: readonly Branch[]): readonly Note[] {
  const [leg] = branch?.legs ?? []
  const [process] = leg ? processesOf(leg) : []
  if (!leg || process === undefined) return []
  const sender = copiesUntilWire(leg)
  return [
    {
      level: 'info',
      code: 'user-space-tunnel',
      message: `${process} carries packets in user space: ${sender} passages between kernel and user space before the wire (the client's own, to ${process}, back to the kernel), where a tunnel in the kernel needs 1`,
    },
  ]
}

const processesOf = (leg: Leg): readonly string[] =>
  leg.hops.flatMap((h) => h.steps.flatMap(({ event }) => (event.kind === 'passage' ? [event.process] : [])))

/** Sends and copies to and from processes, up to the datagram that leaves. */
function copiesUntilWire({ hops }: Leg): number {
  const events = hops.flatMap((h) => h.steps.map((s) => s.event))
  const out = events.findIndex((e) => e.kind === 'passage' && e.to === 'kernel' && e.by === 'socket')
  const before = out < 0 ? events : events.slice(0, out + 1)
  return before.filter((e) => e.kind === 'passage' || e.kind === 'socket-send').length
}
