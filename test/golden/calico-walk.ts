import { expect } from 'vitest'
import { formatConntrack } from '../../src/artefact/conntrack-text.ts'
import { formatRule } from '../../src/artefact/iptables/print.ts'
import type { Cluster } from '../../src/cluster/cluster.ts'
import { type Visit, World } from '../../src/cluster/loop.ts'
import { nodeNetns, podNetns } from '../../src/cluster/machine.ts'
import { readCounters } from '../../src/linux/netfilter/counters.ts'
import { listConntrack } from '../../src/linux/netns.ts'
import { ip } from '../../src/net/ip.ts'
import { frameLength } from '../../src/packet/length.ts'
import { type Frame, type IpPacket, tcpFlag } from '../../src/packet/packet.ts'
import { loadText } from '../scenario.ts'
import type { CalicoGolden } from './calico-rule-kinds.ts'

type Fields = Readonly<Record<string, unknown>>

interface ExpectedPacket {
  readonly node: string
  readonly device: string
  readonly frameLength?: number
  readonly srcMac?: string
  readonly dstMac?: string
  readonly packet: { readonly src: string; readonly dst: string; readonly dstPort: number; readonly ttl: number }
  readonly outer?: {
    readonly src: string
    readonly dst: string
    readonly ttl: number
    readonly proto: string
    readonly vni?: number
    readonly udpDstPort?: number
    readonly innerSrcMac?: string
    readonly innerDstMac?: string
  }
}

interface Expected {
  readonly result: string
  readonly firstPacket: readonly ExpectedPacket[]
  readonly conntrack?: Readonly<Record<string, readonly string[]>>
  readonly rulesHit?: Readonly<Record<string, readonly string[]>>
}

const modes: Readonly<Record<string, readonly [ipip: string, vxlan: string]>> = {
  'No encapsulation': ['Never', 'Never'],
  'IPIP Always': ['Always', 'Never'],
  'IPIP CrossSubnet': ['CrossSubnet', 'Never'],
  'VXLAN Always': ['Never', 'Always'],
  'VXLAN CrossSubnet': ['Never', 'CrossSubnet'],
}

const nodes = [
  ['node-a', '10.0.0.11', '10.244.10.64', 'client', 0],
  ['node-b', '10.0.0.12', '10.244.20.128', 'web', 8080],
  ['node-c', '10.0.1.13', '10.244.30.192', 'db', 5432],
] as const

/** One router between all; without encapsulation it has to know the blocks. */
function underlay(knowsBlocks: boolean): string {
  const routes = nodes.map(([, via, block]) => `{ to: ${block}/26, via: ${via} }`).join(', ')
  const segments = [
    '{ name: lan0, cidr: 10.0.0.0/24 }',
    '{ name: lan1, cidr: 10.0.1.0/24 }',
    '{ name: outside, cidr: 203.0.113.0/24 }',
  ].join(', ')
  const addresses = '{ lan0: 10.0.0.1, lan1: 10.0.1.1, outside: 203.0.113.1 }'
  const router = `{ name: r, addresses: ${addresses}${knowsBlocks ? `, routes: [${routes}]` : ''} }`
  const host = '{ name: server, segment: outside, address: 203.0.113.9, listens: ["tcp/7000"] }'
  return `{ apiVersion: kubehop.dev/v1alpha1, kind: Underlay, metadata: { name: lab }, spec: { segments: [${segments}], routers: [${router}], hosts: [${host}] } }`
}

/** The cluster of routes-three-nodes, with the policy and the Service of the walks. */
function manifests(version: string, ipip: string, vxlan: string): string {
  const parts = nodes.flatMap(([name, address, block, pod, port]) => {
    const key = ipip === 'Never' ? 'IPv4VXLANTunnelAddr' : 'IPv4IPIPTunnelAddr'
    const tunnel = ipip === vxlan ? '' : `, annotations: { projectcalico.org/${key}: ${block} }`
    const podIp = block.replace(/\d+$/, (n) => String(Number(n) + 1))
    const ports = port === 0 ? '' : `, ports: [{ containerPort: ${port} }]`
    return [
      `{ apiVersion: v1, kind: Node, metadata: { name: ${name}${tunnel} }, status: { addresses: [{ type: InternalIP, address: ${address} }] } }`,
      `{ apiVersion: crd.projectcalico.org/v1, kind: BlockAffinity, metadata: { name: ${name} }, spec: { cidr: ${block}/26, node: ${name}, state: confirmed } }`,
      `{ apiVersion: v1, kind: Pod, metadata: { name: ${pod}, namespace: default, labels: { app: ${pod} } }, spec: { nodeName: ${name}, containers: [{ name: c${ports} }] }, status: { podIP: ${podIp}, podIPs: [{ ip: ${podIp} }] } }`,
    ]
  })
  return [
    ...parts,
    `{ apiVersion: apps/v1, kind: DaemonSet, metadata: { name: calico-node, namespace: kube-system }, spec: { selector: { matchLabels: { a: b } }, template: { metadata: { labels: { a: b } }, spec: { hostNetwork: true, containers: [{ name: calico-node, image: "calico/node:v${version}", env: [{ name: FELIX_DEFAULTENDPOINTTOHOSTACTION, value: ACCEPT }] }] } } } }`,
    `{ apiVersion: projectcalico.org/v3, kind: IPPool, metadata: { name: pool }, spec: { cidr: 10.244.0.0/16, blockSize: 26, natOutgoing: true, ipipMode: ${ipip}, vxlanMode: ${vxlan} } }`,
    '{ apiVersion: projectcalico.org/v3, kind: BGPConfiguration, metadata: { name: default }, spec: { serviceClusterIPs: [{ cidr: 10.96.0.0/12 }] } }',
    '{ apiVersion: v1, kind: Service, metadata: { name: web, namespace: default }, spec: { selector: { app: web }, clusterIP: 10.96.0.50, ports: [{ port: 80, targetPort: 8080 }] } }',
    '{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: allow-client, namespace: default }, spec: { podSelector: { matchLabels: { app: web } }, policyTypes: [Ingress], ingress: [{ from: [{ podSelector: { matchLabels: { app: client } } }], ports: [{ protocol: TCP, port: 8080 }] }] } }',
    underlay(ipip === vxlan),
  ].join('\n---\n')
}

