import type { Manifest } from '../../src/lab/random-cluster.ts'

export interface SmallClusterOptions {
  readonly hairpin?: boolean
  readonly podMtu?: number
  readonly backend?: Readonly<Record<string, unknown>>
  /** The second node is behind a router, and there is a third beside the first. */
  readonly routed?: boolean
  readonly dual?: boolean
  /** More of net-conf.json. */
  readonly conf?: Readonly<Record<string, unknown>>
}

/** Two nodes; `client` and `near` on the first, `far` on the second; a Service of each kind that the probes need. */
export function smallCluster(options: SmallClusterOptions = {}): readonly Manifest[] {
  const { hairpin = true, podMtu, backend = { Type: 'vxlan' }, routed = false, dual = false, conf = {} } = options
  const ipv6 = dual ? { EnableIPv6: true, IPv6Network: 'fd00:10:244::/48' } : {}
  const delegate = { hairpinMode: hairpin, isDefaultGateway: true, ...(podMtu === undefined ? {} : { mtu: podMtu }) }
  return [
    node('node-a', ['192.168.50.11', ...(dual ? ['fd00:50::11'] : [])]),
    node('node-b', [
      ...(routed ? ['192.168.60.12'] : ['192.168.50.12']),
      ...(dual ? [`fd00:${routed ? 6 : 5}0::12`] : []),
    ]),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kube-flannel-cfg', namespace: 'kube-flannel' },
      data: {
        'cni-conf.json': JSON.stringify({
          name: 'cbr0',
          cniVersion: '0.3.1',
          plugins: [
            { type: 'flannel', delegate },
            { type: 'portmap', capabilities: { portMappings: true } },
          ],
        }),
        'net-conf.json': JSON.stringify({ Network: '10.244.0.0/16', ...ipv6, ...conf, Backend: backend }),
      },
    },
    pod('client', 'node-a'),
    pod('near', 'node-a'),
    pod('far', 'node-b', 8081),
    ...(routed ? [node('node-c', ['192.168.50.13', ...(dual ? ['fd00:50::13'] : [])]), pod('beside', 'node-c')] : []),
    service('near', 10, 'near', dual),
    service('far', 11, 'far', dual),
    service('self', 12, 'client', dual),
    service('nobody', 13, 'nobody', dual),
  ]
}

const node = (name: string, addresses: readonly string[]): Manifest => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
})

const protocols = ['TCP', 'UDP'] as const

const pod = (name: string, nodeName: string, hostPort?: number): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: name } },
  spec: {
    nodeName,
    containers: [
      {
        name: 'server',
        image: 'example.com/server:1',
        ports: protocols.map((protocol) => ({
          name: protocol.toLowerCase(),
          containerPort: 8080,
          protocol,
          ...(hostPort === undefined ? {} : { hostPort }),
        })),
      },
    ],
  },
})

const service = (name: string, n: number, app: string, dual: boolean): Manifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: {
    type: 'NodePort',
    clusterIP: `10.96.0.${n}`,
    ...(dual ? { ipFamilyPolicy: 'PreferDualStack', clusterIPs: [`10.96.0.${n}`, `fd00:10:96::${n}`] } : {}),
    selector: { app },
    ports: protocols.map((protocol, i) => ({
      name: protocol.toLowerCase(),
      protocol,
      port: 80,
      targetPort: 8080,
      nodePort: 30_000 + n * 10 + i,
    })),
  },
})

/** What is odd about one node, in native text. */
export const nodeState = (node: string, spec: Readonly<Record<string, unknown>>): Manifest => ({
  apiVersion: 'kubehop.dev/v1alpha1',
  kind: 'NodeState',
  metadata: { name: `${node}-${Object.keys(spec).join('-')}` },
  spec: { node, ...spec },
})
