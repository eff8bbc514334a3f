import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ip, ipOctets } from '../../src/net/ip.ts'
import { decodeFrame, decodePacket } from '../../src/packet/decode.ts'
import { encodeFrame, encodePacket } from '../../src/packet/encode.ts'
import { frameLength, packetLength, payloadLength } from '../../src/packet/length.ts'
import { type IpPacket, packetFamily, protocolNumber, tcpFlag } from '../../src/packet/packet.ts'
import { anyFrame, anyPacket } from './any-packet.ts'
import { crc32cBitwise, onesComplement } from './checksum-oracle.ts'

const syn: IpPacket = {
  src: ip('10.244.1.5'),
  dst: ip('10.96.45.67'),
  ttl: 64,
  tos: 0,
  id: 1,
  df: true,
  payload: {
    kind: 'tcp',
    srcPort: 41822,
    dstPort: 80,
    flags: tcpFlag.syn,
    seq: 1,
    ack: 0,
    options: 20,
    data: 0,
  },
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('encodePacket', () => {
  test('writes the IPv4 header of RFC 791, with its checksum', () => {
    expect(hex(encodePacket(syn)).slice(0, 40)).toBe('4500003c000140004006f71f0af401050a602d43')
  })

  test('writes the options of a Linux SYN', () => {
    expect(hex(encodePacket(syn)).slice(80)).toBe('020405b40402080a000000010000000001030307')
  })

  test('a packet that no length field can state is refused by name', () => {
    const huge = { ...syn, payload: { kind: 'udp', srcPort: 1, dstPort: 2, data: 70_000 } as const }
    expect(() => encodePacket(huge)).toThrow('an IP packet of 70028 bytes does not fit its length field')
  })

  test('length is what an MTU is compared with', () => {
    fc.assert(
      fc.property(anyPacket(), (packet) => {
        expect(encodePacket(packet).length).toBe(packetLength(packet))
      }),
    )
  })

  test('the length of a frame is that of its bytes', () => {
    fc.assert(
      fc.property(anyFrame(), (frame) => {
        expect(encodeFrame(frame).length).toBe(frameLength(frame))
      }),
    )
  })

  test('fragments put together are the whole', () => {
    fc.assert(
      fc.property(anyPacket(1), fc.integer({ min: 1, max: 185 }), (whole, units) => {
        const pieces = fragmentsOf(whole, units * 8).map((piece) => {
          const bytes = encodePacket(piece)
          expect(bytes.length).toBe(packetLength(piece))
          return bytes.subarray(packetFamily(whole) === 'ipv4' ? 20 : 48)
        })
        const header = packetFamily(whole) === 'ipv4' ? 20 : 40
        expect(Buffer.concat(pieces).equals(encodePacket(whole).subarray(header))).toBe(true)
      }),
    )
  })
})

describe('checksums', () => {
  test('every header of an encoded packet verifies', () => {
    fc.assert(
      fc.property(anyPacket(), (packet) => {
        verify(packet, encodePacket(packet))
      }),
    )
  })
})

describe('decode', () => {
  test('a packet read back from its bytes is the same packet', () => {
    fc.assert(
      fc.property(anyPacket(), (packet) => {
        expect(decodePacket(encodePacket(packet))).toEqual(packet)
      }),
    )
  })

  test('a frame read back from its bytes is the same frame, also with Ethernet padding', () => {
    fc.assert(
      fc.property(anyFrame(), fc.nat(46), (frame, padding) => {
        const bytes = encodeFrame(frame)
        expect(decodeFrame(Buffer.concat([bytes, new Uint8Array(padding)]))).toEqual(frame)
      }),
    )
  })

  test('an error that quotes less than Linux does is as short as it came', () => {
    const message = { kind: 'error', type: 3, code: 0, quoted: syn, quotedBytes: 28 } as const
    const told: IpPacket = { ...syn, payload: { kind: 'icmp', message } }
    expect(encodePacket(told)).toHaveLength(20 + 8 + 28)
    expect(decodePacket(encodePacket(told))).toMatchObject({ payload: { message: { type: 3, quotedBytes: 28 } } })
  })

  test('the first fragment of a datagram tells its ports and length', () => {
    const whole: IpPacket = { ...syn, df: false, payload: { kind: 'udp', srcPort: 5000, dstPort: 53, data: 3000 } }
    const [first] = fragmentsOf(whole, 1480)
    expect(first && decodePacket(encodePacket(first))).toEqual(first)
  })

  test('bytes of any kind are a value or a reason, never an exception', () => {
    const plausible = fc.tuple(fc.constantFrom(0x45, 0x60), fc.uint8Array({ maxLength: 120 })).map(([first, rest]) => {
      return Uint8Array.from([first, ...rest])
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), plausible), (bytes) => {
        for (const result of [decodePacket(bytes), decodeFrame(bytes)]) expect(result).toBeTypeOf('object')
      }),
      { numRuns: 1000 },
    )
  })

  test('a packet cut or flipped anywhere is a value or a reason, never an exception', () => {
    fc.assert(
      fc.property(anyPacket(), fc.nat(), fc.nat(), fc.nat(255), (packet, cut, at, value) => {
        const bytes = encodePacket(packet)
        bytes[at % bytes.length] = value
        expect(decodePacket(bytes.subarray(0, cut % bytes.length))).toBeTypeOf('object')
      }),
    )
  })

  test.each([
    ['nothing', '', 'no IP header: version 0 in 0 bytes'],
    ['a packet cut short', '4500003c000140004006f71f0af401050a602d43', 'the IP header states 60 bytes, here are 20'],
    [
      'a header length of 16',
      '4400003c000140004006f71f0af401050a602d43',
      'an IPv4 header of 16 bytes in a packet of 60',
    ],
  ])('%s is malformed, with the reason', (_, text, malformed) => {
    expect(decodePacket(Buffer.from(text, 'hex'))).toEqual({ malformed })
  })
})

