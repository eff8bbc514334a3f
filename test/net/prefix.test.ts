import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Family, familyOf, type Ip, ip, ipAt, ipToBigInt, widthOf } from '../../src/net/ip.ts'
import {
  anyPrefix,
  broadcastOf,
  formatInterfaceAddress,
  formatPrefix,
  hostPrefix,
  isHostPrefix,
  lastAddress,
  netmaskOf,
  networkOf,
  nthAddress,
  nthSubnet,
  type Prefix,
  parseInterfaceAddress,
  parsePrefix,
  prefix,
  prefixContains,
  prefixCovers,
  prefixesEqual,
  prefixesOverlap,
  prefixSize,
} from '../../src/net/prefix.ts'

const ipOf = (family: Family): fc.Arbitrary<Ip> =>
  fc.bigInt({ min: 0n, max: (1n << BigInt(widthOf(family))) - 1n }).map((n) => ipAt(n, family))
const prefixOf = (family: Family): fc.Arbitrary<Prefix> =>
  fc.tuple(ipOf(family), fc.nat(widthOf(family))).map(([address, length]) => networkOf(address, length))
const anyFamily = () => fc.constantFrom<Family>('ipv4', 'ipv6')
const somePrefix = () => anyFamily().chain(prefixOf)

/** Two blocks near each other: of one address, or of two. */
const twoPrefixes = () =>
  anyFamily().chain((family) =>
    fc
      .tuple(ipOf(family), ipOf(family), fc.boolean(), fc.nat(widthOf(family)), fc.nat(widthOf(family)))
      .map(([a, b, same, m, n]): [Prefix, Prefix] => [networkOf(a, m), networkOf(same ? a : b, n)]),
  )

