import { describe, expect, test } from 'vitest'
import { deviceName } from '../../src/artefact/link.ts'
import { addToNetns, emptyNetns } from '../../src/artefact/netns.ts'
import { derivedOnce } from '../../src/linux/derived-once.ts'
import { learn, makeIncomplete } from '../../src/linux/neighbour.ts'
import { createNetns } from '../../src/linux/netns.ts'
import { ip } from '../../src/net/ip.ts'
import { stableMac } from '../../src/net/mac.ts'

const eth0 = deviceName('eth0')
const state = addToNetns(emptyNetns, {
  links: [{ name: eth0, mac: stableMac('a'), mtu: 1500, up: true, kind: { kind: 'physical' } }],
  addresses: [{ ip: ip('192.0.2.1'), length: 24, dev: eth0, scope: 'global' }],
  neighbours: [{ ip: ip('192.0.2.9'), dev: eth0, mac: stableMac('b'), state: 'stale' }],
})
const options = {
  clock: { now: () => 0 },
  chance: { probably: () => false, pick: () => 0, noise: () => 0 },
}

describe('what follows from a state alone', () => {
  test('is worked out once for all namespaces of that state', () => {
    const [a, b] = [createNetns(state, options), createNetns(state, options)]
    expect(a.fib).toBe(b.fib)
    expect(a.addresses).toBe(b.addresses)
    expect(createNetns({ ...state, routes: [] }, options).fib).not.toBe(a.fib)
  })

  test('is apart from what packets teach one of them', () => {
    const [a, b] = [createNetns(state, options), createNetns(state, options)]
    const [known] = a.neighbours.values()
    if (!known) throw new Error('no neighbour')
    learn(known, stableMac('c'), 'reachable')
    makeIncomplete(a.neighbours, eth0, ip('192.0.2.7'))
    expect([...b.neighbours.values()].map((n) => n.mac)).toEqual([stableMac('b')])
    expect(a.sockets.connected).not.toBe(b.sockets.connected)
  })

  test('is derived once per value, undefined too', () => {
    let calls = 0
    const of = derivedOnce((_: object) => {
      calls++
      return undefined
    })
    const [one, other] = [{}, {}]
    for (const value of [one, one, other]) of(value)
    expect(calls).toBe(2)
  })
})