const clusters = new Map<string, Cluster>()

function clusterFor(golden: CalicoGolden): Cluster {
  const known = clusters.get(golden.name)
  if (known) return known
  const [version = ''] = (golden as unknown as { upstream: { versions: string[] } }).upstream.versions
  const [ipip, vxlan] = modes[String(golden.given.mode)] ?? ['Never', 'Never']
  const { cluster } = loadText({ path: 'walk.yaml', text: manifests(version, ipip, vxlan) })
  clusters.set(golden.name, cluster)
  return cluster
}

export function walk(golden: CalicoGolden, c: Fields): void {
  const [, address = '', port = ''] = /^TCP ([\d.]+):(\d+)/.exec(String(c.to)) ?? []
  const expected = c.expected as Expected
  const world = new World(clusterFor(golden).network(), {
    chance: { probably: () => false, pick: () => 0, noise: () => 0 },
    completeHandshake: true,
  })
  const from = String(c.from)
  const [namespace = '', pod = ''] = from.split('/')
  const netns = from.includes('/') ? podNetns(namespace, pod) : nodeNetns(from)
  const visits = world.send(netns, {
    ...{ src: undefined, dst: ip(address), ttl: 64, tos: 0, df: true, owner: 'client' },
    payload: {
      kind: 'tcp',
      srcPort: 45678,
      dstPort: Number(port),
      flags: tcpFlag.syn,
      seq: 0,
      ack: 0,
      options: 20,
      data: 0,
    },
  })
  checkResult(expected.result, visits)
  for (const packet of expected.firstPacket) checkPacket(packet, visits)
  for (const [node, lines] of Object.entries(expected.conntrack ?? {})) checkConntrack(world, node, lines)
  if (expected.result.startsWith('delivered')) {
    for (const [node, lines] of Object.entries(expected.rulesHit ?? {})) checkRules(world, node, lines)
  }
}

function checkResult(result: string, visits: readonly Visit[]): void {
  const answers = visits.flatMap((v) =>
    v.outputs.flatMap((o) => (o.kind === 'deliver' && o.owner === 'client' ? [o.packet] : [])),
  )
  const flags = answers.flatMap(({ payload }) => (payload.kind === 'tcp' ? [payload.flags] : []))
  if (result === 'delivered') expect(flags[0]).toBe(tcpFlag.syn | tcpFlag.ack)
  else if (result.startsWith('refused')) {
    const errors = visits.flatMap((v) => v.outputs.flatMap((o) => (o.kind === 'error' ? [o.errno] : [])))
    expect(((flags[0] ?? 0) & tcpFlag.rst) !== 0 || errors.includes('ECONNREFUSED')).toBe(true)
  } else {
    const [, node, by] = /^dropped on (\S+) by (?:the )?(\S+)/.exec(result) ?? []
    const drops = visits.flatMap((v) => v.events.flatMap((e) => (e.kind === 'drop' ? [{ v, e }] : [])))
    const found = drops.map(
      ({ v, e }) => `${v.netns} ${e.reason === 'blackhole-route' ? 'blackhole' : (e.chain ?? e.reason)}`,
    )
    expect(
      found.some((text) => text.startsWith(`${node} ${by}`)),
      `${result}: ${found.join(', ')}`,
    ).toBe(true)
  }
}

interface Seen {
  readonly frame: Frame | undefined
  readonly packet: IpPacket
  readonly outer: IpPacket | undefined
}

