import type { DeviceName } from '../artefact/link.ts'
import type { Visit } from '../cluster/loop.ts'
import type { NetnsId } from '../cluster/machine.ts'
import type { Frame, IpPacket } from '../packet/packet.ts'

/** What one packet socket saw once. */
export interface Captured {
  readonly netns: NetnsId
  readonly device: DeviceName
  /** Virtual time in ms. */
  readonly at: number
  readonly direction: 'in' | 'out'
  /** A bare IP packet where the device has no Ethernet header. */
  readonly content:
    | { readonly kind: 'frame'; readonly frame: Frame }
    | { readonly kind: 'packet'; readonly packet: IpPacket }
}

/**
 * What packet sockets at every device of the namespaces on the way see, in order: the packet, its answer, and ARP and
 * NDP around them. Copies that a bridge floods into other namespaces are seen where they leave.
 */
export function captureOf(visits: readonly Visit[], path: readonly Visit[]): readonly Captured[] {
  const passed = new Set(path.map((v) => v.netns))
  return visits.filter((v) => passed.has(v.netns)).flatMap(capturedIn)
}

const capturedIn = ({ netns, at, events }: Visit): readonly Captured[] =>
  events.flatMap((event): readonly Captured[] => {
    if (event.kind !== 'receive' && event.kind !== 'transmit') return []
    const { device, frame, packet } = event
    const direction = event.kind === 'receive' ? 'in' : 'out'
    if (frame) return [{ netns, device, at, direction, content: { kind: 'frame', frame } }]
    return packet ? [{ netns, device, at, direction, content: { kind: 'packet', packet } }] : []
  })
