import { describe, expect, test } from 'vitest'
import { formatLink } from '../../src/artefact/link-text.ts'
import { isEndProblem } from '../../src/trace/end.ts'
import type { TraceRequest } from '../../src/trace/request.ts'
import { trace } from '../../src/trace/run.ts'
import { clusterOf, type FlannelCluster } from '../cluster/flannel-cluster.ts'

interface Case {
  readonly name: string
  readonly cluster?: Partial<FlannelCluster>
  /** NodeState per node. */
  readonly states?: Readonly<Record<string, object>>
  readonly underlay?: object
  readonly from?: string
  readonly to?: string
  readonly request?: Partial<TraceRequest>
  /** `result reason node`. */
  readonly says: string
}

function fate({ cluster: given, states = {}, underlay, from = 'pod/a', to = 'pod/b:80', request }: Case): string {
  const objects = [
    ...Object.entries(states).map(([node, spec]) => ({
      apiVersion: 'kubehop.dev/v1alpha1',
      kind: 'NodeState',
      metadata: { name: node },
      spec,
    })),
    ...(underlay
      ? [{ apiVersion: 'kubehop.dev/v1alpha1', kind: 'Underlay', metadata: { name: 'u' }, spec: underlay }]
      : []),
  ]
  const more = objects.map((o) => JSON.stringify(o)).join('\n---\n')
  const { cluster, problems } = clusterOf({ backend: '{ "Type": "vxlan" }', nodes: 2, more, ...given })
  expect(problems).toEqual([])
  const result = trace(cluster, { from, to, namespace: 'default', seed: 1, ...request })
  if (isEndProblem(result)) return result.problem
  const { verdict } = result
  if (verdict.result === 'delivered') return 'delivered'
  return [verdict.result, verdict.reason, verdict.place?.node ?? verdict.place?.netns].join(' ')
}

const staleEntry = (endpoint: string): string =>
  `udp 17 110 src=10.244.0.2 dst=10.96.0.53 sport=40000 dport=53 [UNREPLIED] src=${endpoint} dst=10.244.0.2 sport=53 dport=40000 mark=0 use=1`

const lan = (blocks: readonly string[], more: object = {}): object => ({
  segments: [{ name: 'lan', cidr: '192.168.0.0/24', blocks, ...more }],
})
const racks = (blocks: readonly string[]): object => ({
  segments: [
    { name: 'rack1', cidr: '192.168.1.0/24' },
    { name: 'rack2', cidr: '192.168.2.0/24', blocks },
  ],
})
const edge = (blocks: readonly string[]): object => ({
  segments: [
    { name: 'lan', cidr: '192.168.0.0/24', blocks },
    { name: 'isp', cidr: '203.0.113.0/24', mtu: 1400 },
  ],
  hosts: [{ name: 'web', segment: 'isp', address: '203.0.113.10', listens: ['udp/443'] }],
})

