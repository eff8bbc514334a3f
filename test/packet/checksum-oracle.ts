import { spawnSync } from 'node:child_process'

/** Whether a program answers to `--version` here. */
export const hasTool = (name: string): boolean => spawnSync(name, ['--version']).status === 0

/** The one's complement sum of RFC 1071, written the slow way. 0xffff over a header with its checksum in place. */
export function onesComplement(bytes: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) {
    sum += (bytes[i] ?? 0) * 256 + (bytes[i + 1] ?? 0)
    if (sum > 0xffff) sum -= 0xffff
  }
  return sum
}

/** CRC32c bit by bit, most significant bit first over reflected input (RFC 3720, B.4 vectors). */
export function crc32cBitwise(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const one = (crc ^ (byte >> bit)) & 1
      crc = (crc >>> 1) ^ (one ? 0x82f63b78 : 0)
    }
  }
  return ~crc >>> 0
}
