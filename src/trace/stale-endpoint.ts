import type { ConntrackEntry, NetnsState } from '../artefact/netns.ts'
import type { Machine, NetnsId } from '../cluster/machine.ts'
import type { Ip } from '../net/ip.ts'
import { formatSocketAddress } from '../net/port.ts'
import type { IpPacket } from '../packet/packet.ts'
import type { Hop, Leg } from './trace.ts'

/**
 * The request followed a connection entry that stood before it, to an address that no namespace has any more: in words, where
 * and whereto.
 */
export function staleEndpoint(legs: readonly Leg[], machines: ReadonlyMap<NetnsId, Machine>): string | undefined {
  for (const hop of legs.filter((l) => l.direction === 'forward').flatMap((l) => l.hops)) {
    const machine = machines.get(hop.netns)
    const packet = machine && translatedAsBefore(hop, machine.state())
    if (packet && !isHeld(packet.after.dst, machines))
      return `a connection entry on ${machine.name} from before still sends ${ends(packet.before)} to ${ends(packet.after)}, which nobody in the input has`
  }
  return undefined
}

interface Translated {
  readonly before: IpPacket
  readonly after: IpPacket
}

function translatedAsBefore({ steps }: Hop, { conntrack }: NetnsState): Translated | undefined {
  for (const { event } of steps)
    if (event.kind === 'nat' && event.manip === 'dst' && conntrack.some((entry) => isOf(entry, event.before)))
      return event
  return undefined
}

function isOf({ protocol, original }: ConntrackEntry, { src, dst, payload }: IpPacket): boolean {
  if (payload.kind !== 'tcp' && payload.kind !== 'udp' && payload.kind !== 'sctp') return false
  if (payload.kind !== protocol || src !== original.src || dst !== original.dst) return false
  return payload.srcPort === original.srcPort && payload.dstPort === original.dstPort
}

const isHeld = (address: Ip, machines: ReadonlyMap<NetnsId, Machine>): boolean =>
  [...machines.values()].some((m) => m.state().addresses.some((a) => a.ip === address))

const ends = ({ dst, payload }: IpPacket): string =>
  'dstPort' in payload ? formatSocketAddress(dst, payload.dstPort) : dst
