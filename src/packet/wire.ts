/** What encoding and decoding share: numbers of the wire that the values do not carry. */
export const etherType = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const

/** ICMP types (RFC 792, RFC 4443, RFC 4861). */
export const icmpType = {
  ipv4: { echoReply: 0, unreachable: 3, redirect: 5, echoRequest: 8, timeExceeded: 11, parameterProblem: 12 },
  ipv6: {
    unreachable: 1,
    packetTooBig: 2,
    timeExceeded: 3,
    parameterProblem: 4,
    echoRequest: 128,
    echoReply: 129,
    solicitation: 135,
    advertisement: 136,
    redirect: 137,
  },
} as const

/** Fragmentation Needed: the code of an IPv4 unreachable that carries a next-hop MTU (RFC 1191). */
export const fragmentationNeeded = 4

/** Next header of the IPv6 fragment header (RFC 8200, 4.5). */
export const ipv6FragmentHeader = 44

/** SCTP chunk types and the bytes between a chunk's header and its variable part (RFC 9260, 3.3). */
export const sctpChunk = {
  data: { type: 0, fixed: 12 },
  init: { type: 1, fixed: 16 },
  'init-ack': { type: 2, fixed: 16 },
  abort: { type: 6, fixed: 0 },
} as const

/** Chunks are padded to a multiple of four bytes, which their length does not count (RFC 9260, 3.2). */
export const padTo4 = (n: number): number => (n + 3) & ~3

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
