import { type Ip, ipOctets } from '../net/ip.ts'

/** The Internet checksum (RFC 1071) over `bytes`, as the 16-bit value that goes into the header. `start` is a partial sum. */
export function internetChecksum(bytes: Uint8Array, start = 0): number {
  let sum = start + sumWords(bytes)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000)
  return ~sum & 0xffff
}

/** Partial sum of the pseudo header that TCP, UDP and ICMPv6 cover (RFC 9293 3.1, RFC 8200 8.1). */
export function pseudoHeaderSum(src: Ip, dst: Ip, protocol: number, length: number): number {
  return (
    sumWords(Uint8Array.from(ipOctets(src))) +
    sumWords(Uint8Array.from(ipOctets(dst))) +
    protocol +
    (length >>> 16) +
    (length & 0xffff)
  )
}

/** CRC32c of an SCTP packet whose checksum field is zero, in the byte order of the wire (RFC 9260, appendix A). */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] ?? 0)
  return swap32(~crc)
}

function sumWords(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)
  return sum
}

const swap32 = (n: number): number =>
  (((n & 0xff) << 24) | ((n & 0xff00) << 8) | ((n >>> 8) & 0xff00) | (n >>> 24)) >>> 0

// The Castagnoli polynomial, bits reversed.
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})
