import { describe, expect, test } from 'vitest'
import { formatFdb } from '../../../src/artefact/fdb-text.ts'
import { formatNeighbour } from '../../../src/artefact/neighbour-text.ts'
import { formatRoute } from '../../../src/artefact/route-text.ts'
import { formatCommand } from '../../../src/cni/flannel/command.ts'
import { nodeEvent } from '../../../src/cni/flannel/events.ts'
import { planFlannel } from '../../../src/cni/flannel/plan.ts'
import { renderFlannel } from '../../../src/cni/flannel.ts'
import type { Uplink } from '../../../src/cni/result.ts'
import type { KubeObject } from '../../../src/kube/objects/meta.ts'
import { daemonSet, flannelConfig, node, pod, settings, storeOf, threeNodes, threeUplinks, uplink } from '../objects.ts'

const macOf = (i: number): string => `02:aa:00:00:00:0${i}`
const nodes = threeNodes.map((n, i) => ({
  ...n,
  metadata: {
    ...n.metadata,
    annotations: { 'flannel.alpha.coreos.com/backend-data': JSON.stringify({ VNI: 1, VtepMAC: macOf(i) }) },
  },
}))
const node3 = node('node3', ['10.244.3.0/24'], {
  annotations: { 'flannel.alpha.coreos.com/backend-data': JSON.stringify({ VNI: 1, VtepMAC: macOf(3) }) },
})
const uplinks = new Map([...threeUplinks, ['node3', uplink(['192.168.0.103/24'])]])
const image = (version: string) => daemonSet(`flannel:${version}`, ['--ip-masq', '--kube-subnet-mgr'])

const conf = (Backend: object) => flannelConfig({ Network: '10.244.0.0/16', Backend })

function onNode0(objects: readonly KubeObject[], links: ReadonlyMap<string, Uplink> = uplinks) {
  const result = renderFlannel(storeOf(...objects), settings, links)
  const network = result.nodes.get('node0')
  const { additions } = network ?? {}
  return {
    links: (additions?.links ?? []).map(({ name, mtu, kind }) => ({ name, mtu, ...kind })),
    addresses: (additions?.addresses ?? []).map((a) => `${a.ip}/${a.length} dev ${a.dev}`),
    routes: (additions?.routes ?? []).map(formatRoute),
    neighbours: (additions?.neighbours ?? []).map(formatNeighbour),
    fdb: (additions?.fdb ?? []).map(formatFdb),
    sysctls: additions?.sysctls ?? {},
    sockets: additions?.sockets ?? [],
    tunnels: network?.tunnels ?? [],
    problems: (result.problems ?? []).map((p) => p.message),
  }
}

