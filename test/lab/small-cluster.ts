import type { Manifest } from '../../src/lab/random-cluster.ts'

/** Two nodes; `client` and `near` on the first, `far` on the second; a Service of each kind that the probes need. */
export function smallCluster(
  options: { readonly hairpin?: boolean; readonly podMtu?: number } = {},
): readonly Manifest[] {
  const { hairpin = true, podMtu } = options
  const delegate = { hairpinMode: hairpin, isDefaultGateway: true, ...(podMtu === undefined ? {} : { mtu: podMtu }) }
  return [
    node('node-a', '192.168.50.11'),
    node('node-b', '192.168.50.12'),
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kube-flannel-cfg', namespace: 'kube-flannel' },
      data: {
        'cni-conf.json': JSON.stringify({
          name: 'cbr0',
          cniVersion: '0.3.1',
          plugins: [{ type: 'flannel', delegate }],
        }),
        'net-conf.json': JSON.stringify({ Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } }),
      },
    },
    pod('client', 'node-a'),
    pod('near', 'node-a'),
    pod('far', 'node-b'),
    service('near', 10, 'near'),
    service('far', 11, 'far'),
    service('self', 12, 'client'),
    service('nobody', 13, 'nobody'),
  ]
}

const node = (name: string, address: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: { addresses: [{ type: 'InternalIP', address }] },
})

const protocols = ['TCP', 'UDP'] as const

const pod = (name: string, nodeName: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: name } },
  spec: {
    nodeName,
    containers: [
      {
        name: 'server',
        image: 'example.com/server:1',
        ports: protocols.map((protocol) => ({ name: protocol.toLowerCase(), containerPort: 8080, protocol })),
      },
    ],
  },
})

const service = (name: string, n: number, app: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: {
    type: 'NodePort',
    clusterIP: `10.96.0.${n}`,
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
