import { isIP, isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareIps,
  type Family,
  familyOf,
  type Ip,
  ip,
  ipAt,
  ipFromOctets,
  ipOctets,
  ipToBigInt,
  ipv4ToUint32,
  parseIp,
  uint32ToIpv4,
  widthOf,
} from '../../src/net/ip.ts'

const anyIp = (family: Family): fc.Arbitrary<Ip> =>
  fc.bigInt({ min: 0n, max: (1n << BigInt(widthOf(family))) - 1n }).map((n) => ipAt(n, family))
const either = () => fc.oneof(anyIp('ipv4'), anyIp('ipv6'))

describe('parseIp', () => {
  test.each([
    ['2001:DB8::A', '2001:db8::a'],
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1::0:0:0', '1::'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['255.255.255.255', '255.255.255.255'],
  ])('%s is written %s', (text, canonical) => {
    expect(parseIp(text)).toBe(canonical)
  })

  test.each([
    ['an octet with a leading zero', '010.0.0.1'],
    ['an octet past 255', '256.0.0.1'],
    ['three octets', '10.0.0'],
    ['a zone', 'fe80::1%eth0'],
    ['a prefix length', '10.0.0.1/8'],
    ['white space', ' 10.0.0.1'],
    ['a line end', '10.0.0.1\n'],
    ['a line end after IPv6', 'fd00::1\n'],
    ['two gaps', '1::2::3'],
    ['nine groups', '1:2:3:4:5:6:7:8:9'],
    ['a gap of no group', '1:2:3:4::5:6:7:8'],
    ['a group of five digits', '12345::'],
    ['a lone colon', ':'],
    ['three colons', ':::'],
    ['a single colon at the end', '1:2:3:4:5:6:7:'],
    ['dotted octets with a leading zero', '::ffff:010.0.0.1'],
    ['dotted octets in the middle', '::1.2.3.4:5'],
    ['dotted octets after seven groups', '1:2:3:4:5:6:7:1.2.3.4'],
    ['nothing', ''],
    ['hexadecimal IPv4', '0x7f.0.0.1'],
  ])('%s is no address', (_, text) => {
    expect(parseIp(text)).toBeUndefined()
    expect(() => ip(text)).toThrow('not an IP address')
  })

  test('agrees with node:net on what is an address', () => {
    const nearly = fc.string({
      unit: fc.constantFrom(...'0123456789abcfF:::..'),
      maxLength: 24,
    })
    const real = either().chain((address) =>
      fc.tuple(fc.constant(address), fc.nat(40), fc.constantFrom('', ':', '.', '0', 'f')),
    )
    const mutated = real.map(([address, at, piece]) => address.slice(0, at) + piece + address.slice(at))
    fc.assert(
      fc.property(fc.oneof(nearly, mutated, fc.ipV6(), fc.ipV4()), (text) => {
        expect(parseIp(text) !== undefined, text).toBe(isIP(text) !== 0)
      }),
      { numRuns: 2000 },
    )
  })

  test('canonical text is a fixed point, and of its family', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV6(), fc.ipV4()), (text) => {
        const parsed = ip(text)
        expect(parseIp(parsed)).toBe(parsed)
        expect(familyOf(parsed) === 'ipv4' ? isIPv4(parsed) : isIPv6(parsed)).toBe(true)
      }),
    )
  })

  test('RFC 5952: the URL standard writes the same text', () => {
    fc.assert(
      fc.property(fc.oneof(anyIp('ipv6'), sparseIpv6()), (address) => {
        expect(`[${address}]`).toBe(new URL(`http://[${address}]/`).hostname)
      }),
      { numRuns: 500 },
    )
  })
})

describe('numbers', () => {
  test('an address is the address of its number', () => {
    fc.assert(
      fc.property(either(), (address) => {
        expect(ipAt(ipToBigInt(address), familyOf(address))).toBe(address)
        expect(ipFromOctets(ipOctets(address))).toBe(address)
        expect(BigInt(`0x${Buffer.from(ipOctets(address)).toString('hex')}`)).toBe(ipToBigInt(address))
      }),
    )
  })

  test('IPv4 as 32 unsigned bits', () => {
    fc.assert(
      fc.property(anyIp('ipv4'), (address) => {
        expect(BigInt(ipv4ToUint32(address))).toBe(ipToBigInt(address))
        expect(uint32ToIpv4(ipv4ToUint32(address))).toBe(address)
      }),
    )
  })

  test('a number outside the family is refused', () => {
    expect(() => ipAt(1n << 32n, 'ipv4')).toThrow(RangeError)
    expect(() => ipAt(-1n, 'ipv6')).toThrow(RangeError)
    expect(() => ipFromOctets([1, 2, 3])).toThrow(RangeError)
  })

  test('order is that of numbers, IPv4 before IPv6', () => {
    fc.assert(
      fc.property(either(), either(), (a, b) => {
        expect(Math.sign(compareIps(a, b))).toBe(-Math.sign(compareIps(b, a)) + 0)
        expect(compareIps(a, b) === 0).toBe(a === b)
      }),
    )
    expect(compareIps(ip('10.0.0.9'), ip('10.0.0.10'))).toBe(-1)
    expect(compareIps(ip('255.255.255.255'), ip('::'))).toBe(-1)
  })
})

const sparseIpv6 = () =>
  fc.array(fc.constantFrom('0', '0', '1', 'abcd'), { minLength: 8, maxLength: 8 }).map((groups) => ip(groups.join(':')))
