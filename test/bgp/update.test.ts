import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PathAttributes } from '../../src/bgp/attributes.ts'
import { updateCount } from '../../src/bgp/message-size.ts'
import { none } from '../../src/bgp/rib.ts'
import { Packing, Update, unchanged, withdrawn } from '../../src/bgp/update.ts'
import { ip } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'

const attributes: PathAttributes = { origin: 'igp', asPath: [], nextHop: ip('10.0.0.1'), localPref: 100 }

describe('an update', () => {
  const [session, other] = [3, 4]
  test.each([
    { name: 'news is announced', before: none, beforeFrom: none, now: 7, nowFrom: none, meaning: 7 },
    { name: 'the end is withdrawn', before: 7, beforeFrom: none, now: none, nowFrom: none, meaning: withdrawn },
    { name: 'the own path is not told', before: none, beforeFrom: none, now: 7, nowFrom: session, meaning: unchanged },
    { name: 'its end neither', before: 7, beforeFrom: session, now: none, nowFrom: none, meaning: unchanged },
    {
      name: 'what became the own path is withdrawn',
      before: 7,
      beforeFrom: other,
      now: 8,
      nowFrom: session,
      meaning: withdrawn,
    },
    { name: 'what was the own path is announced', before: 7, beforeFrom: session, now: 8, nowFrom: other, meaning: 8 },
    {
      name: 'the same from elsewhere is no news',
      before: 7,
      beforeFrom: none,
      now: 7,
      nowFrom: other,
      meaning: unchanged,
    },
  ])('$name', ({ before, beforeFrom, now, nowFrom, meaning }) => {
    const update = new Update(0)
    update.add(0, before, beforeFrom, now, nowFrom)
    expect(update.meaning(0, session)).toBe(meaning)
  })

  test('is counted for each session as if it were packed for it alone', () => {
    const value = fc.integer({ min: none, max: 3 })
    const entry = fc.record({ before: value, beforeFrom: value, now: value, nowFrom: value })
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 12 }), fc.nat(3), (entries, session) => {
        const update = new Update(0)
        for (const [i, e] of entries.entries()) update.add(i, e.before, e.beforeFrom, e.now, e.nowFrom)
        const sample = prefix('10.0.0.0/26')
        const packing = new Packing(update, { prefix: () => sample, attributes: () => attributes })
        const meanings = entries.map((_, i) => update.meaning(i, session)).filter((m) => m !== unchanged)
        expect(packing.sentTo(session)).toEqual({ messages: new Set(meanings).size, prefixes: meanings.length })
      }),
      { numRuns: 200 },
    )
  })

  test.each([
    { octets: 0, with: attributes, net: '10.0.0.0/26', messages: 0 },
    { octets: 810 * 5, with: attributes, net: '10.0.0.0/26', messages: 1 },
    { octets: 811 * 5, with: attributes, net: '10.0.0.0/26', messages: 2 },
    { octets: 814 * 5, with: undefined, net: '10.0.0.0/26', messages: 1 },
    { octets: 815 * 5, with: undefined, net: '10.0.0.0/26', messages: 2 },
    // 4096 - 23 - 4 - 3 - 25 - 7 = 4034 octets, 237 prefixes of 17.
    { octets: 237 * 17, with: attributes, net: 'fd00::/122', messages: 1 },
    { octets: 238 * 17, with: attributes, net: 'fd00::/122', messages: 2 },
  ])('$octets octets of $net are $messages messages', ({ octets, with: a, net, messages }) => {
    expect(updateCount(octets, a, prefix(net))).toBe(messages)
  })
})