function fragmentsOf(whole: IpPacket, size: number): IpPacket[] {
  const total = payloadLength(whole.payload)
  return Array.from({ length: Math.ceil(total / size) }, (_, i) => {
    const [offset, more] = [i * size, (i + 1) * size < total]
    return { ...whole, payload: { kind: 'fragment', whole, offset, length: Math.min(size, total - offset), more } }
  })
}

/** Sums every layer again, from the bytes. */
function verify(packet: IpPacket, bytes: Uint8Array): void {
  const start = packetFamily(packet) === 'ipv4' ? 20 : 40
  if (start === 20) expect(onesComplement([...bytes.subarray(0, 20)])).toBe(0xffff)
  const { payload } = packet
  const content = bytes.subarray(start)
  switch (payload.kind) {
    case 'tcp':
    case 'udp':
      verifyTransport(packet, content)
      if (payload.kind === 'udp' && payload.tunnelled) verify(payload.tunnelled, content.subarray(8))
      if (payload.kind === 'udp' && payload.vxlan?.inner.payload.kind === 'ip') {
        verify(payload.vxlan.inner.payload.packet, content.subarray(8 + 8 + 14))
      }
      return
    case 'icmp':
      if (start === 40) verifyTransport(packet, content)
      else expect(onesComplement([...content])).toBe(0xffff)
      return
    case 'sctp': {
      const zeroed = Uint8Array.from(content)
      zeroed.fill(0, 8, 12)
      expect(Buffer.from(content).readUInt32LE(8)).toBe(crc32cBitwise(zeroed))
      return
    }
    case 'ipip':
      verify(payload.inner, content)
      return
    case 'fragment':
    case 'other':
      return
  }
}

function verifyTransport(packet: IpPacket, content: Uint8Array): void {
  const { length } = content
  const pseudo = [
    ...ipOctets(packet.src),
    ...ipOctets(packet.dst),
    0,
    0,
    length >> 8,
    length & 255,
    0,
    protocolNumber(packet),
  ]
  expect(onesComplement([...pseudo, ...content])).toBe(0xffff)
}
