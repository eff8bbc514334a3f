import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Convergence, converge } from '../../src/bgp/converge.ts'
import type { Filter } from '../../src/bgp/filter.ts'
import type { KernelRoute } from '../../src/bgp/outcome.ts'
import type { PeerSettings, Speaker } from '../../src/bgp/speaker.ts'
import { totalMessages } from '../../src/bgp/tally.ts'
import { formatPrefix, prefix } from '../../src/net/prefix.ts'
import {
  blackhole,
  blockOf,
  mesh,
  neighborOf,
  nodeAddress,
  nodeName,
  oneLink,
  reflected,
  speakerAt,
} from './topology.ts'

const gateways = (c: Convergence, id: string): Readonly<Record<string, string>> =>
  Object.fromEntries(c.kernelRoutes(id).map((r) => [formatPrefix(r.prefix), targetText(r)]))

const targetText = ({ kind, nexthops }: KernelRoute): string =>
  kind === 'unicast' ? nexthops.map((n) => n.gateway ?? n.device).join(' ') : kind

const wholeTable = (n: number, blocks = 1): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Array.from({ length: n * blocks }, (_, k) => {
      const i = Math.floor(k / blocks)
      return [formatPrefix(blockOf(i, k % blocks, blocks)), nodeAddress(i)]
    }),
  )

const expectWholeTables = (c: Convergence, n: number, blocks = 1): void => {
  for (let i = 0; i < n; i++) {
    const own = Object.fromEntries(
      Array.from({ length: blocks }, (_, b) => [formatPrefix(blockOf(i, b, blocks)), 'blackhole']),
    )
    expect(gateways(c, nodeName(i))).toEqual({ ...wholeTable(n, blocks), ...own })
  }
}

describe('a mesh', () => {
  test.each([
    { n: 2, blocks: 1 },
    { n: 7, blocks: 3 },
    { n: 40, blocks: 2 },
  ])('of $n nodes gives every node every block in one round', ({ n, blocks }) => {
    const c = converge(mesh(n, { blocks }), oneLink)
    expectWholeTables(c, n, blocks)
    const pairs = (n * (n - 1)) / 2
    expect(c.run).toMatchObject({ converged: true, rounds: 1, established: pairs, prefixesSent: 2 * pairs * blocks })
    expect(c.run.messages).toEqual({
      open: 2 * pairs,
      keepalive: 2 * pairs,
      update: 2 * pairs,
      endOfRib: 2 * pairs,
      notification: 0,
      routeRefresh: 0,
    })
  })

  test('in which both sides dial closes one connection of each pair', () => {
    const { messages } = converge(mesh(4, { settings: {} }), oneLink).run
    expect(messages).toMatchObject({ open: 24, keepalive: 12, notification: 6 })
  })

  test('packs what fits into one message: 4096 octets', () => {
    // 4096 - 23 - origin 4, as path 3, next hop 7, local pref 7 = 4052 octets, 810 prefixes of 5.
    const [a, b] = mesh(2, { blocks: 811 })
    expect(a && b && converge([a, { ...b, routes: [] }], oneLink).run.messages.update).toBe(2)
    const [c, d] = mesh(2, { blocks: 810 })
    expect(c && d && converge([c, { ...d, routes: [] }], oneLink).run.messages.update).toBe(1)
  })
})

describe('route reflectors', () => {
  test.each([
    { n: 5, r: 1 },
    { n: 9, r: 2 },
    { n: 12, r: 3 },
  ])('$r for $n nodes give the routes of a mesh with fewer sessions', ({ n, r }) => {
    const c = converge(reflected(n, r), oneLink)
    expectWholeTables(c, n)
    expect(c.run.established).toBe(r * (n - r) + (r * (r - 1)) / 2)
  })

  test('leave the next hop and say who brought the route', () => {
    const c = converge(reflected(4, 1), oneLink)
    const path = c.routes(nodeName(3)).find((p) => formatPrefix(p.prefix) === formatPrefix(blockOf(2)))
    expect(path).toMatchObject({
      from: nodeAddress(0),
      attributes: {
        nextHop: nodeAddress(2),
        originatorId: nodeAddress(2),
        clusterList: [nodeAddress(0)],
        localPref: 100,
        asPath: [],
      },
    })
  })

  test('without clients pass nothing on', () => {
    const plain = reflected(4, 1).map((s) => ({
      ...s,
      peers: s.peers.map((g) => ({ ...g, settings: {} })),
    }))
    const c = converge(plain, oneLink)
    expect(Object.keys(gateways(c, nodeName(1)))).toEqual([blockOf(0), blockOf(1)].map(formatPrefix))
  })

  test('do not pass on what a member of the same cluster passed on', () => {
    const sameCluster = reflected(4, 2).map((s) => ({
      ...s,
      peers: s.peers.map((g) => ({ ...g, settings: { ...g.settings, clusterId: nodeAddress(99) } })),
    }))
    const c = converge(sameCluster, oneLink)
    const paths = c.routes(nodeName(0)).filter((p) => formatPrefix(p.prefix) === formatPrefix(blockOf(3)))
    expect(paths.map((p) => p.from)).toEqual([nodeAddress(3)])
  })
})

