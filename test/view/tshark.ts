import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Dissected {
  readonly device: string
  /** `eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp`. */
  readonly protocols: string
  readonly time: string
  /** Warnings and errors; remarks and notes are none. */
  readonly complaints: string
  readonly summary: string
}

/** PI_WARN of epan/proto.h. */
const warning = 0x600000

/**
 * Warnings about what packets say, not about their form: a refused connection, and an address behind several MACs, as a
 * node's is at the devices of its pods.
 */
const aboutValues = /Connection reset \(RST\)(: server port \d+)?|Duplicate IP address configured \([0-9.]+\)/g

/**
 * What tshark makes of a capture, with every checksum verified. One packet is seen at many devices, and more than one
 * connection can be in a file, so sequence numbers are not followed.
 */
export function dissect(capture: Uint8Array, vxlanPort = 8472): readonly Dissected[] {
  const folder = mkdtempSync(join(tmpdir(), 'kubehop-capture-'))
  try {
    const file = join(folder, 'capture')
    writeFileSync(file, capture)
    const verify = ['ip.check_checksum', 'tcp.check_checksum', 'udp.check_checksum', 'sctp.checksum']
    const options = [...verify.map((p) => `${p}:TRUE`), 'tcp.analyze_sequence_numbers:FALSE'].flatMap((p) => ['-o', p])
    const run = spawnSync(
      'tshark',
      ['-n', '-r', file, '-d', `udp.port==${vxlanPort},vxlan`, ...options, '-T', 'fields', ...fields],
      { encoding: 'utf8', maxBuffer: 1 << 28 },
    )
    if (run.status !== 0) throw new Error(run.stderr)
    return run.stdout.split('\n').filter(Boolean).map(dissectedOf)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const fields = [
  'frame.interface_name',
  'frame.protocols',
  'frame.time_epoch',
  '_ws.expert.severity',
  '_ws.expert.message',
  '_ws.malformed',
  '_ws.col.Info',
].flatMap((name) => ['-e', name])

function dissectedOf(line: string): Dissected {
  const [device = '', protocols = '', time = '', severities = '', messages = '', malformed = '', summary = ''] =
    line.split('\t')
  const bad =
    severities.split(',').some((s) => Number(s) >= warning) &&
    messages.replaceAll(aboutValues, '').replace(/,/g, '') !== ''
  return { device, protocols, time, complaints: `${bad ? messages : ''}${malformed}`, summary }
}
