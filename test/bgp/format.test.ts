import { describe, expect, test } from 'vitest'
import { formatBirdConfig } from '../../src/bgp/bird-config.ts'
import { converge } from '../../src/bgp/converge.ts'
import { formatProtocols, formatRoutes, formatRoutesAll } from '../../src/bgp/format.ts'
import type { Speaker } from '../../src/bgp/speaker.ts'
import { ip } from '../../src/net/ip.ts'
import { prefix } from '../../src/net/prefix.ts'
import { mesh, neighborOf, nodeAddress, oneLink, reflected, speakerAt } from './topology.ts'

const clock = { since: '08:44:14' }

describe('listings of birdc', () => {
  const c = converge(reflected(3, 1), {
    ...oneLink,
    canConnect: (from, to) =>
      from.speaker.id === 'node-2' || to.speaker?.id === 'node-2' ? { kind: 'refused' } : undefined,
  })

  test('show protocols: states and errors in columns', () => {
    expect(formatProtocols([...c.sessions('node-1'), ...c.sessions('node-2')], clock)).toBe(
      [
        'name     proto    table    state  since       info',
        'static1  Static   master   up     08:44:14    ',
        'kernel1  Kernel   master   up     08:44:14    ',
        'device1  Device   master   up     08:44:14    ',
        'direct1  Direct   master   up     08:44:14    ',
        'Node_10_0_0_10 BGP      master   up     08:44:14    Established   ',
        'Node_10_0_0_10 BGP      master   start  08:44:14    Active        Socket: Connection refused',
        '',
      ].join('\n'),
    )
  })

  test('show route: one line for each path, the neighbour only when it is not the gateway', () => {
    const routed = converge(reflected(3, 1), {
      ...oneLink,
      resolve: () => ({ device: 'eth0', gateway: ip('10.0.0.1') }),
    })
    expect(formatRoutes(routed.routes('node-1'), clock)).toBe(
      [
        '10.128.0.0/26      via 10.0.0.1 on eth0 [Node_10_0_0_10 08:44:14 from 10.0.0.10] * (100/?) [i]',
        '10.128.0.64/26     blackhole [static1 08:44:14] * (200)',
        '10.128.0.128/26    via 10.0.0.1 on eth0 [Node_10_0_0_10 08:44:14 from 10.0.0.10] * (100/?) [i]',
        '',
      ].join('\n'),
    )
  })

  test('show route all: attributes of a reflected route', () => {
    const all = formatRoutesAll(converge(reflected(3, 1), oneLink).routes('node-1').slice(2), clock)
    expect(all).toBe(
      [
        '10.128.0.128/26    via 10.0.0.12 on eth0 [Node_10_0_0_10 08:44:14 from 10.0.0.10] * (100/0) [i]',
        '\tType: BGP unicast univ',
        '\tBGP.origin: IGP',
        '\tBGP.as_path:',
        '\tBGP.next_hop: 10.0.0.12',
        '\tBGP.local_pref: 100',
        '\tBGP.originator_id: 10.0.0.12',
        '\tBGP.cluster_list: 10.0.0.10',
        '',
      ].join('\n'),
    )
  })
})

describe('a configuration for BIRD 2', () => {
  test('has one protocol for each session, with its settings', () => {
    const speaker: Speaker = {
      ...speakerAt(0, [
        {
          settings: {
            passive: true,
            rrClient: true,
            clusterId: ip('1.0.0.1'),
            password: 'secret',
            gracefulRestart: 60,
            exportFilter: [{ kind: 'accept' }],
          },
          neighbors: [neighborOf(nodeAddress(1))],
        },
        {
          settings: { multihop: 3, ttlSecurity: true, nextHop: 'self', localAs: 65009, keepalive: 10 },
          neighbors: [{ ...neighborOf(ip('192.0.2.1'), 65001, 'Global'), port: 1790 }],
        },
      ]),
      holdTime: 30,
      listen: { port: 1179 },
    }
    const text = formatBirdConfig(speaker)
    for (const line of [
      'router id 10.0.0.10;',
      '  route 10.128.0.0/26 blackhole;',
      '  merge paths on;',
      "protocol bgp 'Mesh_10_0_0_11' {",
      '  local 10.0.0.10 port 1179 as 64512;',
      '  neighbor 10.0.0.11 as 64512;',
      '  passive on;',
      '  rr client;',
      '  rr cluster id 1.0.0.1;',
      '  password "secret";',
      '  graceful restart time 60;',
      '  hold time 30;',
      '  local 10.0.0.10 port 1179 as 65009;',
      '  neighbor 192.0.2.1 port 1790 as 65001;',
      '  multihop 3;',
      '  ttl security on;',
      '  keepalive time 10;',
      '    next hop self;',
    ])
      expect(text.split('\n')).toContain(line)
  })

  test('of a mesh leaves the speaker itself out', () => {
    const [first] = mesh(3)
    expect(first && formatBirdConfig(first).match(/protocol bgp '.*'/g)).toEqual([
      "protocol bgp 'Mesh_10_0_0_11'",
      "protocol bgp 'Mesh_10_0_0_12'",
    ])
  })

  test('serves both families of a speaker', () => {
    const [first] = mesh(1)
    const six = ip('fd00::1')
    const text =
      first &&
      formatBirdConfig({
        ...first,
        addresses: [...first.addresses, six],
        routes: [{ prefix: prefix('fd00:10::/122'), source: 'static', target: { kind: 'blackhole' } }],
      })
    expect(text).toContain('protocol kernel kernel2 {\n  ipv6 {')
    expect(text).toContain('protocol static static2 {\n  ipv6;\n  route fd00:10::/122 blackhole;')
  })
})
