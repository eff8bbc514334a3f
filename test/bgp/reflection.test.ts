import { describe, expect, test } from 'vitest'
import { noAdvertise, noExport, type PathAttributes } from '../../src/bgp/attributes.ts'
import { exportRoute } from '../../src/bgp/export-route.ts'
import { importRoute, isLoop } from '../../src/bgp/import-route.ts'
import { type PeerClass, peerClass } from '../../src/bgp/peer-class.ts'
import type { PeerSettings } from '../../src/bgp/speaker.ts'
import type { Route } from '../../src/bgp/tables.ts'
import { ip } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'
import { neighborOf, nodeAddress, oneLink, speakerAt } from './topology.ts'

const self = nodeAddress(0)
const classOf = (settings: PeerSettings, as = 64512): PeerClass =>
  peerClass(speakerAt(0, []), settings, neighborOf(nodeAddress(1), as), oneLink)
const attributesOf = (more: Partial<PathAttributes> = {}): PathAttributes => ({
  origin: 'igp',
  asPath: [],
  nextHop: nodeAddress(5),
  localPref: 100,
  ...more,
})
const routeOf = (more: Partial<PathAttributes> = {}): Route => ({
  source: 'bgp',
  preference: 100,
  attributes: attributesOf(more),
})
const net = prefix('10.128.0.0/26')
const learned = (from: PeerClass) => ({ from, routerId: nodeAddress(5) })

describe('a route comes back to where it was', () => {
  test.each([
    { name: 'the own AS in the path', from: classOf({}, 65001), attributes: { asPath: [65001, 64512] }, loop: true },
    {
      name: 'as often as allowed',
      from: classOf({ allowLocalAs: 1 }, 65001),
      attributes: { asPath: [65001, 64512] },
      loop: false,
    },
    {
      name: 'the AS that stands in for the own',
      from: classOf({ localAs: 65009 }, 65001),
      attributes: { asPath: [65009] },
      loop: true,
    },
    { name: 'the speaker as originator', from: classOf({}), attributes: { originatorId: self }, loop: true },
    { name: 'another originator', from: classOf({}), attributes: { originatorId: nodeAddress(9) }, loop: false },
    {
      name: 'the own router id as cluster',
      from: classOf({}),
      attributes: { clusterList: [nodeAddress(9), self] },
      loop: true,
    },
    {
      name: 'the own cluster id',
      from: classOf({ rrClient: true, clusterId: ip('1.0.0.1') }),
      attributes: { clusterList: [ip('1.0.0.1')] },
      loop: true,
    },
    {
      name: 'an originator from outside means nothing',
      from: classOf({}, 65001),
      attributes: { originatorId: self },
      loop: false,
    },
  ])('$name', ({ from, attributes, loop }) => {
    expect(isLoop(from, self, attributesOf(attributes))).toBe(loop)
  })
})

describe('an iBGP route goes on', () => {
  const [client, other] = [classOf({ rrClient: true }), classOf({})]
  test.each([
    { name: 'from a client to a client', from: client, to: client, goes: true },
    { name: 'from a client to others', from: client, to: other, goes: true },
    { name: 'from others to a client', from: other, to: client, goes: true },
    { name: 'from others to others: never', from: other, to: other, goes: false },
    { name: 'from anybody to another AS', from: other, to: classOf({}, 65001), goes: true },
    { name: 'from another AS to anybody', from: classOf({}, 65001), to: other, goes: true },
  ])('$name', ({ from, to, goes }) => {
    expect(exportRoute(to, net, routeOf(), learned(from)) !== undefined).toBe(goes)
  })

  test('with its originator and the clusters it passed', () => {
    expect(exportRoute(client, net, routeOf(), learned(client))).toMatchObject({
      originatorId: nodeAddress(5),
      clusterList: [self],
      nextHop: nodeAddress(5),
    })
    const passed = { originatorId: nodeAddress(8), clusterList: [nodeAddress(9)] }
    expect(exportRoute(client, net, routeOf(passed), learned(other))).toMatchObject({
      originatorId: nodeAddress(8),
      clusterList: [self, nodeAddress(9)],
    })
  })

  test('not into a cluster that it has passed', () => {
    expect(exportRoute(client, net, routeOf({ clusterList: [self] }), learned(other))).toBeUndefined()
  })
})

describe('attributes at the border of the AS', () => {
  const [inside, outside] = [classOf({}), classOf({}, 65001)]
  test('LOCAL_PREF and MED of others stay inside', () => {
    const sent = exportRoute(outside, net, routeOf({ med: 5 }), learned(inside))
    expect(sent).toMatchObject({ asPath: [64512] })
    expect(sent).not.toHaveProperty('localPref')
    expect(sent).not.toHaveProperty('med')
    expect(exportRoute(inside, net, routeOf({ med: 5 }), learned(outside))).toMatchObject({ med: 5, localPref: 100 })
  })

  test('MED that the export filter sets goes out', () => {
    const to = classOf({ exportFilter: [{ kind: 'set', attribute: 'bgp_med', value: 9 }, { kind: 'accept' }] }, 65001)
    expect(exportRoute(to, net, routeOf({ med: 5 }), learned(inside))).toMatchObject({ med: 9 })
  })

  test.each([
    { name: 'no-export stays inside', community: noExport, into: inside, goes: true },
    { name: 'no-export does not leave', community: noExport, into: outside, goes: false },
    { name: 'no-advertise goes nowhere', community: noAdvertise, into: inside, goes: false },
  ])('$name', ({ community, into, goes }) => {
    const sent = exportRoute(into, net, routeOf({ communities: [community] }), learned(classOf({}, 65002)))
    expect(sent !== undefined).toBe(goes)
  })

  test('LOCAL_PREF that does not come along is the configured one', () => {
    const { localPref: _none, ...bare } = attributesOf()
    expect(importRoute(outside, net, bare)?.attributes?.localPref).toBe(100)
    expect(importRoute(classOf({ localPref: 300 }, 65001), net, bare)?.attributes?.localPref).toBe(300)
  })

  test('families do not mix', () => {
    expect(exportRoute(inside, prefix('fd00::/122'), routeOf(), undefined)).toBeUndefined()
  })
})
