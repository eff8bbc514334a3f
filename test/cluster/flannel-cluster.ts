import { type LoadedScenario, loadText } from '../scenario.ts'

export interface FlannelCluster {
  /** `Backend` of net-conf.json. */
  readonly backend: string
  /** How many; addresses 192.168.N.10+i, and fd00:N::/64 where dual stack is asked for. */
  readonly nodes: number
  /** One segment per node, joined by a router. */
  readonly routed?: boolean
  readonly families?: 'ipv4' | 'ipv6' | 'dual'
  /** `mtu` of the bridge plugin; default what flannel works out. */
  readonly podMtu?: number
  /** More manifests. */
  readonly more?: string
}

/**
 * A cluster as text: `node1`, `node2`, ...; pod `a` and `a2` on node1, `b` on node2, each listening on 80/tcp and 53/udp, and
 * Service `b` before pod `b`, `a` before pod `a`.
 */
export function clusterOf(given: FlannelCluster): LoadedScenario {
  const families = given.families ?? 'ipv4'
  const nodes = Array.from({ length: given.nodes }, (_, i) => nodeText(i + 1, given.routed ?? false, families))
  const text = [
    kubeadm(families),
    netConf(given, families),
    ...nodes,
    ...pods,
    ...services(families),
    given.more ?? '',
  ].join('\n---\n')
  return loadText({ path: 'cluster.yaml', text })
}

const has = { ipv4: ['ipv4'], ipv6: ['ipv6'], dual: ['ipv4', 'ipv6'] } as const

function nodeText(n: number, routed: boolean, families: keyof typeof has): string {
  const lan = routed ? n : 0
  const own = { ipv4: `192.168.${lan}.${10 + n}`, ipv6: `fd00:${lan}::${10 + n}` }
  const cidr = { ipv4: `10.244.${n - 1}.0/24`, ipv6: `fd00:10:244:${n - 1}::/64` }
  return `apiVersion: v1
kind: Node
metadata: { name: node${n} }
spec: { podCIDRs: [${has[families].map((f) => `"${cidr[f]}"`).join(', ')}] }
status: { addresses: [${has[families].map((f) => `{ type: InternalIP, address: "${own[f]}" }`).join(', ')}] }`
}

const kubeadm = (families: keyof typeof has): string => `apiVersion: v1
kind: ConfigMap
metadata: { name: kubeadm-config, namespace: kube-system }
data:
  ClusterConfiguration: |
    apiVersion: kubeadm.k8s.io/v1beta4
    kind: ClusterConfiguration
    networking:
      podSubnet: ${has[families].map((f) => (f === 'ipv4' ? '10.244.0.0/16' : 'fd00:10:244::/56')).join(',')}
      serviceSubnet: ${has[families].map((f) => (f === 'ipv4' ? '10.96.0.0/16' : 'fd00:10:96::/112')).join(',')}`

const netConf = ({ backend, podMtu }: FlannelCluster, families: keyof typeof has): string => `apiVersion: v1
kind: ConfigMap
metadata: { name: kube-flannel-cfg, namespace: kube-flannel }
data:
  cni-conf.json: |
    { "name": "cbr0", "cniVersion": "0.3.1", "plugins": [
      { "type": "flannel", "delegate": { "hairpinMode": true, "isDefaultGateway": true${podMtu === undefined ? '' : `, "mtu": ${podMtu}`} } },
      { "type": "portmap", "capabilities": { "portMappings": true } } ] }
  net-conf.json: |
    { "Network": "10.244.0.0/16"${families === 'ipv4' ? '' : `, "EnableIPv4": ${families === 'dual'}, "EnableIPv6": true, "IPv6Network": "fd00:10:244::/56"`}, "Backend": ${backend} }`

const pod = (name: string, node: string): string => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${name} } }
spec:
  nodeName: ${node}
  containers:
    - { name: c, image: i, ports: [{ containerPort: 80 }, { containerPort: 53, protocol: UDP }] }`

const pods = [pod('a', 'node1'), pod('a2', 'node1'), pod('b', 'node2')]

const services = (families: keyof typeof has): readonly string[] =>
  (['a', 'b'] as const).map(
    (name, i) => `apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  type: NodePort
  ipFamilyPolicy: ${families === 'dual' ? 'RequireDualStack' : 'SingleStack'}
  ipFamilies: [${has[families].map((f) => (f === 'ipv4' ? 'IPv4' : 'IPv6')).join(', ')}]
  selector: { app: ${name} }
  ports: [{ name: http, port: 80, nodePort: ${30080 + i} }, { name: dns, port: 53, protocol: UDP, nodePort: ${30053 + i} }]`,
  )
