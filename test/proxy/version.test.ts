import { expect, test } from 'vitest'
import { isEnabled, parseMinor } from '../../src/proxy/version.ts'

test.each([
  ['1.30', 30],
  ['v1.30.5', 30],
  ['1.29+', 29],
  ['v1.31.2-eks-1a2b3c', 31],
  ['2.0', undefined],
  ['latest', undefined],
  ['1.x', undefined],
])('%s is minor %s', (text, minor) => {
  expect(parseMinor(text)).toBe(minor)
})

test('a gate is on from its version, unless the settings say otherwise', () => {
  expect(isEnabled('ProxyTerminatingEndpoints', 25, {})).toBe(false)
  expect(isEnabled('ProxyTerminatingEndpoints', 26, {})).toBe(true)
  expect(isEnabled('ProxyTerminatingEndpoints', 25, { ProxyTerminatingEndpoints: true })).toBe(true)
  expect(isEnabled('ProxyTerminatingEndpoints', 26, { ProxyTerminatingEndpoints: false })).toBe(false)
})