describe('eBGP', () => {
  const line = (settings: PeerSettings = {}): readonly Speaker[] => [
    { ...speakerAt(0, [{ settings, neighbors: [neighborOf(nodeAddress(1), 65001)] }]), as: 65000 },
    {
      ...speakerAt(1, [
        { settings, neighbors: [neighborOf(nodeAddress(0), 65000), neighborOf(nodeAddress(2), 65002)] },
      ]),
      as: 65001,
    },
    { ...speakerAt(2, [{ settings, neighbors: [neighborOf(nodeAddress(1), 65001)] }]), as: 65002 },
  ]
  const pathAt2 = (c: Convergence) =>
    c.routes(nodeName(2)).find((p) => formatPrefix(p.prefix) === formatPrefix(blockOf(0)))

  test('names a third party on the common link as next hop and grows the AS path', () => {
    const attributes = pathAt2(converge(line(), oneLink))?.attributes
    expect(attributes).toMatchObject({ nextHop: nodeAddress(0), asPath: [65001, 65000] })
  })

  test.each([
    { name: 'next hop self names the speaker', settings: { nextHop: 'self' }, nextHop: nodeAddress(1) },
    { name: 'multihop sessions name the speaker', settings: { multihop: true }, nextHop: nodeAddress(1) },
    { name: 'next hop keep leaves it', settings: { multihop: true, nextHop: 'keep' }, nextHop: nodeAddress(0) },
  ] as const)('$name', ({ settings, nextHop }) => {
    expect(pathAt2(converge(line(settings), oneLink))?.attributes?.nextHop).toBe(nextHop)
  })

  test('refuses a path with the own AS in it, unless that is allowed', () => {
    const same = (allow: number) =>
      line().map((s, i) => {
        if (i === 1)
          return {
            ...s,
            peers: s.peers.map((g) => ({ ...g, neighbors: g.neighbors.map((n) => ({ ...n, as: 65000 })) })),
          }
        return { ...s, as: 65000, peers: s.peers.map((g) => ({ ...g, settings: { allowLocalAs: allow } })) }
      })
    expect(pathAt2(converge(same(0), oneLink))).toBeUndefined()
    expect(pathAt2(converge(same(1), oneLink))?.attributes?.asPath).toEqual([65001, 65000])
  })

  test('prefers eBGP over iBGP and merges equally good upstreams', () => {
    const upstream = (i: number): Speaker => {
      const s = speakerAt(i, [{ settings: {}, neighbors: [neighborOf(nodeAddress(0))] }])
      return { ...s, as: 65000 + i, routes: [blackhole('192.0.2.0/24')] }
    }
    const inner = speakerAt(3, [{ settings: {}, neighbors: [neighborOf(nodeAddress(0))] }])
    const node = speakerAt(0, [
      {
        settings: {},
        neighbors: [neighborOf(nodeAddress(1), 65001), neighborOf(nodeAddress(2), 65002), neighborOf(nodeAddress(3))],
      },
    ])
    const inside: Speaker = { ...inner, routes: [blackhole('192.0.2.0/24'), blackhole('198.51.100.0/24')] }
    const c = converge([node, upstream(1), upstream(2), inside], oneLink)
    // The iBGP path is shorter; without it the eBGP paths are equal.
    expect(gateways(c, nodeName(0))['192.0.2.0/24']).toBe(nodeAddress(3))
    c.apply([{ kind: 'leave', speaker: nodeName(3), how: 'stop' }])
    expect(gateways(c, nodeName(0))['192.0.2.0/24']).toBe(`${nodeAddress(1)} ${nodeAddress(2)}`)
  })
})

