import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeFrame } from '../../src/packet/encode.ts'
import { frameLength } from '../../src/packet/length.ts'
import type { Frame } from '../../src/packet/packet.ts'
import { anyFrame } from './any-packet.ts'
import { hasTool } from './checksum-oracle.ts'

const tshark = hasTool('tshark')

test.skipIf(!tshark)(`tshark finds nothing wrong in encoded frames${tshark ? '' : ' (not installed)'}`, () => {
  // A longer packet may be cut where it is quoted, and tshark sums what is left of it.
  const whole = anyFrame().filter((frame) => frameLength(frame) <= 560)
  const frames = fc.sample(whole, { numRuns: 500, seed: 1 })
  expect(complaints(frames)).toEqual([])
})

const dissected = [
  'eth',
  'ethertype',
  'arp',
  'ip',
  'ipv6',
  'tcp',
  'udp',
  'sctp',
  'icmp',
  'icmpv6',
  'vxlan',
  'data',
  'frame',
]
const verified = ['ip.check_checksum', 'tcp.check_checksum', 'udp.check_checksum']

/**
 * Remarks about values that the generator draws at will: they say nothing of form. The last two are a port that belongs
 * to another protocol, and IPv6 that is quoted inside IPv4, which tshark 4.0 takes for cut off.
 */
const aboutValues = new RegExp(
  [
    'Source MAC must not be a group address: IEEE 802.3-2002, Section 3.2.3\\(b\\)',
    'Connection (reset|finish|establish acknowledge|establish request) \\([A-Z+]+\\)(: server port \\d+)?',
    'This frame initiates the connection closing',
    'The acknowledgment number field is nonzero while the ACK flag is not set',
    '4 NOP in a row - a router may have removed some options',
    'Duplicate IP address configured \\([0-9.]+\\)',
    '"Time To Live" only \\d',
    'Trailing stray characters',
    'IPv6 header must be exactly 40 bytes\t_ws.malformed',
  ].join('|'),
  'g',
)

/** What tshark has to say of form: bad checksums, malformed and short frames, wrong lengths. */
function complaints(frames: readonly Frame[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'kubehop-dissect-'))
  try {
    const file = join(folder, 'frames.pcap')
    writeFileSync(file, pcap(frames))
    // Ports are drawn at will: only these protocols may read a payload.
    const options = ['--disable-protocol', 'ALL', ...dissected.flatMap((name) => ['--enable-protocol', name])]
    const preferences = verified.flatMap((name) => ['-o', `${name}:TRUE`])
    const fields = ['-T', 'fields', '-e', 'frame.number', '-e', '_ws.expert.message', '-e', '_ws.malformed']
    const run = spawnSync('tshark', ['-r', file, '-o', 'sctp.checksum:TRUE', ...options, ...preferences, ...fields], {
      encoding: 'utf8',
    })
    const lines = run.stdout.split('\n').filter(Boolean)
    expect(lines, run.stderr).toHaveLength(frames.length)
    return lines.filter(
      (line) =>
        line
          .replaceAll(aboutValues, '')
          .replace(/^\d+\t/, '')
          .replaceAll(/[,\t]/g, '') !== '',
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The classic format, Ethernet, one frame a second. */
function pcap(frames: readonly Frame[]): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4, 0)
  header.writeUInt16LE(2, 4)
  header.writeUInt16LE(4, 6)
  header.writeUInt32LE(65535, 16)
  header.writeUInt32LE(1, 20)
  return Buffer.concat([header, ...frames.map(encodeFrame).flatMap((bytes, i) => [pcapRecord(i, bytes), bytes])])
}

function pcapRecord(second: number, bytes: Uint8Array): Buffer {
  const record = Buffer.alloc(16)
  record.writeUInt32LE(second, 0)
  record.writeUInt32LE(bytes.length, 8)
  record.writeUInt32LE(bytes.length, 12)
  return record
}
