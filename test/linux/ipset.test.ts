import { describe, expect, test } from 'vitest'
import { parseIpSets } from '../../src/artefact/ipset-text.ts'
import { createSets } from '../../src/linux/ipset.ts'
import { skbOf } from '../../src/linux/skb.ts'
import { udp } from './netfilter/rig.ts'

const { sets } = parseIpSets(`create nets hash:net family inet
add nets 10.0.0.0/8
add nets 10.1.0.0/16 nomatch
add nets 10.1.2.3
create web hash:ip,port family inet
add web 10.0.0.9,udp:53
create six hash:net family inet6
add six fd00::/8
`)

describe('-m set', () => {
  const known = createSets(sets)
  test.each([
    {
      name: 'an address in a net',
      set: 'nets',
      sides: ['src'] as const,
      from: '10.9.9.9:1',
      to: '192.0.2.1:2',
      is: true,
    },
    {
      name: 'the longest net decides: nomatch',
      set: 'nets',
      sides: ['src'] as const,
      from: '10.1.9.9:1',
      to: '192.0.2.1:2',
      is: false,
    },
    {
      name: 'a longer net within it',
      set: 'nets',
      sides: ['src'] as const,
      from: '10.1.2.3:1',
      to: '192.0.2.1:2',
      is: true,
    },
    { name: 'the other side', set: 'nets', sides: ['dst'] as const, from: '10.9.9.9:1', to: '192.0.2.1:2', is: false },
    {
      name: 'address and port of the destination',
      set: 'web',
      sides: ['dst', 'dst'] as const,
      from: '192.0.2.1:2',
      to: '10.0.0.9:53',
      is: true,
    },
    {
      name: 'another port',
      set: 'web',
      sides: ['dst', 'dst'] as const,
      from: '192.0.2.1:2',
      to: '10.0.0.9:54',
      is: false,
    },
    {
      name: 'the address of one side, the port of the other',
      set: 'web',
      sides: ['src', 'dst'] as const,
      from: '10.0.0.9:1',
      to: '192.0.2.1:53',
      is: true,
    },
    {
      name: 'a set of the other family',
      set: 'six',
      sides: ['src'] as const,
      from: '10.9.9.9:1',
      to: '192.0.2.1:2',
      is: false,
    },
    {
      name: 'a set that nobody made',
      set: 'none',
      sides: ['src'] as const,
      from: '10.9.9.9:1',
      to: '192.0.2.1:2',
      is: undefined,
    },
  ])('$name', ({ set, sides, from, to, is }) => {
    expect(known.test(set, sides, skbOf(udp(from, to)))).toBe(is)
  })

  test('SET adds and deletes members', () => {
    const changed = createSets(sets)
    const skb = skbOf(udp('192.0.2.7:1', '192.0.2.8:53'))
    expect(changed.test('web', ['dst', 'dst'], skb)).toBe(false)
    changed.add('web', ['dst', 'dst'], skb, true)
    expect(changed.test('web', ['dst', 'dst'], skb)).toBe(true)
    changed.remove('web', ['dst', 'dst'], skb)
    expect(changed.test('web', ['dst', 'dst'], skb)).toBe(false)
  })
})