describe('parsePrefix', () => {
  test.each([
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.0.0.1', '10.0.0.1/32'],
    ['fd00::1', 'fd00::1/128'],
    ['FD00:0:0::ffff/64', 'fd00::/64'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['::/0', '::/0'],
    ['255.255.255.255/1', '128.0.0.0/1'],
    ['10.0.0.0/255.255.255.0', '10.0.0.0/24'],
    ['10.0.0.0/255.255.255.255', '10.0.0.0/32'],
    ['10.9.0.0/0.0.0.0', '0.0.0.0/0'],
    ['10.9.0.0/128.0.0.0', '0.0.0.0/1'],
  ])('%s is %s', (text, canonical) => {
    const parsed = parsePrefix(text)
    expect(parsed && formatPrefix(parsed)).toBe(canonical)
  })

  test.each([
    ['a length past the family', '10.0.0.0/33'],
    ['a length past IPv6', 'fd00::/129'],
    ['a length with a leading zero', '10.0.0.0/08'],
    ['a signed length', '10.0.0.0/+8'],
    ['a length in words', '10.0.0.0/eight'],
    ['no length', '10.0.0.0/'],
    ['two lengths', '10.0.0.0/8/8'],
    ['a mask with a hole', '10.0.0.0/255.0.255.0'],
    ['an inverted mask', '10.0.0.0/0.0.0.255'],
    ['a mask for IPv6', 'fd00::/255.255.0.0'],
    ['an octet with a leading zero', '010.0.0.0/8'],
    ['nothing', ''],
  ])('%s is no block', (_, text) => {
    expect(parsePrefix(text)).toBeUndefined()
    expect(() => prefix(text)).toThrow('not a CIDR block')
  })

  test('a block read back from its text is the same block', () => {
    fc.assert(
      fc.property(somePrefix(), (p) => {
        expect(parsePrefix(formatPrefix(p))).toEqual(p)
      }),
    )
  })

  test('an interface address read back from its text keeps its host bits', () => {
    const address = anyFamily().chain((family) => fc.record({ ip: ipOf(family), length: fc.nat(widthOf(family)) }))
    fc.assert(
      fc.property(address, (a) => {
        expect(parseInterfaceAddress(formatInterfaceAddress(a))).toEqual(a)
      }),
    )
  })

  test('netmasks are those of the lengths, both ways', () => {
    for (let length = 0; length <= 32; length++) {
      const mask = ipAt(0xffffffffn ^ ((1n << BigInt(32 - length)) - 1n), 'ipv4')
      expect(netmaskOf(length)).toBe(mask)
      expect(parsePrefix(`0.0.0.0/${mask}`)?.length).toBe(length)
    }
  })
})

describe('contents', () => {
  test('a block holds an address exactly if it lies between its first and last', () => {
    const near = twoPrefixes().chain(([p, q]) =>
      fc.tuple(fc.constant(p), fc.constantFrom(q.address, lastAddress(q), p.address, lastAddress(p))),
    )
    fc.assert(
      fc.property(near, ([p, address]) => {
        const n = ipToBigInt(address)
        const between = ipToBigInt(p.address) <= n && n <= ipToBigInt(lastAddress(p))
        expect(prefixContains(p, address)).toBe(between)
      }),
      { numRuns: 500 },
    )
  })

  test('two blocks overlap exactly if one covers the other, and covering is of sets', () => {
    fc.assert(
      fc.property(twoPrefixes(), ([p, q]) => {
        const disjoint =
          ipToBigInt(lastAddress(p)) < ipToBigInt(q.address) || ipToBigInt(lastAddress(q)) < ipToBigInt(p.address)
        expect(prefixesOverlap(p, q)).toBe(!disjoint)
        expect(prefixesOverlap(q, p)).toBe(!disjoint)
        const both = prefixContains(p, q.address) && prefixContains(p, lastAddress(q))
        expect(prefixCovers(p, q)).toBe(both)
        if (prefixCovers(p, q) && prefixCovers(q, p)) expect(prefixesEqual(p, q)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('families never mix', () => {
    expect(prefixContains(anyPrefix('ipv4'), ip('::1'))).toBe(false)
    expect(prefixContains(anyPrefix('ipv6'), ip('10.0.0.1'))).toBe(false)
    expect(prefixesOverlap(anyPrefix('ipv4'), anyPrefix('ipv6'))).toBe(false)
  })

  test('a host block holds its address alone', () => {
    const p = hostPrefix(ip('fd00::1'))
    expect([isHostPrefix(p), prefixSize(p), lastAddress(p)]).toEqual([true, 1n, 'fd00::1'])
    expect(isHostPrefix(prefix('10.0.0.0/31'))).toBe(false)
  })

  test('the n-th address is inside, n away from the first', () => {
    fc.assert(
      fc.property(somePrefix(), fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (p, big) => {
        const n = big % prefixSize(p)
        const address = nthAddress(p, n)
        expect(address && prefixContains(p, address)).toBe(true)
        expect(address && ipToBigInt(address) - ipToBigInt(p.address)).toBe(n)
        expect(nthAddress(p, prefixSize(p))).toBeUndefined()
        expect(nthAddress(p, -1)).toBeUndefined()
      }),
    )
  })

  test('the subnets of a block part it: each is inside, neighbours touch, and the last ends with it', () => {
    fc.assert(
      fc.property(somePrefix(), fc.nat(10), (p, bits) => {
        const length = Math.min(p.length + bits, widthOf(familyOf(p.address)))
        const count = 2 ** (length - p.length)
        let next = ipToBigInt(p.address)
        for (let n = 0; n < count; n++) {
          const subnet = nthSubnet(p, length, n)
          expect(subnet && prefixCovers(p, subnet) && ipToBigInt(subnet.address)).toBe(next)
          next += subnet ? prefixSize(subnet) : 0n
        }
        expect(next - 1n).toBe(ipToBigInt(lastAddress(p)))
        expect(nthSubnet(p, length, count)).toBeUndefined()
      }),
      { numRuns: 50 },
    )
  })

  test('a subnet is never wider than its block, nor longer than an address', () => {
    expect(nthSubnet(prefix('10.0.0.0/16'), 15, 0)).toBeUndefined()
    expect(nthSubnet(prefix('10.0.0.0/16'), 33, 0)).toBeUndefined()
    expect(nthSubnet(prefix('10.0.0.0/16'), 24, -1)).toBeUndefined()
  })

  test('only IPv4 blocks of at least four addresses have a broadcast address', () => {
    expect(broadcastOf(prefix('10.1.0.0/16'))).toBe('10.1.255.255')
    expect(broadcastOf(prefix('10.1.0.0/30'))).toBe('10.1.0.3')
    expect(broadcastOf(prefix('10.1.0.0/31'))).toBeUndefined()
    expect(broadcastOf(prefix('fd00::/64'))).toBeUndefined()
  })
})
