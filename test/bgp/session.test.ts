import { describe, expect, test } from 'vitest'
import { converge } from '../../src/bgp/converge.ts'
import type { Network } from '../../src/bgp/network.ts'
import type { PeerSettings, Speaker } from '../../src/bgp/speaker.ts'
import { ip } from '../../src/net/ip.ts'
import { neighborOf, nodeAddress, oneLink, speakerAt } from './topology.ts'

interface Side extends Partial<Omit<Speaker, 'peers'>> {
  readonly settings?: PeerSettings
  readonly peerAs?: number
  readonly port?: number
  /** No session is configured. */
  readonly alone?: boolean
}

const side = (i: number, { settings = {}, peerAs = 64512, port, alone, ...rest }: Side): Speaker => {
  const neighbor = { ...neighborOf(nodeAddress(1 - i), peerAs), ...(port !== undefined && { port }) }
  return { ...speakerAt(i, alone ? [] : [{ settings, neighbors: [neighbor] }]), ...rest }
}

const up = 'Established '
const blocked = (kind: 'refused' | 'timeout' | 'no route'): Partial<Network> => ({ canConnect: () => ({ kind }) })
const routed: Partial<Network> = { linkTo: () => undefined }

interface Row {
  readonly name: string
  readonly a?: Side
  readonly b?: Side
  readonly network?: Partial<Network>
  readonly expected: readonly [a: string, b: string | undefined]
}

const rows: readonly Row[] = [
  { name: 'both dial', expected: [up, up] },
  { name: 'one waits', a: { settings: { passive: true } }, expected: [up, up] },
  {
    name: 'both wait',
    a: { settings: { passive: true } },
    b: { settings: { passive: true } },
    expected: ['Passive ', 'Passive '],
  },
  {
    name: 'by address, the greater text dials',
    a: { settings: { passive: 'by address' } },
    b: { settings: { passive: 'by address' } },
    network: blocked('refused'),
    expected: ['Passive ', 'Active Socket: Connection refused'],
  },
  {
    name: 'TCP is filtered',
    network: blocked('timeout'),
    expected: ['Connect ', 'Connect '],
  },
  {
    name: 'there is no route',
    network: blocked('no route'),
    expected: ['Active Socket: No route to host', 'Active Socket: No route to host'],
  },
  {
    name: 'only one side has the session',
    b: { alone: true },
    expected: ['Active Socket: Connection closed', undefined],
  },
  {
    name: 'one side expects another AS',
    a: { peerAs: 64513, settings: { multihop: true } },
    expected: ['Idle BGP Error: Bad peer AS', 'Idle Received: Bad peer AS'],
  },
  {
    name: 'both expect another AS',
    a: { peerAs: 64513, settings: { multihop: true } },
    b: { peerAs: 64514, settings: { multihop: true } },
    expected: ['Idle BGP Error: Bad peer AS', 'Idle BGP Error: Bad peer AS'],
  },
  {
    name: 'a hold time of 2 s is offered',
    a: { holdTime: 2 },
    expected: ['Idle Received: Unacceptable hold time', 'Idle BGP Error: Unacceptable hold time'],
  },
  { name: 'no hold time is offered', a: { holdTime: 0 }, expected: [up, up] },
  {
    name: 'both have the same router id inside the AS',
    a: { routerId: ip('1.1.1.1') },
    b: { routerId: ip('1.1.1.1') },
    expected: ['Idle BGP Error: Bad BGP identifier', 'Idle BGP Error: Bad BGP identifier'],
  },
  {
    name: 'both have the same router id in different ASes',
    a: { as: 65001, peerAs: 65002, routerId: ip('1.1.1.1') },
    b: { as: 65002, peerAs: 65001, routerId: ip('1.1.1.1') },
    expected: [up, up],
  },
  { name: 'only one has a password', a: { settings: { password: 's' } }, expected: ['Connect ', 'Connect '] },
  {
    name: 'passwords are the same',
    a: { settings: { password: 's' } },
    b: { settings: { password: 's' } },
    expected: [up, up],
  },
  {
    name: 'one listens on another port',
    b: { listen: { port: 1179 } },
    expected: [up, up],
  },
  {
    name: 'the side that waits listens on another port',
    b: { listen: { port: 1179 }, settings: { passive: true } },
    expected: ['Active Socket: Connection refused', 'Passive '],
  },
  {
    name: 'the other port is known',
    a: { port: 1179 },
    b: { listen: { port: 1179 }, settings: { passive: true } },
    expected: [up, up],
  },
  {
    name: 'one listens on another address',
    b: { listen: { addresses: [ip('192.0.2.1')] }, settings: { passive: true } },
    expected: ['Active Socket: Connection refused', 'Passive '],
  },
  {
    name: 'eBGP finds its neighbour on no link',
    a: { as: 65001, peerAs: 65002 },
    b: { as: 65002, peerAs: 65001 },
    network: routed,
    expected: ['Idle ', 'Idle '],
  },
  {
    name: 'only one side of eBGP is multihop',
    a: { as: 65001, peerAs: 65002, settings: { multihop: true } },
    b: { as: 65002, peerAs: 65001 },
    network: routed,
    expected: ['Active Socket: Connection closed', 'Idle '],
  },
  {
    name: 'eBGP is multihop on both sides',
    a: { as: 65001, peerAs: 65002, settings: { multihop: true } },
    b: { as: 65002, peerAs: 65001, settings: { multihop: 2 } },
    network: routed,
    expected: [up, up],
  },
  {
    name: 'the neighbour is further away than multihop allows',
    a: { as: 65001, peerAs: 65002, settings: { multihop: 2 } },
    b: { as: 65002, peerAs: 65001, settings: { multihop: 2 } },
    network: { ...routed, hops: () => 2 },
    expected: ['Connect ', 'Connect '],
  },
  {
    name: 'TTL security on one side only',
    a: { as: 65001, peerAs: 65002, settings: { ttlSecurity: true } },
    b: { as: 65002, peerAs: 65001 },
    expected: ['Connect ', 'Connect '],
  },
  {
    name: 'TTL security on both sides',
    a: { as: 65001, peerAs: 65002, settings: { ttlSecurity: true } },
    b: { as: 65002, peerAs: 65001, settings: { ttlSecurity: true } },
    expected: [up, up],
  },
  {
    name: 'the speaker has no address of the family',
    a: { addresses: [] },
    expected: ['Idle ', 'Active Socket: Connection refused'],
  },
]

