import { encodeFrame, encodePacket } from '../packet/encode.ts'
import type { Captured } from '../trace/capture.ts'

/** One device of one namespace, as capture files name what they were taken at. */
export interface CaptureInterface {
  /** `node-a/eth0`, `shop/cart/eth0`. */
  readonly name: string
  readonly linkType: number
  readonly packets: readonly CapturedPacket[]
}

export interface CapturedPacket {
  /** Place in the whole capture, from 0: at one instant of virtual time, what is later has the larger number. */
  readonly order: number
  /** Nanoseconds. */
  readonly time: bigint
  readonly direction: 'in' | 'out'
  readonly bytes: Uint8Array
}

/** LINKTYPE_ETHERNET and LINKTYPE_RAW of the registry at tcpdump.org. */
const linkTypes = { frame: 1, packet: 101 } as const

/** Interfaces in the order in which they first saw a packet. */
export function interfacesOf(captured: readonly Captured[]): readonly CaptureInterface[] {
  const found = new Map<string, CaptureInterface & { readonly packets: CapturedPacket[] }>()
  const times = distinctTimes(captured)
  captured.forEach(({ netns, device, direction, content }, order) => {
    const linkType = linkTypes[content.kind]
    const key = `${linkType} ${netns} ${device}`
    const known = found.get(key) ?? { name: `${netns}/${device}`, linkType, packets: [] }
    found.set(key, known)
    const bytes = content.kind === 'frame' ? encodeFrame(content.frame) : encodePacket(content.packet)
    known.packets.push({ order, time: times[order] ?? 0n, direction, bytes })
  })
  return [...found.values()]
}

/** Virtual time stands still while a packet travels: a nanosecond for each sighting keeps their order when files are merged. */
function distinctTimes(captured: readonly Captured[]): readonly bigint[] {
  let last = -1n
  return captured.map(({ at }) => {
    const time = BigInt(Math.round(at * 1_000_000))
    last = time > last ? time : last + 1n
    return last
  })
}