describe('failures of one family', () => {
  test.each<Case>([
    {
      name: 'forwarding off, by the older name',
      states: { node1: { sysctl: 'net.ipv4.conf.all.forwarding = 0' } },
      says: 'dropped ip-forward-off node1',
    },
    {
      name: 'forwarding off on one device',
      states: { node2: { sysctl: 'net.ipv4.conf.flannel/1.forwarding = 0' } },
      says: 'dropped ip-forward-off node2',
    },
    {
      name: 'forwarding off for IPv6',
      cluster: { families: 'ipv6' },
      states: { node2: { sysctl: 'net.ipv6.conf.all.forwarding = 0' } },
      says: 'dropped ip-forward-off node2',
    },
    {
      name: 'FORWARD policy DROP, IPv6',
      cluster: { families: 'ipv6' },
      states: { node2: { mode: 'replace', ip6tables: '*filter\n:FORWARD DROP [0:0]\nCOMMIT' } },
      says: 'dropped forward-policy-drop node2',
    },
    {
      name: "flannel's jump in FORWARD lost, on one node",
      states: {
        node2: {
          iptables: '*filter\n:FORWARD DROP [0:0]\nCOMMIT',
          remove: { iptables: '*filter\n-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD\nCOMMIT' },
        },
      },
      says: 'dropped forward-policy-drop node2',
    },
    {
      name: "flannel's rules of its own chain lost, on one node",
      states: {
        node2: {
          iptables: '*filter\n:FORWARD DROP [0:0]\nCOMMIT',
          remove: {
            iptables: ['s', 'd']
              .map((end) => `-A FLANNEL-FWD -${end} 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT`)
              .join('\n'),
          },
        },
      },
      says: 'dropped forward-policy-drop node2',
    },
    {
      name: 'an entry of a UDP client that leads to a pod that is gone',
      states: { node1: { conntrack: staleEntry('10.244.1.77') } },
      to: '10.96.0.53:53',
      request: { protocol: 'udp', srcPort: 40000 },
      says: 'unreachable ct-stale-endpoint node2',
    },
    {
      name: 'an entry of a UDP client that leads to a pod that is there',
      states: { node1: { conntrack: staleEntry('10.244.1.2') } },
      to: '10.96.0.53:53',
      request: { protocol: 'udp', srcPort: 40000 },
      says: 'delivered',
    },
    {
      name: 'a rule before all accepts',
      states: { node2: { iptables: '*filter\n-I FORWARD 1 -s 10.244.0.0/24 -j DROP\nCOMMIT' } },
      says: 'dropped rule-drop node2',
    },
    {
      name: 'a REJECT in its place',
      states: { node2: { iptables: '*filter\n-I FORWARD 1 -s 10.244.0.0/24 -j REJECT\nCOMMIT' } },
      says: 'rejected rule-reject node2',
    },
    {
      name: 'on the node of the client only',
      states: { node1: { mode: 'replace', iptables: '*filter\n:FORWARD DROP [0:0]\nCOMMIT' } },
      says: 'dropped forward-policy-drop node1',
    },
    {
      name: 'the same node is bridged through FORWARD as well',
      to: 'pod/a2:80',
      states: { node1: { mode: 'replace', iptables: '*filter\n:FORWARD DROP [0:0]\nCOMMIT' } },
      says: 'dropped forward-policy-drop node1',
    },
    {
      name: 'br_netfilter off, over UDP',
      from: 'pod/a2',
      to: 'svc/a:dns',
      request: { protocol: 'udp' },
      states: { node1: { sysctl: 'net.bridge.bridge-nf-call-iptables = 0' } },
      says: 'dropped unexpected-peer node1',
    },
    {
      name: 'br_netfilter off, over IPv6',
      cluster: { families: 'ipv6' },
      from: 'pod/a2',
      to: 'svc/a:80',
      states: { node1: { sysctl: 'net.bridge.bridge-nf-call-ip6tables = 0' } },
      says: 'dropped unexpected-peer node1',
    },
    {
      name: 'br_netfilter off matters to nobody on another node',
      to: 'svc/b:80',
      states: { node1: { sysctl: 'net.bridge.bridge-nf-call-iptables = 0' } },
      says: 'delivered',
    },
    {
      name: 'UDP 8285 blocked under the udp backend',
      cluster: { backend: '{ "Type": "udp" }' },
      underlay: lan(['udp/8285']),
      says: 'dropped tunnel-port-blocked switch lan',
    },
    {
      name: 'protocol 4 blocked under ipip',
      cluster: { backend: '{ "Type": "ipip" }' },
      underlay: lan(['proto/4']),
      says: 'dropped proto-blocked switch lan',
    },
    {
      name: 'another VXLAN port blocked',
      cluster: { backend: '{ "Type": "vxlan", "Port": 4789 }' },
      underlay: lan(['udp/4789']),
      says: 'dropped tunnel-port-blocked switch lan',
    },
    { name: 'a block of a port that nobody uses', underlay: lan(['udp/4789']), says: 'delivered' },
    {
      name: 'a block between racks',
      cluster: { routed: true },
      underlay: racks(['udp/8472']),
      says: 'dropped tunnel-port-blocked switch rack2',
    },
    {
      name: "a closed port of the peer's own firewall",
      states: { node2: { iptables: '*filter\n-A INPUT -i eth0 -p udp -m udp --dport 8472 -j DROP\nCOMMIT' } },
      says: 'dropped tunnel-port-blocked node2',
    },
    {
      name: 'an INPUT policy DROP',
      states: { node2: { iptables: '*filter\n:INPUT DROP [0:0]\n-I INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT' } },
      says: 'dropped tunnel-port-blocked node2',
    },
    {
      name: 'a closed port on the way out',
      states: { node1: { iptables: '*filter\n-A OUTPUT -p udp -m udp --dport 8472 -j DROP\nCOMMIT' } },
      says: 'dropped tunnel-port-blocked node1',
    },
    {
      name: 'a route that is lost',
      states: { node1: { remove: { routes: '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink' } } },
      says: 'unreachable no-route router router',
    },
    {
      name: 'a route that leads nowhere',
      states: { node1: { routes: 'blackhole 10.244.1.0/24' } },
      says: 'dropped blackhole-route node1',
    },
    {
      name: 'a route that is prohibited',
      states: { node1: { routes: 'prohibit 10.244.1.0/24' } },
      says: 'rejected prohibit-route node1',
    },
    {
      name: 'a tunnel device that is down',
      states: {
        node1: {
          links:
            '5: flannel.1: <BROADCAST,MULTICAST> mtu 1450 state DOWN\n    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n    vxlan id 1 local 192.168.0.11 dev eth0 dstport 8472 nolearning',
        },
      },
      says: 'unreachable no-route router router',
    },
    {
      name: 'another VNI on one side',
      states: {
        node2: {
          links:
            '5: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 state UP\n    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n    vxlan id 2 local 192.168.0.12 dev eth0 dstport 8472 nolearning',
        },
      },
      says: 'dropped tunnel-peer-unknown node2',
    },
    {
      name: 'a strict rp_filter lets pods pass',
      states: { node2: { sysctl: 'net.ipv4.conf.all.rp_filter = 1' } },
      says: 'delivered',
    },
    {
      name: 'a smaller MTU beyond the router answers',
      underlay: edge([]),
      to: '203.0.113.10:443',
      request: { protocol: 'udp', size: 1450 },
      says: 'rejected mtu-exceeded-df router router',
    },
    {
      name: 'the answer filtered on the way',
      underlay: edge(['icmp']),
      to: '203.0.113.10:443',
      request: { protocol: 'udp', size: 1450 },
      says: 'dropped icmp-frag-needed-lost router router',
    },
    {
      name: 'small packets pass there',
      underlay: edge(['icmp']),
      to: '203.0.113.10:443',
      request: { protocol: 'udp', size: 1400 },
      says: 'delivered',
    },
    {
      name: 'hairpin without masquerade comes back as a martian',
      from: 'pod/a',
      to: 'svc/a:80',
      states: {
        node1: {
          mode: 'replace',
          iptables:
            '*nat\n-A PREROUTING -d 10.96.0.0/16 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.0.2:80\nCOMMIT',
        },
      },
      says: 'dropped martian-source node1',
    },
  ])('$name: $says', (given) => {
    expect(fate(given)).toBe(given.says)
  })
})