function seenOn(node: string, device: string, visits: readonly Visit[]): readonly Seen[] {
  return visits
    .filter((v) => v.netns === node)
    .flatMap((v): Seen[] => {
      const received = v.input.kind === 'receive' && v.input.device === device ? [v.input.frame] : []
      const sent = v.outputs.flatMap((o) => (o.kind === 'transmit' && o.device === device ? [o.frame] : []))
      const tunnelled = v.events.flatMap((e): Seen[] =>
        (e.kind === 'encapsulate' || e.kind === 'decapsulate') && e.device === device
          ? [{ frame: undefined, packet: e.inner, outer: undefined }]
          : [],
      )
      return [...[...received, ...sent].flatMap(unpacked), ...tunnelled]
    })
}

function unpacked(frame: Frame): readonly Seen[] {
  if (frame.payload.kind === 'arp') return []
  const { packet } = frame.payload
  const { payload } = packet
  if (payload.kind === 'ipip') return [{ frame, packet: payload.inner, outer: packet }]
  if (payload.kind === 'udp' && payload.vxlan) {
    const { inner } = payload.vxlan
    return inner.payload.kind === 'arp' ? [] : [{ frame, packet: inner.payload.packet, outer: packet }]
  }
  return [{ frame, packet, outer: undefined }]
}

function checkPacket(want: ExpectedPacket, visits: readonly Visit[]): void {
  const seen = seenOn(want.node, want.device, visits)
  const what = `${want.node} ${want.device}`
  const found = seen.find(
    ({ packet: p }) =>
      p.src === want.packet.src &&
      p.dst === want.packet.dst &&
      'dstPort' in p.payload &&
      p.payload.dstPort === want.packet.dstPort &&
      p.ttl === want.packet.ttl,
  )
  expect(found, `${what}: ${seen.map(({ packet: p }) => `${p.src}>${p.dst} ttl ${p.ttl}`).join(', ')}`).toBeDefined()
  if (!found?.frame) return
  if (want.frameLength !== undefined) expect(frameLength(found.frame), what).toBe(want.frameLength)
  if (want.dstMac !== undefined) expect(found.frame.dst, what).toBe(want.dstMac)
  if (want.srcMac !== undefined) expect(found.frame.src, what).toBe(want.srcMac)
  if (want.outer === undefined) {
    expect(found.outer, what).toBeUndefined()
    return
  }
  expect({ src: found.outer?.src, dst: found.outer?.dst, ttl: found.outer?.ttl }, what).toEqual({
    ...{ src: want.outer.src, dst: want.outer.dst, ttl: want.outer.ttl },
  })
  const { payload } = found.outer ?? {}
  if (payload?.kind !== 'udp' || !payload.vxlan || want.outer.vni === undefined) return
  expect([payload.vxlan.vni, payload.dstPort], what).toEqual([want.outer.vni, want.outer.udpDstPort])
  expect([payload.vxlan.inner.src, payload.vxlan.inner.dst], what).toEqual([
    want.outer.innerSrcMac,
    want.outer.innerDstMac,
  ])
}

/** The connection itself: states and timeouts are another matter, and so are the ports that a kernel draws. */
function checkConntrack(world: World, node: string, lines: readonly string[]): void {
  const netns = world.netns(nodeNetns(node))
  const tuples = (text: string): string =>
    (text.match(/(?:src|dst|sport|dport)=\S+/g) ?? [])
      .join(' ')
      .replace(/(s|d)port=(?!(?:80|8080|5432|7000)(?: |$))\S+/g, '$1port=*')
  const found = (netns ? listConntrack(netns) : []).map(formatConntrack).map(tuples)
  for (const line of lines.filter((l) => l.startsWith('tcp'))) expect(found, node).toContain(tuples(line))
}

/** Chains that anything from and to the node passes as well, in the lab. */
const noisy = /^-A (?:INPUT|OUTPUT|cali-INPUT|cali-OUTPUT|cali-wl-to-host) /

function checkRules(world: World, node: string, lines: readonly string[]): void {
  const netns = world.netns(nodeNetns(node))
  if (!netns) throw new Error(`no ${node}`)
  const rules = new Map(
    netns.state.iptables.ipv4.tables.flatMap((t) =>
      t.chains.flatMap((chain) =>
        chain.rules.map((r, i) => [`${t.name} ${chain.name} ${i + 1}`, formatRule(r, chain.name)] as const),
      ),
    ),
  )
  const plain = (text: string): string =>
    text
      .replace(/ -m comment --comment "?cali:\S+?"?(?= |$)/, '')
      .replace(/\s+/g, ' ')
      .trim()
  const ours = readCounters(netns.netfilter, 'ipv4').map((c) =>
    plain(rules.get(`${c.table} ${c.chain} ${c.index}`) ?? ''),
  )
  const calico = (list: readonly string[]): readonly string[] =>
    [...new Set(list.map(plain).filter((l) => l.includes('cali-') && !noisy.test(l)))].sort()
  expect(calico(ours), node).toEqual(calico(lines))
}