describe('vxlan', () => {
  test('has one neighbour, one FDB entry and one route per peer', () => {
    const state = onNode0([conf({ Type: 'vxlan' }), ...nodes])
    expect(state).toMatchObject({
      links: [
        {
          name: 'flannel.1',
          mtu: 1450,
          kind: 'vxlan',
          vni: 1,
          local: '192.168.0.100',
          dev: 'eth0',
          dstPort: 8472,
          learning: false,
        },
      ],
      addresses: ['10.244.0.0/32 dev flannel.1'],
      routes: [
        '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink',
        '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
      ],
      neighbours: [
        `10.244.1.0 dev flannel.1 lladdr ${macOf(1)} nud permanent`,
        `10.244.2.0 dev flannel.1 lladdr ${macOf(2)} nud permanent`,
      ],
      fdb: [
        `${macOf(1)} dev flannel.1 dst 192.168.0.101 self permanent`,
        `${macOf(2)} dev flannel.1 dst 192.168.0.102 self permanent`,
      ],
      sysctls: { 'net.ipv6.conf.flannel.1.accept_ra': '0' },
      problems: [],
    })
  })

  test('takes VNI, Port, MTU and Learning from its configuration', () => {
    const { links } = onNode0([conf({ Type: 'vxlan', VNI: 42, Port: 4789, MTU: 1400, Learning: true }), ...nodes])
    expect(links).toMatchObject([{ name: 'flannel.42', vni: 42, dstPort: 4789, mtu: 1350, learning: true }])
  })

  test('cannot have a device MTU that the uplink does not carry', () => {
    const small = new Map([...uplinks, ['node0', uplink(['192.168.0.100/24'], 'eth0', 1400)]])
    expect(onNode0([conf({ Type: 'vxlan', MTU: 9000 }), ...nodes], small).links).toMatchObject([{ mtu: 1350 }])
  })

  test('with DirectRouting routes on the link, and tunnels over a router, both at 1450', () => {
    const far = new Map([...uplinks, ['node2', uplink(['192.168.7.102/24'])]])
    const state = onNode0([conf({ Type: 'vxlan', DirectRouting: true }), ...nodes], far)
    expect(state.routes).toEqual([
      '10.244.1.0/24 via 192.168.0.101 dev eth0',
      '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
    ])
    expect(state.fdb).toHaveLength(1)
    expect(state.links[0]?.mtu).toBe(1450)
  })

  test('has a second device for IPv6, 20 bytes smaller, and the pods keep 1450', () => {
    const dual = [0, 1].map((i) => node(`node${i}`, [`10.244.${i}.0/24`, `fd00:10:244:${i}::/64`]))
    const links = new Map([0, 1].map((i) => [`node${i}`, uplink([`192.168.0.10${i}/24`, `fd00:192::10${i}/64`])]))
    const network = {
      Network: '10.244.0.0/16',
      EnableIPv6: true,
      IPv6Network: 'fd00:10:244::/48',
      Backend: { Type: 'vxlan' },
    }
    const objects = storeOf(flannelConfig(network), ...dual, pod('a', 'node0'))
    const result = renderFlannel(objects, settings, links)
    const { additions } = result.nodes.get('node0') ?? {}
    expect(additions?.links?.slice(0, 2)).toMatchObject([
      { name: 'flannel.1', mtu: 1450 },
      { name: 'flannel-v6.1', mtu: 1430, kind: { local: 'fd00:192::100' } },
    ])
    expect(additions?.routes?.map(formatRoute)).toEqual([
      '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink',
      'fd00:10:244:1::/64 via fd00:10:244:1:: dev flannel-v6.1 metric 1024 onlink pref medium',
    ])
    expect(result.pods[0]?.netns.links.find((l) => l.name === 'eth0')?.mtu).toBe(1450)
  })

  test.each([
    ['v0.8.0', ['10.244.0.0/32 dev flannel.1', '10.244.0.1/24 dev cni0'], ['10.244.0.0/16 dev flannel.1']],
    ['v0.6.2', ['10.244.0.0/16 dev flannel.1', '10.244.0.1/24 dev cni0'], []],
  ])('%s has one route for all, and answers for every pod', (version, addresses, routes) => {
    const state = onNode0([conf({ Type: 'vxlan' }), image(version), ...nodes, pod('a', 'node0'), pod('b', 'node1')])
    expect(state).toMatchObject({ addresses, routes })
    expect(state.neighbours).toEqual([`10.244.1.2 dev flannel.1 lladdr ${macOf(1)} nud reachable`])
    expect(state.fdb).toHaveLength(2)
    expect(state.sysctls).toMatchObject({ 'net.ipv4.neigh.flannel.1.app_solicit': '3' })
  })
})

