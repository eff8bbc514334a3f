import type { Dice } from './dice.ts'
import { dice } from './dice.ts'

/** A manifest: any JSON value that reads as a Kubernetes object. */
export type Manifest = Readonly<Record<string, unknown>>

/** A small cluster, as objects that may be taken away one by one. Nodes come first. */
export function randomCluster(seed: number): readonly Manifest[] {
  const random = dice(seed)
  const nodes = Array.from({ length: random.between(1, 4) }, (_, i) => `node-${'abcd'[i]}`)
  const apps = ['web', 'db', 'idle'].slice(0, random.between(1, 3))
  const pods = Array.from({ length: random.between(2, 7) }, (_, i) => pod(i, random, nodes, apps))
  const twoSegments = nodes.length > 1 && random.chance(0.3)
  const dual = random.chance(0.25)
  return [
    ...nodes.map((name, i) => node(name, addressesOf(i, twoSegments && i % 2 === 1, dual))),
    flannel(random, twoSegments, dual),
    ...(random.chance(0.3) ? [kubeProxy('nftables')] : []),
    ...(random.chance(0.2) ? [underlay(random, twoSegments, dual)] : []),
    ...pods,
    ...Array.from({ length: random.between(1, 5) }, (_, i) => service(i, random, [...apps, 'nobody'], dual)),
    ...nodes.flatMap((name, i) => nodeStates(name, i, random, nodes.length)),
  ]
}

const addressesOf = (i: number, second: boolean, dual: boolean): readonly string[] => [
  second ? `192.168.60.${11 + i}` : `192.168.50.${11 + i}`,
  ...(dual ? [second ? `fd00:60::${11 + i}` : `fd00:50::${11 + i}`] : []),
]

/** A narrower wire than usual. */
function underlay(random: Dice, two: boolean, dual: boolean): Manifest {
  const mtu = random.pick([1400, 9000])
  const segment = (n: number) => ({
    name: `lan${n}`,
    cidrs: [`192.168.${n}0.0/24`, ...(dual ? [`fd00:${n}0::/64`] : [])],
    mtu,
  })
  const segments = [segment(5), ...(two ? [segment(6)] : [])]
  return { apiVersion: 'kubehop.dev/v1alpha1', kind: 'Underlay', metadata: { name: 'underlay' }, spec: { segments } }
}

const node = (name: string, addresses: readonly string[]): Manifest => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
})

function flannel(random: Dice, routed: boolean, dual: boolean): Manifest {
  const ipv6 = dual ? { EnableIPv6: true, IPv6Network: 'fd00:10:244::/48' } : {}
  const backend = random.pick([
    { Type: 'vxlan' },
    { Type: 'vxlan' },
    { Type: 'vxlan', DirectRouting: true },
    ...(routed ? [] : [{ Type: 'host-gw' }]),
    ...(dual ? [] : [{ Type: 'udp' }]),
  ])
  const nftables = random.chance(0.2) ? { EnableNFTables: true } : {}
  const delegate = {
    hairpinMode: random.chance(0.7),
    isDefaultGateway: true,
    ...(random.chance(0.2) ? { mtu: 1400 } : {}),
  }
  const plugins = [
    { type: 'flannel', delegate },
    { type: 'portmap', capabilities: { portMappings: true } },
  ]
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kube-flannel-cfg', namespace: 'kube-flannel' },
    data: {
      'cni-conf.json': JSON.stringify({ name: 'cbr0', cniVersion: '0.3.1', plugins }),
      'net-conf.json': JSON.stringify({ Network: '10.244.0.0/16', ...ipv6, ...nftables, Backend: backend }),
    },
  }
}

const kubeProxy = (mode: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'kube-proxy', namespace: 'kube-system' },
  data: {
    'config.conf': JSON.stringify({
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      mode,
    }),
  },
})

