import fc from 'fast-check'
import { expect, test } from 'vitest'
import { broadcastMac, isGroupMac, mac, macAt, macOctets, parseMac } from '../../src/net/mac.ts'

const octets = () => fc.array(fc.nat(255), { minLength: 6, maxLength: 6 })

test('an address read back from its octets or its text, in either case, is the same address', () => {
  fc.assert(
    fc.property(octets(), (six) => {
      const address = macAt(six)
      expect(macOctets(address)).toEqual(six)
      expect(parseMac(address)).toBe(address)
      expect(parseMac(address.toUpperCase())).toBe(address)
    }),
  )
})

test.each([
  '',
  '02:00:00:00:00',
  '02:00:00:00:00:00:00',
  '2:0:0:0:0:0',
  '02-00-00-00-00-01',
  '02:00:00:00:00:0g',
  '02:00:00:00:00:01\n',
])('%j is no MAC address', (text) => {
  expect(parseMac(text)).toBeUndefined()
  expect(() => mac(text)).toThrow('not a MAC address')
})

test('the group bit tells multicast and broadcast from one station', () => {
  expect(isGroupMac(broadcastMac)).toBe(true)
  expect(isGroupMac(mac('33:33:00:00:00:01'))).toBe(true)
  expect(isGroupMac(mac('02:00:00:00:00:01'))).toBe(false)
})
