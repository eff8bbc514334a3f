import type { Captured } from '../trace/capture.ts'
import { type CapturedPacket, interfacesOf } from './capture-file.ts'
import { snapLength } from './pcap.ts'

/** All devices in one file (draft-ietf-opsawg-pcapng): an interface block for each, packets in the order of the journey. */
export function formatPcapng(captured: readonly Captured[]): Uint8Array {
  const interfaces = interfacesOf(captured)
  const packets = interfaces.flatMap((device, id) => device.packets.map((packet) => ({ id, packet })))
  packets.sort((a, b) => a.packet.order - b.packet.order)
  return Buffer.concat([
    sectionHeader(),
    ...interfaces.map((device) => interfaceBlock(device.name, device.linkType)),
    ...packets.map(({ id, packet }) => packetBlock(id, packet)),
  ])
}

function sectionHeader(): Uint8Array {
  const body = new Uint8Array(16)
  const view = new DataView(body.buffer)
  view.setUint32(0, 0x1a2b3c4d, true)
  view.setUint16(4, 1, true)
  // The length of the section is left open.
  view.setBigInt64(8, -1n, true)
  return block(0x0a0d0d0a, [body, ...options([userApplication, encoder.encode('kubehop')])])
}

function interfaceBlock(name: string, linkType: number): Uint8Array {
  const body = new Uint8Array(8)
  const view = new DataView(body.buffer)
  view.setUint16(0, linkType, true)
  view.setUint32(4, snapLength, true)
  return block(1, [body, ...options([interfaceName, encoder.encode(name)], [timeResolution, nanoseconds])])
}

function packetBlock(id: number, { time, bytes, direction }: CapturedPacket): Uint8Array {
  const body = new Uint8Array(20)
  const view = new DataView(body.buffer)
  view.setUint32(0, id, true)
  view.setUint32(4, Number(time >> 32n), true)
  view.setUint32(8, Number(time & 0xffffffffn), true)
  view.setUint32(12, bytes.length, true)
  view.setUint32(16, bytes.length, true)
  const flags = new Uint8Array(4)
  flags[0] = direction === 'in' ? 1 : 2
  return block(6, [body, padded(bytes), ...options([packetFlags, flags])])
}

const encoder = new TextEncoder()
const userApplication = 4
const interfaceName = 2
const timeResolution = 9
const nanoseconds = Uint8Array.of(9)
const packetFlags = 2

type Option = readonly [code: number, value: Uint8Array]

/** Each with its code and length, then the end-of-options mark. */
const options = (...given: readonly Option[]): readonly Uint8Array[] => [
  ...given.flatMap(([code, value]) => [codeAndLength(code, value.length), padded(value)]),
  codeAndLength(0, 0),
]

function codeAndLength(code: number, length: number): Uint8Array {
  const bytes = new Uint8Array(4)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, code, true)
  view.setUint16(2, length, true)
  return bytes
}

/** Its length stands before and behind it, so that a file can be read in both directions. */
function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = 12 + parts.reduce((sum, p) => sum + p.length, 0)
  const [head, tail] = [new Uint8Array(8), new Uint8Array(4)]
  const view = new DataView(head.buffer)
  view.setUint32(0, type, true)
  view.setUint32(4, length, true)
  new DataView(tail.buffer).setUint32(0, length, true)
  return Buffer.concat([head, ...parts, tail])
}

/** Everything in the file is aligned to 32 bits. */
function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 4 === 0) return bytes
  const result = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
  result.set(bytes)
  return result
}
