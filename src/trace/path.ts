import type { Visit } from '../cluster/loop.ts'
import type { DropEvent } from '../linux/event.ts'
import type { IpPacket } from '../packet/packet.ts'

/** Owner of the sockets that the traced connection's client opens. */
export const clientOwner = 'client'

/** How the journey ended, and the visit where it did. */
export type Ending =
  | { readonly kind: 'answered'; readonly visit: Visit; readonly packet: IpPacket }
  | { readonly kind: 'error'; readonly visit: Visit; readonly errno: string; readonly icmp: IpPacket | undefined }
  | { readonly kind: 'dropped'; readonly visit: Visit; readonly drop: DropEvent }
  /** Nothing answered and nothing said why. */
  | { readonly kind: 'silent'; readonly visit: Visit }

/** What the client saw in the end: an answer, an error, or nothing - and then the drop that explains it. */
export function endingOf(visits: readonly Visit[]): Ending | undefined {
  const [root] = visits
  if (!root) return undefined
  for (const visit of visits) {
    const acknowledged = visit.events.find(
      (e) => e.kind === 'socket-receive' && e.owner === clientOwner && !e.listening,
    )
    if (acknowledged?.kind === 'socket-receive' && !visit.outputs.some((o) => o.kind === 'error'))
      return { kind: 'answered', visit, packet: acknowledged.packet }
    for (const output of visit.outputs) {
      if (output.kind === 'deliver' && output.owner === clientOwner && !output.listening)
        return { kind: 'answered', visit, packet: output.packet }
      if (output.kind === 'error' && output.owner === clientOwner)
        return { kind: 'error', visit, errno: output.errno, icmp: output.icmp }
    }
  }
  const drops = visits.flatMap((visit) => dropsOf(visit).map((drop) => ({ visit, drop })))
  // Copies that a bridge flooded die unheeded at every other station: they explain a loss only if nothing else does.
  const [first] = [...drops.filter(({ drop }) => drop.reason !== 'other-host'), ...drops]
  if (first) return { kind: 'dropped', ...first }
  return { kind: 'silent', visit: visits[visits.length - 1] ?? root }
}

const dropsOf = (visit: Visit): readonly DropEvent[] =>
  visit.events.filter((e): e is DropEvent => e.kind === 'drop').filter((e) => !isSideDrop(e))

/** The loss of an ICMP message that the kernel sent about a packet is not the loss of that packet. */
export const isSideDrop = (drop: DropEvent): boolean =>
  // Without a packet it was ARP: what the packet then lacks is a neighbour.
  (drop.packet === undefined && drop.reason !== 'loop-limit') ||
  (drop.packet?.payload.kind === 'icmp' &&
    ['error', 'redirect', 'neighbour-solicitation', 'neighbour-advertisement'].includes(
      drop.packet.payload.message.kind,
    ))

/** From the first sending to `last`, in order. */
export function pathTo(last: Visit, visits: readonly Visit[]): readonly Visit[] {
  const byId = new Map(visits.map((v) => [v.id, v]))
  const path: Visit[] = []
  for (let at: Visit | undefined = last; at; at = at.parent === undefined ? undefined : byId.get(at.parent))
    path.push(at)
  return path.reverse()
}
