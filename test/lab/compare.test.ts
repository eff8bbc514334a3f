import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nodeNetns } from '../../src/cluster/machine.ts'
import { compare, compareBranches, formatDifference } from '../../src/lab/compare.ts'
import type { Observation } from '../../src/lab/observation.ts'
import { shrink } from '../../src/lab/shrink.ts'

const a = nodeNetns('node-a')
const seen = (more: Partial<Observation> = {}): Observation => ({
  outcome: 'connected',
  served: ['web 10.0.0.2:80 from 10.0.0.1:4000'],
  devices: new Map([[a, ['eth0 in x', 'eth0 out y']]]),
  chains: new Map([[a, ['nat PREROUTING :: KUBE-SVC#1 => accept']]]),
  matched: new Map([[a, ['nat KUBE-SVC#1: 1 packet']]]),
  connections: new Map([[a, ['tcp one']]]),
  ...more,
})

describe('the first difference', () => {
  test.each([
    ['none between equals', {}, undefined],
    ['the outcome before all else', { outcome: 'time-out', served: [] }, 'outcome'],
    ['who was reached', { served: [] }, 'process reached'],
    ['a packet at a device', { devices: new Map([[a, ['eth0 in x', 'eth0 out z']]]) }, 'packets at devices of node-a'],
    ['a packet too few', { devices: new Map() }, 'packets at devices of node-a'],
    ['a rule', { chains: new Map([[a, ['nat PREROUTING :: => accept']]]) }, 'chains and rules of node-a'],
    ['how often a rule matched', { matched: new Map([[a, ['nat KUBE-SVC#1: 2 packets']]]) }, 'rules matched in node-a'],
    ['a connection too many', { connections: new Map([[a, ['tcp one', 'udp two']]]) }, 'connections of node-a'],
  ])('%s', (_, more, what) => {
    expect(compare(seen(), seen(more))?.what).toBe(what)
    expect(compare(seen(more), seen())?.what).toBe(what)
  })

  test('leaves out by name what cannot be compared', () => {
    expect(compare(seen(), seen({ chains: new Map() }), new Set(['chains']))).toBeUndefined()
  })

  test('a chain whose first rule rejects may be told of after the answer', () => {
    const chains = (lines: readonly string[]) => ({ chains: new Map([[a, lines]]) })
    const late = new Set(['filter FORWARD :: FORWARD#1 => drop'])
    const predicted = { ...seen(chains(['filter FORWARD :: FORWARD#1 => drop', 'nat OUTPUT'])), late }
    expect(compare(predicted, seen(chains(['nat OUTPUT', 'filter FORWARD :: FORWARD#1 => drop'])))).toBeUndefined()
    expect(compare(predicted, seen(chains(['nat OUTPUT'])))?.what).toBe('chains and rules of node-a')
  })

  test('is shown with both sides, and what they share before it', () => {
    const difference = compare(seen(), seen({ devices: new Map([[a, ['eth0 in x', 'eth0 out z']]]) }))
    expect(difference && formatDifference(difference)).toBe(
      [
        '    differs: packets at devices of node-a, line 2',
        '      both     eth0 in x',
        '      kubehop  eth0 out y',
        '      kernel   eth0 out z',
      ].join('\n'),
    )
  })
})

describe('branches', () => {
  const branches = [seen({ served: ['one'] }), seen({ served: ['two'] })]
  test('one that fits is enough', () => {
    expect(compareBranches(branches, seen({ served: ['two'] }), new Set())).toEqual({ index: 1, difference: undefined })
  })

  test('where none fits, the one that went along furthest is shown', () => {
    const observed = seen({ served: ['two'], connections: new Map() })
    expect(compareBranches(branches, observed, new Set())).toMatchObject({ index: 1 })
    expect(compareBranches(branches, seen({ served: ['three'] }), new Set()).difference?.what).toBe('process reached')
  })
})

test('shrinking keeps exactly what shows the fault', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 20 }), fc.nat(), async (parts, pick) => {
      const needed = new Set([parts[pick % parts.length], parts[(pick * 7 + 3) % parts.length]])
      const least = await shrink(parts, async (kept) => [...needed].every((n) => n !== undefined && kept.includes(n)))
      expect(new Set(least)).toEqual(needed)
    }),
    { numRuns: 100 },
  )
})