describe('hairpin mode of one port', () => {
  const { cluster } = clusterOf({ backend: '{ "Type": "vxlan" }', nodes: 2 })
  const [wire] = [...cluster.network().machines.values()].flatMap((m) =>
    m.name === 'node1' ? m.state().links.filter((l) => l.master === 'cni0') : [],
  )

  test('off by NodeState, as `ip -d link` prints the port, stops the pod behind it alone', () => {
    if (!wire) throw new Error('node1 has no port')
    const links = formatLink({ ...wire, port: { hairpin: false, learning: true, flooding: true, isolated: false } }, 9)
    const states = { node1: { links } }
    const says = ['pod/a', 'pod/a2', 'pod/b'].map((from) => fate({ name: '', says: '', states, from, to: 'svc/a:80' }))
    expect(says).toEqual(['dropped bridge-hairpin-off node1', 'delivered', 'delivered'])
  })
})

test('a pod on a node whose flanneld exits has no network to send by, and is told so', () => {
  const { cluster } = clusterOf({ backend: '{ "Type": "vxlann" }', nodes: 2 })
  for (const to of ['pod/b:80', '10.96.0.53:53', 'external:80'])
    expect(trace(cluster, { from: 'pod/a', to, namespace: 'default', seed: 1 })).toEqual({
      problem: expect.stringMatching(/^pod default\/a has no network: no network agent runs on node1/),
    })
  const fromNode = trace(cluster, { from: 'node/node1', to: 'node/node2:10250', namespace: 'default', seed: 1 })
  expect(isEndProblem(fromNode)).toBe(false)
})

test('a node that has lost the way to its own pods is named, and not only the router that gets their packets', () => {
  const given = clusterOf({ backend: '{ "Type": "vxlan" }', nodes: 2 })
  const home = [...given.cluster.network().machines.values()].find((m) => m.name === 'node2')
  const bridge = home?.state().links.find((l) => l.name === 'cni0')
  if (!bridge) throw new Error('node2 has no bridge')
  const state = { apiVersion: 'kubehop.dev/v1alpha1', kind: 'NodeState', metadata: { name: 'node2' } }
  const more = JSON.stringify({ ...state, spec: { links: formatLink({ ...bridge, up: false }, 7) } })
  const { cluster } = clusterOf({ backend: '{ "Type": "vxlan" }', nodes: 2, more })
  const result = trace(cluster, { from: 'pod/a', to: 'pod/b:80', namespace: 'default', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  expect(result.verdict.result).toBe('unreachable')
  expect(result.notes.map((n) => n.message).join()).toMatch(
    /the pods of node2 itself, .* is down, or has lost its address/,
  )
})
