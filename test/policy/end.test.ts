import { describe, expect, test } from 'vitest'
import { ip } from '../../src/net/ip.ts'
import { virtualPod } from '../../src/policy/cluster.ts'
import { atFamily, commonFamilies, type End, formatEnd, podEnd } from '../../src/policy/end.ts'

const pod = (name: string, ...ips: string[]): End =>
  podEnd(virtualPod({ labelsOfNamespace: () => ({}) }, { namespace: 'x', name, ips: ips.map(ip) }))
const both = pod('both', '10.0.0.1', 'fd00::1')
const six = pod('six', 'fd00::2')
const outside: End = { kind: 'address', ip: ip('203.0.113.9') }

describe('the families of a connection', () => {
  test.each<readonly [string, End, End, readonly string[]]>([
    ['two dual-stack pods have both', both, both, ['ipv4', 'ipv6']],
    ['one of a single family decides', both, six, ['ipv6']],
    ['an outside address decides', both, outside, ['ipv4']],
    ['there may be none', six, outside, []],
    ['a pod without addresses has any', pod('none'), six, ['ipv6']],
  ])('%s', (_, a, b, expected) => {
    expect(commonFamilies(a, b)).toEqual(expected)
    expect(commonFamilies(b, a)).toEqual(expected)
  })
})

test('an end shows its address of the family', () => {
  expect([atFamily(both, 'ipv6').ip, atFamily(both, 'ipv4').ip, atFamily(six, 'ipv4').ip]).toEqual([
    'fd00::1',
    '10.0.0.1',
    undefined,
  ])
  expect(atFamily(outside, 'ipv6')).toBe(outside)
})

test('ends are named as people name them', () => {
  expect([both, outside].map(formatEnd)).toEqual(['x/both', '203.0.113.9'])
})
