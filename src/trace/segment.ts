import type { Network, Visit } from '../cluster/loop.ts'
import type { NetnsId } from '../cluster/machine.ts'
import type { SendRequest } from '../linux/kernel.ts'
import { familyOf } from '../net/ip.ts'
import { tcpFlag } from '../packet/packet.ts'
import { clientOwner, endingOf } from './path.ts'

/** The timestamps that every segment of a Linux connection carries. */
const options = 12

/**
 * The first data of a TCP connection that `opening` opened; undefined where it did not. A SYN is small whatever is to be
 * sent, so a size is that of this segment: as large as asked for, but no larger than the MTU of either end, from which
 * both derive the MSS that they announce.
 */
export function firstSegment(
  opening: readonly Visit[],
  syn: SendRequest,
  size: number,
  network: Network,
): SendRequest | undefined {
  const ending = endingOf(opening)
  const answer = ending?.kind === 'answered' ? ending.packet.payload : undefined
  if (syn.payload.kind !== 'tcp' || answer?.kind !== 'tcp' || !(answer.flags & tcpFlag.syn)) return undefined
  const length = Math.min(size, largestSegment(opening, network) ?? size)
  const data = Math.max(1, length - headers(syn))
  const flags = tcpFlag.ack | tcpFlag.psh
  return { ...syn, payload: { ...syn.payload, flags, seq: 1, ack: 1, options, data } }
}

const headers = ({ dst }: SendRequest): number => (familyOf(dst) === 'ipv4' ? 20 : 40) + 20 + options

/** The MTU that a TCP connection keeps to from the start: of the devices that its ends send by. */
export function largestSegment(opening: readonly Visit[], network: Network): number | undefined {
  const server = opening.find((v) =>
    v.events.some((e) => e.kind === 'socket-receive' && e.listening && e.owner !== clientOwner),
  )
  const mtus = [opening[0], server].flatMap((v) => (v ? (sendingMtu(v, network) ?? []) : []))
  return mtus.length > 0 ? Math.min(...mtus) : undefined
}

function sendingMtu({ netns, events }: Visit, network: Network): number | undefined {
  const sent = events.findLast((e) => e.kind === 'route' && e.purpose === 'output' && e.result.kind === 'unicast')
  if (sent?.kind !== 'route' || sent.result.kind !== 'unicast') return undefined
  const own = deviceMtu(network, netns, sent.result.device)
  return own === undefined ? undefined : Math.min(own, sent.result.route.mtu ?? own)
}

export const deviceMtu = (network: Network, netns: NetnsId, device: string): number | undefined =>
  network.machines
    .get(netns)
    ?.state()
    .links.find((l) => l.name === device)?.mtu
