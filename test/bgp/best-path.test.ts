import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PathAttributes } from '../../src/bgp/attributes.ts'
import { bestOf, type Candidate, mergeable } from '../../src/bgp/best-path.ts'
import type { Resolution } from '../../src/bgp/network.ts'
import { ip, ipAt } from '../../src/net/ip.ts'

interface Wish extends Partial<PathAttributes> {
  readonly source?: number
  readonly preference?: number
  readonly internal?: boolean
  readonly routerId?: ReturnType<typeof ip>
  readonly address?: ReturnType<typeof ip>
  readonly resolution?: Resolution | undefined
}

function candidate({ source = 0, preference = 100, internal = true, routerId, address, ...rest }: Wish): Candidate {
  const { resolution = { device: 'eth0', metric: 0 }, ...given } = rest
  const attributes: PathAttributes = { origin: 'igp', asPath: [], nextHop: ip('10.0.0.1'), localPref: 100, ...given }
  const bgp = {
    attributes,
    internal,
    routerId: routerId ?? ip('10.0.0.1'),
    address: address ?? ip('10.0.0.1'),
    resolution: 'resolution' in rest ? rest.resolution : resolution,
  }
  return { source, route: { source: 'bgp', preference, attributes }, bgp }
}

const low = ip('10.0.0.1')
const high = ip('10.0.0.2')

/** Each row: the first wins although the second is better in everything that comes later. */
const steps: readonly { readonly name: string; readonly better: Wish; readonly worse: Wish }[] = [
  { name: 'preference', better: { preference: 200, localPref: 1 }, worse: { localPref: 999 } },
  { name: 'a next hop that resolves', better: { localPref: 1 }, worse: { localPref: 999, resolution: undefined } },
  { name: 'LOCAL_PREF', better: { localPref: 200, asPath: [1, 2] }, worse: { localPref: 100 } },
  { name: 'a shorter AS path', better: { asPath: [1], origin: 'incomplete' }, worse: { asPath: [1, 2] } },
  { name: 'ORIGIN', better: { origin: 'igp', asPath: [1], med: 9 }, worse: { origin: 'egp', asPath: [1], med: 1 } },
  { name: 'MED', better: { asPath: [1], med: 1, internal: true }, worse: { asPath: [1], med: 2, internal: false } },
  {
    name: 'eBGP',
    better: { asPath: [1], internal: false, resolution: { device: 'eth0', metric: 9 } },
    worse: { asPath: [1] },
  },
  {
    name: 'the IGP metric',
    better: { resolution: { device: 'eth0', metric: 1 }, routerId: high },
    worse: { resolution: { device: 'eth0', metric: 2 }, routerId: low },
  },
  {
    name: 'a known IGP metric',
    better: { resolution: { device: 'eth0', metric: 9 } },
    worse: { resolution: { device: 'eth0' } },
  },
  {
    name: 'the lower identifier',
    better: { routerId: low, clusterList: [low, high] },
    worse: { routerId: high },
  },
  {
    name: 'the originator, where there is one',
    better: { originatorId: low, routerId: high },
    worse: { originatorId: high, routerId: low },
  },
  {
    name: 'fewer clusters',
    better: { clusterList: [low], address: high },
    worse: { clusterList: [low, high], address: low },
  },
  { name: 'the lower address', better: { address: ip('9.0.0.10') }, worse: { address: ip('10.0.0.1') } },
]

describe('the best path', () => {
  test.each(steps)('has $name', ({ better, worse }) => {
    const [a, b] = [candidate({ ...better, source: 1 }), candidate({ ...worse, source: 2 })]
    expect(bestOf([a, b])).toBe(a)
    expect(bestOf([b, a])).toBe(a)
  })

  test('is the own route before one of BGP with the same preference', () => {
    const own: Candidate = { source: -2, route: { source: 'static', preference: 100 } }
    expect(bestOf([candidate({}), own])).toBe(own)
  })

  test('compares MED only between paths from the same neighbouring AS', () => {
    const [a, b] = [
      candidate({ source: 1, asPath: [1], med: 50, routerId: low }),
      candidate({ source: 2, asPath: [2], med: 1, routerId: high }),
    ]
    expect(bestOf([b, a])).toBe(a)
  })

  test('does not depend on the order of paths', () => {
    const anyPath = fc.record({
      as: fc.integer({ min: 1, max: 3 }),
      med: fc.nat(2),
      metric: fc.nat(2),
      internal: fc.boolean(),
      id: fc.nat(3),
    })
    fc.assert(
      fc.property(fc.array(anyPath, { minLength: 1, maxLength: 6 }), fc.nat(719), (wishes, rotation) => {
        const paths = wishes.map(({ as, med, metric, internal, id }, source) =>
          candidate({
            source,
            asPath: [as],
            med,
            internal,
            routerId: ipAt(BigInt(id), 'ipv4'),
            address: ipAt(BigInt(source), 'ipv4'),
            resolution: { device: 'eth0', metric },
          }),
        )
        const at = rotation % paths.length
        const turned = [...paths.slice(at), ...paths.slice(0, at)]
        expect(bestOf(turned)).toBe(bestOf(paths))
        expect(bestOf([...turned].reverse())).toBe(bestOf(paths))
      }),
      { numRuns: 200 },
    )
  })

  test('is merged with paths that differ in the neighbour only', () => {
    const paths = [
      candidate({ source: 1, asPath: [1], internal: false }),
      candidate({ source: 2, asPath: [2], internal: false, routerId: high }),
      candidate({ source: 3, asPath: [2, 3], internal: false }),
      candidate({ source: 4, asPath: [4], internal: true }),
    ]
    const best = bestOf(paths)
    expect(best && mergeable(best, paths).map((p) => p.source)).toEqual([1, 2])
  })
})
