import { join } from 'node:path'
import type { Captured } from '../trace/capture.ts'
import type { Trace } from '../trace/trace.ts'
import { decodeHint } from '../view/capture-hint.ts'
import { type PcapFile, pcapFiles } from '../view/pcap.ts'
import { formatPcapng } from '../view/pcapng.ts'
import type { Io } from './io.ts'

/** One file per device into `folder`; undefined where the system refuses, which is told. */
export function writePcapFiles(trace: Trace, folder: string, io: Io): readonly PcapFile[] | undefined {
  const captured = trace.branches[0]?.captured ?? []
  const files = pcapFiles(captured)
  for (const { name, bytes } of files) {
    const path = join(folder, name)
    try {
      if (!io.writeFile) throw new Error('there are no files here')
      io.writeFile(path, bytes)
    } catch (error) {
      io.err(`kubehop: ${path}: cannot be written: ${error instanceof Error ? error.message : String(error)}\n`)
      return undefined
    }
  }
  tellHint(captured, io)
  return files
}

/** The list of files that were written, for people and scripts. */
export const listPcapFiles = (files: readonly PcapFile[], folder: string): string =>
  files.map((f) => `${join(folder, f.name)}: ${f.packets} ${f.packets === 1 ? 'packet' : 'packets'}\n`).join('')

/** All devices in one capture, on standard output; false where that is a terminal, which is told. */
export function writePcapng(trace: Trace, io: Io): boolean {
  if (io.outIsTerminal || !io.outBytes) {
    io.err('kubehop: -o pcapng is no text: redirect it to a file, or pipe it to tshark -r -\n')
    return false
  }
  const captured = trace.branches[0]?.captured ?? []
  io.outBytes(formatPcapng(captured))
  tellHint(captured, io)
  return true
}

function tellHint(captured: readonly Captured[], io: Io): void {
  const hint = decodeHint(captured)
  if (hint !== undefined) io.err(`kubehop: ${hint}\n`)
}