describe('host-gw', () => {
  test('has the peers as gateways, no device and the whole MTU', () => {
    const state = onNode0([conf({ Type: 'host-gw' }), ...nodes])
    expect(state).toMatchObject({ links: [], neighbours: [], fdb: [], problems: [] })
    expect(state.routes).toEqual([
      '10.244.1.0/24 via 192.168.0.101 dev eth0',
      '10.244.2.0/24 via 192.168.0.102 dev eth0',
    ])
  })

  test('leaves a peer over a router without a route, and says so', () => {
    const far = new Map([...uplinks, ['node2', uplink(['192.168.7.102/24'])]])
    const state = onNode0([conf({ Type: 'host-gw' }), ...nodes], far)
    expect(state.routes).toEqual(['10.244.1.0/24 via 192.168.0.101 dev eth0'])
    expect(state.problems.filter((p) => p.includes('not on the link'))).toEqual([
      expect.stringMatching(/node2 \(192\.168\.7\.102\) .* link of node0's .* \(and 3 more pairs of nodes\)$/),
    ])
  })
})

describe('udp', () => {
  test('has one TUN device, one route, and the peers in its own table', () => {
    const state = onNode0([conf({ Type: 'udp' }), ...nodes])
    expect(state).toMatchObject({
      links: [{ name: 'flannel0', kind: 'tun', mtu: 1472 }],
      addresses: ['10.244.0.0/32 dev flannel0'],
      routes: ['10.244.0.0/16 dev flannel0'],
      sockets: [{ protocol: 'udp', address: '192.168.0.100', port: 8285 }],
      tunnels: [{ device: 'flannel0', local: '192.168.0.100', port: 8285 }],
    })
    expect(state.tunnels[0]?.peers.map((p) => `${p.subnet.address} ${p.address}:${p.port}`)).toEqual([
      '10.244.1.0 192.168.0.101:8285',
      '10.244.2.0 192.168.0.102:8285',
    ])
  })

  test('before v0.11.0 leaves the route to the kernel', () => {
    const state = onNode0([conf({ Type: 'udp', Port: 9000 }), image('v0.10.0'), ...nodes])
    expect(state).toMatchObject({ addresses: ['10.244.0.0/16 dev flannel0'], routes: [], sockets: [{ port: 9000 }] })
  })
})

test('ipip has the peers as gateways behind its device', () => {
  const state = onNode0([conf({ Type: 'ipip' }), ...nodes])
  expect(state).toMatchObject({
    links: [{ name: 'flannel.ipip', kind: 'ipip', local: '192.168.0.100', mtu: 1480 }],
    addresses: ['10.244.0.0/32 dev flannel.ipip'],
  })
  expect(state.routes[0]).toBe('10.244.1.0/24 via 192.168.0.101 dev flannel.ipip onlink')
  const direct = onNode0([conf({ Type: 'ipip', DirectRouting: true }), ...nodes])
  expect(direct.routes[0]).toBe('10.244.1.0/24 via 192.168.0.101 dev eth0 onlink')
})

test.each([
  ['alloc', 1500],
  ['wireguard', 1420],
  ['ipsec', 1423],
])('%s puts nothing on the host, and pods get %i', (Type, mtu) => {
  const objects = [conf({ Type }), ...nodes, pod('a', 'node0')]
  expect(onNode0(objects)).toMatchObject({ routes: [], neighbours: [], fdb: [] })
  const result = renderFlannel(storeOf(...objects), settings, uplinks)
  expect(result.pods[0]?.netns.links.find((l) => l.name === 'eth0')?.mtu).toBe(mtu)
  expect(result.problems?.length).toBe(Type === 'alloc' ? 0 : 1)
})

describe('a node that joins or leaves', () => {
  const changes = (Backend: object, event: 'joins' | 'leaves') => {
    const plan = planFlannel(storeOf(conf(Backend), ...nodes, node3), settings, uplinks)
    const all = nodeEvent(plan, 'node3', event)
    expect([...all.keys()]).toEqual(['node0', 'node1', 'node2'])
    return (all.get('node0') ?? []).map(formatCommand)
  }

  test.each([
    [
      'vxlan',
      'joins',
      [
        `ip neigh replace 10.244.3.0 lladdr ${macOf(3)} dev flannel.1 nud permanent`,
        `bridge fdb replace ${macOf(3)} dev flannel.1 dst 192.168.0.103 self permanent`,
        'ip route replace 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink',
      ],
    ],
    [
      'vxlan',
      'leaves',
      [
        'ip neigh del 10.244.3.0 dev flannel.1',
        `bridge fdb del ${macOf(3)} dev flannel.1 dst 192.168.0.103 self`,
        'ip route del 10.244.3.0/24 via 10.244.3.0 dev flannel.1',
      ],
    ],
    ['host-gw', 'joins', ['ip route add 10.244.3.0/24 via 192.168.0.103 dev eth0']],
    ['host-gw', 'leaves', ['ip route del 10.244.3.0/24 via 192.168.0.103 dev eth0']],
    ['ipip', 'joins', ['ip route add 10.244.3.0/24 via 192.168.0.103 dev flannel.ipip onlink']],
    ['udp', 'joins', ['# flanneld: 10.244.3.0/24 is at 192.168.0.103 port 8285']],
    ['udp', 'leaves', ['# flanneld: 10.244.3.0/24 is gone']],
    ['alloc', 'joins', []],
  ] as const)('%s: when it %s', (Type, event, commands) => {
    expect(changes({ Type }, event)).toEqual(commands)
  })
})
