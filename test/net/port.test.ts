import { describe, expect, test } from 'vitest'
import { formatSocketAddress, isTransportProtocol, parsePort } from '../../src/net/port.ts'

describe('parsePort', () => {
  test.each([
    ['0', 0],
    ['80', 80],
    ['65535', 65535],
    ['65536', undefined],
    ['-1', undefined],
    ['8o', undefined],
    ['', undefined],
    ['1e3', undefined],
    ['80 ', undefined],
    ['80\n', undefined],
  ])('%j is %j', (text, port) => {
    expect(parsePort(text)).toBe(port)
  })
})

test('an IPv6 address stands in brackets before its port', () => {
  expect(formatSocketAddress('10.0.0.1', 80)).toBe('10.0.0.1:80')
  expect(formatSocketAddress('fd00::1', 80)).toBe('[fd00::1]:80')
})

test('protocols are named in lower case', () => {
  expect(['tcp', 'udp', 'sctp', 'icmp', 'TCP'].map(isTransportProtocol)).toEqual([true, true, true, false, false])
})
