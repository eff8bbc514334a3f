import { expect, test } from 'vitest'
import { formatPrefix } from '../../src/net/prefix.ts'
import { parseCidrSloppy, parseIpSloppy } from '../../src/proxy/sloppy.ts'

test.each([
  ['172.30.0.041', '172.30.0.41'],
  ['10.180.00.001', '10.180.0.1'],
  ['0.0.0.0', '0.0.0.0'],
  ['010.0.0.100', '10.0.0.100'],
  ['fd00::0010', 'fd00::10'],
  ['10.0.0.256', undefined],
  ['', undefined],
])('the address %s is read as %s', (text, read) => {
  expect(parseIpSloppy(text)).toBe(read)
})

test.each([
  [' 203.0.113.0/25', '203.0.113.0/25'],
  ['203.0.113.000/025', '203.0.113.0/25'],
  ['10.1.2.3/8', '10.0.0.0/8'],
  ['2001:db8::1/48', '2001:db8::/48'],
  ['10.0.0.1', undefined],
  ['all', undefined],
])('the CIDR "%s" is read as %s', (text, read) => {
  const prefix = parseCidrSloppy(text)
  expect(prefix && formatPrefix(prefix)).toBe(read)
})