/** A connected random network: a reflector tree would need care, so sessions are eBGP and every speaker an AS. */
const randomNetwork = fc
  .record({
    n: fc.integer({ min: 2, max: 8 }),
    extra: fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 8 }),
    parents: fc.array(fc.nat(6), { minLength: 7, maxLength: 7 }),
  })
  .map(({ n, extra, parents }) => {
    const edges = new Set<string>()
    for (let i = 1; i < n; i++) edges.add(`${(parents[i - 1] ?? 0) % i}-${i}`)
    for (const [a, b] of extra) if (a < b && b < n) edges.add(`${a}-${b}`)
    const pairs = [...edges].map((e) => e.split('-').map(Number))
    return Array.from({ length: n }, (_, i): Speaker => {
      const others = pairs.filter((p) => p.includes(i)).map(([a = 0, b = 0]) => (a === i ? b : a))
      const neighbors = others.sort((a, b) => a - b).map((o) => neighborOf(nodeAddress(o), 65000 + o))
      return { ...speakerAt(i, [{ settings: { nextHop: 'self' }, neighbors }]), as: 65000 + i }
    })
  })

const tables = (c: Convergence, speakers: readonly Speaker[]) =>
  speakers.map(({ id }) => ({ id, routes: c.routes(id), kernel: c.kernelRoutes(id), sessions: c.sessions(id) }))

describe('whatever the network', () => {
  test('the outcome does not depend on the order of speakers or of messages', () => {
    fc.assert(
      fc.property(randomNetwork, fc.infiniteStream(fc.nat(1000)), fc.boolean(), (speakers, dice, backwards) => {
        const expected = tables(converge(speakers, oneLink), speakers)
        const schedule = (ready: readonly number[]) => {
          const one = ready[(dice.next().value ?? 0) % ready.length]
          return one === undefined ? ready : [one]
        }
        const other = converge(backwards ? [...speakers].reverse() : speakers, oneLink, { schedule })
        expect(other.run.converged).toBe(true)
        expect(tables(other, speakers)).toEqual(expected)
      }),
      { numRuns: 100 },
    )
  })

  test('every node reaches every block without a loop, and nobody keeps a route that is withdrawn', () => {
    fc.assert(
      fc.property(randomNetwork, fc.nat(7), (speakers, pick) => {
        const c = converge(speakers, oneLink)
        for (const { id } of speakers) for (let i = 0; i < speakers.length; i++) expectDelivery(c, speakers, id, i)
        const gone = pick % speakers.length
        const one = speakers[gone]
        if (!one) return
        c.apply([{ kind: 'configure', speaker: { ...one, routes: [] } }])
        for (const { id } of speakers) expect(Object.keys(gateways(c, id))).not.toContain(formatPrefix(blockOf(gone)))
      }),
      { numRuns: 100 },
    )
  })

  test('a change leads to the tables of a network that started that way', () => {
    fc.assert(
      fc.property(randomNetwork, fc.nat(7), (speakers, pick) => {
        const id = nodeName(pick % speakers.length)
        const rest = speakers.filter((s) => s.id !== id)
        const late = converge(rest, oneLink)
        const joined = speakers.find((s) => s.id === id)
        if (!joined) return
        late.apply([{ kind: 'join', speaker: joined }])
        expect(tables(late, speakers)).toEqual(tables(converge(speakers, oneLink), speakers))
        late.apply([{ kind: 'leave', speaker: id, how: 'stop' }])
        expect(rest.map((s) => late.routes(s.id))).toEqual(rest.map((s) => converge(rest, oneLink).routes(s.id)))
      }),
      { numRuns: 100 },
    )
  })
})

function expectDelivery(c: Convergence, speakers: readonly Speaker[], from: string, block: number): void {
  const byAddress = new Map(speakers.flatMap((s) => s.addresses.map((a) => [a as string, s.id])))
  let at = from
  for (let hops = 0; hops <= speakers.length; hops++) {
    const to = gateways(c, at)[formatPrefix(blockOf(block))]
    if (to === 'blackhole') {
      expect(at).toBe(nodeName(block))
      return
    }
    at = byAddress.get(to?.split(' ')[0] ?? '') ?? `nowhere from ${at}`
  }
  expect.fail(`a loop from ${from} to block ${block}`)
}