describe('a session', () => {
  test.each(rows)('$name', ({ a = {}, b = {}, network = {}, expected }) => {
    const c = converge([side(0, a), side(1, b)], { ...oneLink, ...network })
    const shown = ['node-0', 'node-1'].map((id) => c.sessions(id).map((s) => `${s.state} ${s.info}`)[0])
    expect(shown).toEqual(expected)
  })

  test('that does not come up says why', () => {
    const because = (a: Side, b: Side, network: Partial<Network> = {}) =>
      converge([side(0, a), side(1, b)], { ...oneLink, ...network }).sessions('node-0')[0]?.because
    expect(because({ peerAs: 64513, settings: { multihop: true } }, {})).toBe(
      'node-1 is AS 64512, and node-0 expects AS 64513',
    )
    expect(because({}, { alone: true })).toBe('node-1 has no session configured for 10.0.0.10')
    const story = 'a rule on node-1 drops TCP 179'
    expect(because({}, {}, { canConnect: () => ({ kind: 'timeout', because: story }) })).toBe(story)
  })

  test('to an address without a speaker is refused', () => {
    const c = converge([side(0, {})], oneLink)
    expect(c.sessions('node-0')[0]).toMatchObject({ state: 'Active', info: 'Socket: Connection refused' })
  })

  test('of IPv6 carries IPv6 routes', () => {
    const [x, y] = [ip('fd00::1'), ip('fd00::2')]
    const six = (i: number, own: typeof x, other: typeof x): Speaker => ({
      ...speakerAt(i, [{ settings: {}, neighbors: [neighborOf(other)] }], 1),
      addresses: [own],
      routes: [
        { prefix: { address: ip(`fd00:10:${i}::`), length: 122 }, source: 'static', target: { kind: 'blackhole' } },
      ],
    })
    const c = converge([six(0, x, y), six(1, y, x)], oneLink)
    expect(c.kernelRoutes('node-0').map((r) => [r.prefix.address, r.nexthops[0]?.gateway])).toEqual([
      ['fd00:10::', undefined],
      ['fd00:10:1::', y],
    ])
  })
})
