/** A dual-stack cluster of three nodes in two zones, with Services of every kind. Pods keep fixed addresses. */
const node = (name: string, n: number, zone: string, labels = ''): string => `
apiVersion: v1
kind: Node
metadata: { name: ${name}, labels: { topology.kubernetes.io/zone: ${zone}${labels} } }
spec: { podCIDR: 10.244.${n}.0/24, podCIDRs: [10.244.${n}.0/24, "fd00:10:244:${n}::/64"] }
status: { addresses: [{ type: InternalIP, address: 192.168.50.1${n} }, { type: InternalIP, address: "fd00:192:168:50::1${n}" }] }
---`

const pod = (name: string, nodeNumber: number, n: number, app: string, more = '', ports = ''): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${app}, tier: ${app === 'web' || app === 'zoned' ? 'http' : 'other'} } }
spec:
  nodeName: node-${'abc'[nodeNumber]}
  containers: [{ name: c, image: c, ports: [${ports}] }]${more}
status:
  phase: Running
  podIPs: [{ ip: 10.244.${nodeNumber}.${n} }, { ip: "fd00:10:244:${nodeNumber}::${n}" }]
  conditions: [{ type: Ready, status: "${app === 'sick' ? 'False' : 'True'}" }]
---`

const service = (name: string, n: number, spec: string, more = ''): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: shop }
spec:
  ipFamilyPolicy: RequireDualStack
  ipFamilies: [IPv4, IPv6]
  clusterIP: 10.96.1.${n}
  clusterIPs: [10.96.1.${n}, "fd00:10:96::1:${n}"]
  ${spec}${more}
---`

const ingress = (n: number, ipMode = 'VIP'): string => `
status: { loadBalancer: { ingress: [{ ip: 198.51.100.${n}, ipMode: ${ipMode} }, { ip: "2001:db8:198:51::${n}", ipMode: ${ipMode} }] } }`

/** Endpoints by hand, in both families: `[node letter, host part, port, conditions and hints]`. */
const slices = (name: string, ends: readonly (readonly [string, number, string])[], port: number): string =>
  (['IPv4', 'IPv6'] as const)
    .map(
      (family) => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-${family.toLowerCase()}, namespace: shop, labels: { kubernetes.io/service-name: ${name} } }
addressType: ${family}
ports: [{ name: "", port: ${port}, protocol: TCP }]
endpoints:
${ends
  .map(([letter, n, more]) => {
    const nodeNumber = 'abc'.indexOf(letter)
    const address = family === 'IPv4' ? `10.244.${nodeNumber}.${n}` : `"fd00:10:244:${nodeNumber}::${n}"`
    return `  - { addresses: [${address}], nodeName: node-${letter}, ${more} }`
  })
  .join('\n')}
---`,
    )
    .join('')

const http = '{ name: http, containerPort: 8080 }, { name: metrics, containerPort: 9100 }'
const dns = [1, 2, 3].map((_, i) => `{ name: dns-${i}, containerPort: 5353, protocol: ${['TCP', 'UDP', 'SCTP'][i]} }`)
const web = 'selector: { app: web }'
const onlyB = 'selector: { app: only-b }'
const port = (nodePort?: number): string =>
  `\n  ports: [{ port: 80, targetPort: http${nodePort === undefined ? '' : `, nodePort: ${nodePort}`} }]`
const local = '\n  externalTrafficPolicy: Local'

export const serviceCluster = [
  node('node-a', 0, 'zone-1'),
  node('node-b', 1, 'zone-1'),
  node('node-c', 2, 'zone-2', ', node.kubernetes.io/exclude-from-external-load-balancers: ""'),
  `
apiVersion: v1
kind: ConfigMap
metadata: { name: kube-flannel-cfg, namespace: kube-flannel }
data:
  cni-conf.json: '{ "name": "cbr0", "cniVersion": "0.3.1", "plugins": [{ "type": "flannel", "delegate": { "hairpinMode": true, "isDefaultGateway": true } }, { "type": "portmap", "capabilities": { "portMappings": true } }] }'
  net-conf.json: '{ "Network": "10.244.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:10:244::/56", "Backend": { "Type": "vxlan" } }'
---
apiVersion: v1
kind: ConfigMap
metadata: { name: kubeadm-config, namespace: kube-system }
data:
  ClusterConfiguration: |
    kind: ClusterConfiguration
    networking: { podSubnet: "10.244.0.0/16,fd00:10:244::/56", serviceSubnet: "10.96.0.0/16,fd00:10:96::/108" }
---
apiVersion: kubehop.dev/v1alpha1
kind: Underlay
metadata: { name: underlay }
spec:
  routers:
    - name: router
      routes: [{ to: 192.0.2.10/32, via: 192.168.50.10 }, { to: "2001:db8:2::10/128", via: "fd00:192:168:50::10" }]
---
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---`,
  pod('client', 0, 100, 'client'),
  pod('client-b', 1, 100, 'client'),
  pod('web-a', 0, 10, 'web', '', http),
  pod('web-b', 1, 10, 'web', '', http.replace('8080', '9090')),
  pod('only-b', 1, 11, 'only-b', '', http),
  pod('dns-b', 1, 12, 'dns', '', dns.join(', ')),
  pod('sick-b', 1, 13, 'sick', '', http),
  pod('zone-c', 2, 10, 'zoned', '', http),
  pod(
    'ported',
    1,
    14,
    'ported',
    '',
    '{ containerPort: 8080, hostPort: 30080 }, { containerPort: 8081, hostPort: 8999 }',
  ),
  `
