import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AddressRange, addressesFrom, addressRange, HostLocal } from '../../src/cni/host-local.ts'
import { type Ip, ip } from '../../src/net/ip.ts'

function range(subnet: string): AddressRange {
  const result = addressRange({ subnet })
  if ('error' in result) throw new Error(result.error)
  return result.range
}

describe('a range from its configuration', () => {
  test.each([
    ['IPv4 ends before the broadcast address', { subnet: '10.1.0.0/24' }, '10.1.0.1', '10.1.0.254', '10.1.0.1'],
    ['IPv6 has no broadcast address', { subnet: 'fd00:1::/126' }, 'fd00:1::1', 'fd00:1::3', 'fd00:1::1'],
    [
      'what is given is kept',
      { subnet: '10.1.0.0/24', rangeStart: '10.1.0.10', rangeEnd: '10.1.0.20', gateway: '10.1.0.254' },
      '10.1.0.10',
      '10.1.0.20',
      '10.1.0.254',
    ],
  ])('%s', (_, config, start, end, gateway) => {
    expect(addressRange(config)).toMatchObject({ range: { start, end, gateway } })
  })

  test.each([
    [
      { subnet: '10.1.0.9/24' },
      'Network has host bits set. For a subnet mask of length 24 the network address is 10.1.0.0',
    ],
    [{ subnet: '10.1.0.0/31' }, 'Network 10.1.0.0/31 too small to allocate from'],
    [{ subnet: 'fd00::/127' }, 'Network fd00::/127 too small to allocate from'],
    [{ subnet: '10.1.0.0/24', rangeStart: '10.2.0.1' }, 'RangeStart 10.2.0.1 not in network 10.1.0.0/24'],
    [{ subnet: '10.1.0.0/24', rangeEnd: '10.2.0.1' }, 'RangeEnd 10.2.0.1 not in network 10.1.0.0/24'],
    [{ subnet: 'nonsense' }, 'invalid CIDR address: nonsense'],
    [{ subnet: '10.1.0.0/24', gateway: 'gw' }, 'invalid IP address: gw'],
  ])('%j is refused', (config, error) => {
    expect(addressRange(config)).toEqual({ error })
  })
})

describe('the order of addresses', () => {
  const six = ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']
  test.each([
    ['from the first, without the gateway', undefined, six],
    [
      'from the one after the last given, which comes at the very end',
      '10.0.0.3',
      [...six.slice(2), ...six.slice(0, 2)],
    ],
    ['from the start after the last of all', '10.0.0.6', six],
    ['from the first where the last given is none of the range', '10.9.9.9', six],
  ])('goes %s', (_, last, order) => {
    const found = [...addressesFrom([range('10.0.0.0/29')], last === undefined ? undefined : ip(last))]
    expect(found.map((o) => o.ip)).toEqual(order)
  })

  test('walks every range of a set, from the range of the last given around to it again', () => {
    const set = ['10.0.0.0/30', '10.0.1.0/30', '10.0.2.0/30'].map(range)
    expect([...addressesFrom(set, ip('10.0.1.2'))].map((o) => o.ip)).toEqual(['10.0.2.2', '10.0.0.2', '10.0.1.2'])
  })
})

describe('the store', () => {
  test('gives a released address again only after a full turn', () => {
    const store = new HostLocal([range('10.0.0.0/29')])
    const given = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => {
      const answer = store.add(id)
      store.delete(id)
      return 'ip' in answer ? answer.ip : answer.error
    })
    expect(given).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.2'])
  })

  test('says which ranges are full', () => {
    const store = new HostLocal([range('10.0.0.0/30'), range('10.0.1.0/30')])
    expect(['a', 'b', 'c'].map((id) => store.add(id)).at(-1)).toEqual({
      error: 'no IP addresses available in range set: 10.0.0.1-10.0.0.2,10.0.1.1-10.0.1.2',
    })
  })

  /** ADDs and DELs by small ids, over a small subnet of either family. */
  const script = fc.array(fc.record({ add: fc.boolean(), id: fc.integer({ min: 0, max: 9 }) }), { maxLength: 60 })
  const subnet = fc.record({
    v6: fc.boolean(),
    host: fc.integer({ min: 2, max: 4 }),
    n: fc.integer({ min: 1, max: 200 }),
  })

  test('never gives an address that is held, nor one a second time before every free one had its turn', () => {
    fc.assert(
      fc.property(script, subnet, (steps, { v6, host, n }) => {
        const text = v6 ? `fd00:${n}::/${128 - host}` : `10.${n}.0.0/${32 - host}`
        const r = range(text)
        const all = [...addressesFrom([r])].map((o) => o.ip)
        const store = new HostLocal([r])
        const held = new Map<Ip, string>()
        const turns = new Map<Ip, Set<Ip>>()
        for (const { add, id } of steps) {
          const key = `${id}`
          if (!add) {
            store.delete(key)
            for (const [address, holder] of held) if (holder === key) held.delete(address)
            continue
          }
          for (const seen of turns.values()) for (const a of held.keys()) seen.add(a)
          const answer = store.add(key)
          if ('error' in answer) {
            expect(held.size).toBe(all.length)
            continue
          }
          expect(held.has(answer.ip)).toBe(false)
          expect(answer.ip).not.toBe(r.gateway)
          // Since its last time, every other address was given, or was held when its turn came.
          const passed = turns.get(answer.ip)
          if (passed) expect(all.filter((a) => a !== answer.ip && !passed.has(a))).toEqual([])
          for (const seen of turns.values()) for (const a of [answer.ip, ...held.keys()]) seen.add(a)
          turns.set(answer.ip, new Set())
          held.set(answer.ip, key)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('without a DEL, as many ADDs as there are addresses give each of them once', () => {
    fc.assert(
      fc.property(subnet, ({ v6, host, n }) => {
        const r = range(v6 ? `fd00:${n}::/${128 - host}` : `10.${n}.0.0/${32 - host}`)
        const all = [...addressesFrom([r])].map((o) => o.ip)
        const store = new HostLocal([r])
        const given = all.map((_, i) => store.add(`${i}`)).map((a) => ('ip' in a ? a.ip : a.error))
        expect(given).toEqual(all)
      }),
      { numRuns: 100 },
    )
  })
})