describe('filters that prefer the path through each other', () => {
  /** AS 65000 announces; each of the others takes the path through its successor over the direct one, and no longer ones. */
  const wheel = (rim: number): readonly Speaker[] => {
    const spoke = (i: number): Speaker => {
      const next = 1 + (i % rim)
      const before = 1 + ((i + rim - 2) % rim)
      const prefer: Filter = [
        {
          kind: 'if',
          when: { kind: 'as path', startsWith: [65000 + next, 65000] },
          do: [{ kind: 'set', attribute: 'bgp_local_pref', value: 200 }, { kind: 'accept' }],
        },
        { kind: 'reject' },
      ]
      const plain = [...new Set([0, before])].filter((o) => o !== next)
      return {
        ...speakerAt(i, [
          { settings: {}, neighbors: plain.map((o) => neighborOf(nodeAddress(o), 65000 + o)) },
          { settings: { importFilter: prefer }, neighbors: [neighborOf(nodeAddress(next), 65000 + next)] },
        ]),
        as: 65000 + i,
        routes: [],
      }
    }
    const spokes = Array.from({ length: rim }, (_, k) => spoke(k + 1))
    const hub = speakerAt(0, [
      { settings: {}, neighbors: spokes.map((s) => neighborOf(s.addresses[0] ?? nodeAddress(0), s.as)) },
    ])
    return [{ ...hub, as: 65000 }, ...spokes]
  }

  test('come to rest where a stable state exists, the same for every order of speakers', () => {
    const c = converge(wheel(2), oneLink)
    expect(c.run.converged).toBe(true)
    const block = formatPrefix(blockOf(0))
    const through = (x: Convergence) => [1, 2].map((i) => x.routes(nodeName(i)).find((p) => p.best)?.from)
    expect(through(c)).toContain(nodeAddress(0))
    expect(through(converge([...wheel(2)].reverse(), oneLink))).toEqual(through(c))
    expect(gateways(c, nodeName(1))[block]).toBeDefined()
  })

  test('are reported where none exists', () => {
    const { run } = converge(wheel(3), oneLink)
    expect(run.converged).toBe(false)
    expect(new Set(run.unstable.map((u) => formatPrefix(u.prefix)))).toEqual(new Set([formatPrefix(blockOf(0))]))
  })
})

