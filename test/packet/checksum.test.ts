import { expect, test } from 'vitest'
import { crc32c, internetChecksum } from '../../src/packet/checksum.ts'

test('the Internet checksum of the example in RFC 1071', () => {
  expect(internetChecksum(Uint8Array.from([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]))).toBe(~0xddf2 & 0xffff)
})

// RFC 3720, B.4: the CRC as it stands on the wire.
test.each([
  ['32 bytes of zeroes', new Uint8Array(32), 0xaa36918a],
  ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x43aba862],
  ['32 incrementing bytes', Uint8Array.from({ length: 32 }, (_, i) => i), 0x4e79dd46],
])('CRC32c of %s', (_, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected)
})