apiVersion: v1
kind: Pod
metadata: { name: host-c, namespace: shop, labels: { app: host } }
spec: { nodeName: node-c, hostNetwork: true, containers: [{ name: c, image: c, ports: [{ name: http, containerPort: 8088 }] }] }
---`,
  service(
    'web',
    1,
    web,
    '\n  ports: [{ name: http, port: 80, targetPort: http }, { name: metrics, port: 9100, targetPort: 9100 }]',
  ),
  service('np', 2, web, `\n  type: NodePort${port(30080)}`),
  service('np-local', 3, onlyB, `\n  type: NodePort${port(30081)}${local}`),
  service('lb', 4, web, `\n  type: LoadBalancer${port(30082)}${ingress(10)}`),
  service(
    'lb-local',
    5,
    onlyB,
    `\n  type: LoadBalancer${port(30083)}${local}\n  healthCheckNodePort: 31083${ingress(11)}`,
  ),
  service(
    'lb-closed',
    6,
    web,
    `\n  type: LoadBalancer${port(30084)}\n  loadBalancerSourceRanges: [198.18.0.0/15, "2001:db8:99::/48"]${ingress(12)}`,
  ),
  service(
    'lb-open',
    7,
    web,
    `\n  type: LoadBalancer${port(30085)}\n  loadBalancerSourceRanges: [203.0.113.0/24, "2001:db8:ffff::/48"]${ingress(13)}`,
  ),
  service('lb-proxy', 8, web, `\n  type: LoadBalancer${port(30086)}${ingress(14, 'Proxy')}`),
  service('ext', 9, web, `${port()}\n  externalIPs: [192.0.2.10, "2001:db8:2::10"]`),
  service('itp-local', 10, onlyB, `${port()}\n  internalTrafficPolicy: Local`),
  service(
    'dns',
    11,
    'selector: { app: dns }',
    `\n  type: NodePort\n  ports: [${['TCP', 'UDP', 'SCTP'].map((p) => `{ name: ${p.toLowerCase()}, port: 53, targetPort: 5353, protocol: ${p}, nodePort: 30053 }`).join(', ')}]`,
  ),
  service('sick', 12, 'selector: { app: sick }', port()),
  service('sick-published', 13, 'selector: { app: sick }', `${port()}\n  publishNotReadyAddresses: true`),
  service('manual', 14, 'ports: [{ port: 80, targetPort: 8080 }]'),
  slices('manual', [['a', 10, 'conditions: { ready: true }']], 8080),
  service('leaving', 15, 'ports: [{ port: 80, targetPort: 8080 }]'),
  slices(
    'leaving',
    [
      ['a', 10, 'conditions: { ready: false, serving: true, terminating: true }'],
      ['b', 11, 'conditions: { ready: false, serving: false, terminating: true }'],
    ],
    8080,
  ),
  service('zoned', 16, 'ports: [{ port: 80, targetPort: 8080 }]'),
  slices(
    'zoned',
    [
      ['a', 10, 'hints: { forZones: [{ name: zone-1 }] }'],
      ['c', 10, 'hints: { forZones: [{ name: zone-2 }] }'],
    ],
    8080,
  ),
  service('host', 17, 'selector: { app: host }', `\n  type: NodePort${port(30087)}`),
  service(
    'sticky',
    18,
    web,
    `\n  type: NodePort${port(30088)}\n  sessionAffinity: ClientIP\n  sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } }`,
  ),
  service('close', 21, 'selector: { tier: http }', `${port()}\n  trafficDistribution: PreferClose`),
  service(
    'no-node-port',
    22,
    onlyB,
    `\n  type: LoadBalancer\n  allocateLoadBalancerNodePorts: false${port()}${ingress(15)}`,
  ),
  service('wrong-port', 19, web, '\n  ports: [{ port: 80, targetPort: nonsense }]'),
  `
apiVersion: v1
kind: Service
metadata: { name: old, namespace: shop }
spec: { clusterIP: 10.96.1.20, ports: [{ port: 80, targetPort: 8080 }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: old, namespace: shop }
subsets: [{ addresses: [{ ip: 10.244.1.11, nodeName: node-b }], ports: [{ port: 8080 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: headless, namespace: shop }
spec: { clusterIP: None, ipFamilyPolicy: RequireDualStack, selector: { app: only-b }, ports: [{ port: 80, targetPort: http }] }
---
apiVersion: v1
kind: Service
metadata: { name: alias, namespace: shop }
spec: { type: ExternalName, externalName: web.shop.svc.cluster.local }
`,
].join('')

/** The ConfigMap of kube-proxy for a mode. */
export const kubeProxyConfig = (mode: 'iptables' | 'nftables'): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: kube-proxy, namespace: kube-system }
data:
  config.conf: |
    kind: KubeProxyConfiguration
    mode: ${mode}
    clusterCIDR: 10.244.0.0/16,fd00:10:244::/56
`