function pod(i: number, random: Dice, nodes: readonly string[], apps: readonly string[]): Manifest {
  const app = random.pick(apps)
  const hostNetwork = random.chance(0.08)
  const ports = (['TCP', 'UDP'] as const).map((protocol) => ({
    name: `http-${protocol.toLowerCase()}`,
    containerPort: 8080,
    protocol,
    ...(!hostNetwork && i < 2 && random.chance(0.3) ? { hostPort: 8081 + i } : {}),
  }))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${app}-${i}`, namespace: 'default', labels: { app } },
    spec: {
      nodeName: hostNetwork ? nodes[i % nodes.length] : random.pick(nodes),
      ...(hostNetwork ? { hostNetwork: true } : {}),
      containers: [{ name: app, image: 'example.com/app:1', ports }],
    },
  }
}

function service(i: number, random: Dice, apps: readonly string[], dual: boolean): Manifest {
  const type = random.pick(['ClusterIP', 'ClusterIP', 'NodePort', 'NodePort', 'LoadBalancer'])
  const app = random.pick(apps)
  const outside = type !== 'ClusterIP'
  const ports = (['TCP', 'UDP'] as const).map((protocol, p) => ({
    name: `p-${protocol.toLowerCase()}`,
    protocol,
    port: 80,
    targetPort: 8080,
    ...(outside ? { nodePort: 30_080 + i * 2 + p } : {}),
  }))
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `svc-${i}`, namespace: 'default' },
    spec: {
      type,
      ...(dual
        ? { ipFamilyPolicy: 'PreferDualStack', clusterIPs: [`10.96.0.${100 + i}`, `fd00:10:96::${100 + i}`] }
        : {}),
      clusterIP: `10.96.0.${100 + i}`,
      selector: { app },
      ports,
      ...(random.chance(0.2) ? { sessionAffinity: 'ClientIP' } : {}),
      ...(random.chance(0.2) ? { internalTrafficPolicy: 'Local' } : {}),
      ...(outside && random.chance(0.3) ? { externalTrafficPolicy: 'Local' } : {}),
      ...(random.chance(0.2) ? { externalIPs: [`198.18.0.${10 + i}`] } : {}),
      ...(type === 'LoadBalancer' && random.chance(0.3) ? { loadBalancerSourceRanges: ['203.0.113.0/28'] } : {}),
    },
    ...(type === 'LoadBalancer' ? { status: { loadBalancer: { ingress: [{ ip: `198.18.1.${10 + i}` }] } } } : {}),
  }
}

/** What may be odd about one node: each a document of its own, so that it can be left out. */
function nodeStates(name: string, i: number, random: Dice, nodes: number): readonly Manifest[] {
  const other = (i + 1) % Math.max(1, nodes)
  const odd: (readonly [number, Manifest])[] = [
    [0.4, { sysctl: 'net.bridge.bridge-nf-call-iptables = 0\n' }],
    [0.06, { sysctl: 'net.ipv4.ip_forward = 0\n' }],
    [0.12, { sysctl: `net.ipv4.conf.all.rp_filter = ${random.between(1, 2)}\n` }],
    [0.1, { sysctl: 'net.ipv4.conf.all.route_localnet = 0\n' }],
    [0.1, { sysctl: 'net.ipv4.conf.all.send_redirects = 0\n' }],
    [0.15, { iptables: '*filter\n:FORWARD DROP [0:0]\nCOMMIT\n' }],
    [0.1, { iptables: `*filter\n:FORWARD ACCEPT [0:0]\n${extraRule(random, 'FORWARD')}\nCOMMIT\n` }],
    [0.1, { iptables: `*filter\n:INPUT ACCEPT [0:0]\n${extraRule(random, 'INPUT')}\nCOMMIT\n` }],
    [
      0.12,
      { routes: `${random.pick(['blackhole', 'unreachable', 'prohibit'])} 10.244.${other}.${random.between(2, 4)}\n` },
    ],
    [
      0.08,
      { routes: `${random.pick(['blackhole', 'unreachable', 'prohibit'])} 10.96.0.${100 + random.between(0, 3)}\n` },
    ],
    [0.05, { mode: 'replace', neighbours: '' }],
    [0.05, { mode: 'replace', fdb: '' }],
  ]
  return odd.flatMap(([probability, spec], n) =>
    random.chance(probability)
      ? [
          {
            apiVersion: 'kubehop.dev/v1alpha1',
            kind: 'NodeState',
            metadata: { name: `${name}-${n}` },
            spec: { node: name, ...spec },
          },
        ]
      : [],
  )
}

function extraRule(random: Dice, chain: string): string {
  const what = random.pick(['-p udp -m udp --dport 8080', '-p tcp -m tcp --dport 8080', '-p icmp', '-d 10.244.0.0/24'])
  const target = random.pick([
    'DROP',
    'REJECT --reject-with icmp-port-unreachable',
    'REJECT --reject-with icmp-admin-prohibited',
    'ACCEPT',
  ])
  return `-A ${chain} ${what} -j ${target}`
}