describe('changes', () => {
  const n = 6
  test('a node that stops says so once to each neighbour; its block is gone, its own kernel routes stay', () => {
    const c = converge(mesh(n), oneLink)
    const run = c.apply([{ kind: 'leave', speaker: nodeName(2), how: 'stop' }])
    expect(run.messages).toMatchObject({ notification: n - 1, update: 0 })
    expect(Object.keys(gateways(c, nodeName(0)))).not.toContain(formatPrefix(blockOf(2)))
    expect(c.kernelRoutes(nodeName(2))).toHaveLength(n)
    const info = (i: number) => c.sessions(nodeName(i)).find((s) => s.neighbor.address === nodeAddress(2))
    expect(info(0)).toMatchObject({ state: 'Passive', info: 'Received: Administrative shutdown' })
    expect(info(5)).toMatchObject({ state: 'Active', info: 'Socket: Connection refused' })
  })

  test('routes of a killed node stay for the restart time; back in time it changes nothing', () => {
    const speakers = mesh(n)
    const c = converge(speakers, oneLink)
    const before = gateways(c, nodeName(0))
    expect(totalMessages(c.apply([{ kind: 'leave', speaker: nodeName(2), how: 'kill' }]).messages)).toBe(0)
    expect(gateways(c, nodeName(0))).toEqual(before)
    const [again] = speakers.filter((s) => s.id === nodeName(2))
    if (again) c.apply([{ kind: 'join', speaker: { ...again, routes: [blackhole('10.129.0.0/26')] } }])
    expect(Object.keys(gateways(c, nodeName(0)))).not.toContain(formatPrefix(blockOf(2)))
    expect(gateways(c, nodeName(0))['10.129.0.0/26']).toBe(nodeAddress(2))
    c.apply([{ kind: 'leave', speaker: nodeName(2), how: 'kill' }])
    c.apply([{ kind: 'restart time over' }])
    expect(gateways(c, nodeName(0))['10.129.0.0/26']).toBeUndefined()
  })

  test('a new block is one message to each neighbour, its end another', () => {
    const speakers = mesh(n)
    const c = converge(speakers, oneLink)
    const [first] = speakers
    if (!first) return
    const more = { ...first, routes: [...first.routes, blackhole('10.200.0.0/26')] }
    const run = c.apply([{ kind: 'configure', speaker: more }])
    expect(run).toMatchObject({ rounds: 1, prefixesSent: n - 1, messages: { update: n - 1, notification: 0, open: 0 } })
    expect(gateways(c, nodeName(3))['10.200.0.0/26']).toBe(nodeAddress(0))
    expect(c.apply([{ kind: 'configure', speaker: first }])).toMatchObject({ messages: { update: n - 1 } })
    expect(gateways(c, nodeName(3))['10.200.0.0/26']).toBeUndefined()
  })

  test('a filter that changes keeps the session and takes back what is no longer allowed', () => {
    const speakers = mesh(3)
    const c = converge(speakers, oneLink)
    const [first] = speakers
    const group = first?.peers[0]
    if (!first || !group) return
    const shut: Speaker = {
      ...first,
      peers: [{ ...group, settings: { ...group.settings, exportFilter: [{ kind: 'reject' }] } }],
    }
    expect(c.apply([{ kind: 'configure', speaker: shut }]).messages).toMatchObject({ update: 2, open: 0 })
    expect(Object.keys(gateways(c, nodeName(1)))).not.toContain(formatPrefix(blockOf(0)))
    const deaf: Speaker = {
      ...first,
      peers: [{ ...group, settings: { ...group.settings, importFilter: [{ kind: 'reject' }] } }],
    }
    expect(c.apply([{ kind: 'configure', speaker: deaf }]).messages).toMatchObject({ routeRefresh: 2, open: 0 })
    expect(Object.keys(gateways(c, nodeName(0)))).toEqual([formatPrefix(blockOf(0))])
    expect(gateways(c, nodeName(1))[formatPrefix(blockOf(0))]).toBe(nodeAddress(0))
  })

  test('neighbours that are taken out or come in move numbers, not routes', () => {
    const speakers = mesh(5)
    const c = converge(speakers, oneLink)
    const [, second] = speakers
    const group = second?.peers[0]
    if (!second || !group) return
    const without = { ...second, peers: [{ ...group, neighbors: group.neighbors.slice(1) }] }
    c.apply([{ kind: 'configure', speaker: without }])
    expect(Object.keys(gateways(c, nodeName(1)))).not.toContain(formatPrefix(blockOf(0)))
    expect(gateways(c, nodeName(1))[formatPrefix(blockOf(4))]).toBe(nodeAddress(4))
    c.apply([{ kind: 'leave', speaker: nodeName(4), how: 'stop' }])
    expect(gateways(c, nodeName(1))[formatPrefix(blockOf(4))]).toBeUndefined()
    c.apply([{ kind: 'configure', speaker: second }])
    expect(gateways(c, nodeName(1))[formatPrefix(blockOf(0))]).toBe(nodeAddress(0))
  })

  test('a disabled session comes back when it is enabled', () => {
    const c = converge(mesh(3), oneLink)
    const session = { speaker: nodeName(0), session: 'Mesh_10_0_0_11' }
    c.apply([{ kind: 'disable', ...session }])
    expect(c.sessions(nodeName(0)).map((s) => s.state)).toEqual(['Down', 'Established'])
    expect(gateways(c, nodeName(0))[formatPrefix(blockOf(1))]).toBeUndefined()
    c.apply([{ kind: 'enable', ...session }])
    expectWholeTables(c, 3)
  })

  test('an underlay that cuts a session ends it by the hold timer', () => {
    const c = converge(mesh(3), oneLink)
    const cut = new Set<string>([nodeName(0), nodeName(1)])
    const network = {
      ...oneLink,
      canConnect: (from: { speaker: Speaker }, to: { speaker?: Speaker }) =>
        cut.has(from.speaker.id) && cut.has(to.speaker?.id ?? '') ? ({ kind: 'timeout' } as const) : undefined,
    }
    c.apply([{ kind: 'network', network }])
    expect(c.sessions(nodeName(0))[0]).toMatchObject({ state: 'Passive', info: 'BGP Error: Hold timer expired' })
    expect(c.sessions(nodeName(1))[0]).toMatchObject({ state: 'Connect', info: 'BGP Error: Hold timer expired' })
    expect(gateways(c, nodeName(0))[formatPrefix(blockOf(1))]).toBeUndefined()
    c.apply([{ kind: 'network', network: oneLink }])
    expectWholeTables(c, 3)
  })

  test('a next hop that cannot be resolved gives an unreachable route', () => {
    const c = converge(mesh(2), { ...oneLink, resolve: () => undefined })
    expect(gateways(c, nodeName(0))[formatPrefix(blockOf(1))]).toBe('unreachable')
    expect(c.advertised(nodeName(0), 'Mesh_10_0_0_11').map((a) => formatPrefix(a.prefix))).toEqual([
      formatPrefix(prefix('10.128.0.0/26')),
    ])
  })
})
