import type { Captured } from '../trace/capture.ts'
import { type CaptureInterface, interfacesOf } from './capture-file.ts'

export interface PcapFile {
  /** `node-a.eth0.pcap`, no directory. */
  readonly name: string
  readonly packets: number
  readonly bytes: Uint8Array
}

/** One capture per device, as tcpdump would write it there. */
export function pcapFiles(captured: readonly Captured[]): readonly PcapFile[] {
  const taken = new Set<string>()
  return interfacesOf(captured).map((device) => ({
    name: freeName(device.name.replaceAll('/', '.').replaceAll(/[^A-Za-z0-9._-]/g, '_'), taken),
    packets: device.packets.length,
    bytes: formatPcap(device),
  }))
}

/** The name, or with a number where another one looks the same. */
function freeName(name: string, taken: Set<string>): string {
  let free = name
  for (let n = 2; taken.has(free.toLowerCase()); n++) free = `${name}-${n}`
  taken.add(free.toLowerCase())
  return `${free}.pcap`
}

/** The classic file format with nanoseconds (draft-ietf-opsawg-pcap). */
function formatPcap({ linkType, packets }: CaptureInterface): Uint8Array {
  const header = new Uint8Array(24)
  const view = new DataView(header.buffer)
  view.setUint32(0, 0xa1b23c4d, true)
  view.setUint16(4, 2, true)
  view.setUint16(6, 4, true)
  view.setUint32(16, snapLength, true)
  view.setUint32(20, linkType, true)
  return Buffer.concat([header, ...packets.flatMap((p) => [recordHeader(p.time, p.bytes.length), p.bytes])])
}

/** No packet is cut. */
export const snapLength = 262_144

const second = 1_000_000_000n

function recordHeader(time: bigint, length: number): Uint8Array {
  const header = new Uint8Array(16)
  const view = new DataView(header.buffer)
  view.setUint32(0, Number(time / second), true)
  view.setUint32(4, Number(time % second), true)
  view.setUint32(8, length, true)
  view.setUint32(12, length, true)
  return header
}
