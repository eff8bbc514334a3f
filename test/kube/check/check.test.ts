import { describe, expect, test } from 'vitest'
import { loadManifests } from '../../../src/kube/load.ts'
import { formatProblem } from '../../../src/kube/problem.ts'
import { prefix } from '../../../src/net/prefix.ts'

const problemsOf = (...documents: readonly string[]): readonly string[] =>
  loadManifests([{ path: 'a.yaml', text: documents.join('\n---\n') }]).problems.map(formatProblem)

const node = (name: string, rest: string): string => `apiVersion: v1\nkind: Node\nmetadata: {name: ${name}}\n${rest}`
const pod = (name: string, rest: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\n${rest.includes('spec:') ? rest : `spec: {containers: []}\n${rest}`}`
const service = (name: string, spec: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {${spec}}`
const slice = (rest: string): string =>
  `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\n${rest}`

describe('objects among each other', () => {
  test.each<{ name: string; documents: readonly string[]; says: readonly string[] }>([
    {
      name: 'an object given twice names both places',
      documents: [service('web', 'ports: [{port: 80}]'), service('web', 'ports: [{port: 81}]')],
      says: ['a.yaml:6: Service default/web: given twice, first at a.yaml:1; keep one of them'],
    },
    {
      name: 'two that failed their schema: their names and that they are two are told as well',
      documents: ['', 'spec: {containers: []}']
        .map((rest) => `apiVersion: v1\nkind: Pod\nmetadata: {name: Web}\n${rest}`)
        .concat('apiVersion: v1\nkind: Pod\nmetadata: {name: Web}\n'),
      says: [
        'a.yaml:1: Pod default/Web: spec is missing',
        'a.yaml:11: Pod default/Web: spec is missing',
        'a.yaml:6: Pod default/Web: given twice, first at a.yaml:1; keep one of them',
        'a.yaml:11: Pod default/Web: given twice, first at a.yaml:1; keep one of them',
        ...[3, 13, 8].map(
          (line) =>
            `a.yaml:${line}: Pod default/Web: metadata.name: "Web" is no valid name: expected lower-case letters, digits, "-" and "." (RFC 1123 subdomain, at most 253)`,
        ),
      ],
    },
    {
      name: 'podCIDRs that overlap',
      documents: [
        node('a', 'spec: {podCIDR: 10.244.0.0/23}'),
        node('b', 'spec: {podCIDR: 10.244.5.0/24}'),
        node('c', 'spec: {podCIDR: 10.244.1.0/24}'),
      ],
      says: [
        'a.yaml:14: Node c: spec.podCIDR: 10.244.1.0/24 overlaps 10.244.0.0/23 of Node a (a.yaml:4); give each node its own block',
      ],
    },
    {
      name: 'a podCIDR inside one that begins long before it',
      documents: [
        node('a', 'spec: {podCIDR: 10.244.0.0/20}'),
        node('b', 'spec: {podCIDR: 10.244.1.0/24}'),
        node('c', 'spec: {podCIDR: 10.244.9.0/24}'),
      ],
      says: [
        'a.yaml:9: Node b: spec.podCIDR: 10.244.1.0/24 overlaps 10.244.0.0/20 of Node a (a.yaml:4); give each node its own block',
        'a.yaml:14: Node c: spec.podCIDR: 10.244.9.0/24 overlaps 10.244.0.0/20 of Node a (a.yaml:4); give each node its own block',
      ],
    },
    {
      name: 'podCIDRs of different families',
      documents: [
        node('a', 'spec: {podCIDRs: [10.244.0.0/24, "::/0"]}'),
        node('b', 'spec: {podCIDRs: [10.244.1.0/24]}'),
      ],
      says: [],
    },
    {
      name: 'a podCIDR that is none',
      documents: [node('a', 'spec: {podCIDR: 10.244.0.0}')],
      says: [
        'a.yaml:4: Node a: spec.podCIDR: expected a CIDR block such as 10.9.8.0/24 or 2001:db8::/64, found "10.244.0.0"',
      ],
    },
    {
      name: 'an address of a node that is none',
      documents: [node('a', 'status: {addresses: [{type: InternalIP, address: 10.0.0.256}]}')],
      says: [
        'a.yaml:4: Node a: status.addresses[0].address: expected an IPv4 or IPv6 address such as 10.9.8.7 or 2001:db8::7, found "10.0.0.256"',
      ],
    },
    {
      name: 'an address of a node within the pod network',
      documents: [node('a', 'status: {addresses: [{type: InternalIP, address: 10.244.0.9}]}')],
      says: [
        'a.yaml:4: Node a: status.addresses[0].address: warning: 10.244.0.9 lies in the pod network 10.244.0.0/16; traffic to this node may go astray',
      ],
    },
    {
      name: 'two nodes with one InternalIP',
      documents: ['a', 'b'].map((name) => node(name, 'status: {addresses: [{type: InternalIP, address: 10.0.0.9}]}')),
      says: ['a.yaml:9: Node b: status.addresses[0].address: 10.0.0.9 is the address of Node a (a.yaml:4)'],
    },
    {
      name: 'one node that lists its InternalIP twice, and two nodes behind one ExternalIP',
      documents: [
        node(
          'a',
          'status: {addresses: [{type: InternalIP, address: 10.0.0.9}, {type: InternalIP, address: 10.0.0.9}, {type: ExternalIP, address: 192.0.2.1}]}',
        ),
        node('b', 'status: {addresses: [{type: ExternalIP, address: 192.0.2.1}]}'),
      ],
      says: [],
    },
    {
      name: 'a podIP that is not the first of podIPs, and one that is, spelled otherwise',
      documents: [
        pod('a', 'status: {podIP: 10.244.0.5, podIPs: [{ip: 10.244.0.6}]}'),
        pod('b', 'status: {podIP: 10.244.0.07, podIPs: [{ip: 10.244.0.7}]}'),
      ],
      says: [
        'a.yaml:5: Pod default/a: status.podIP: warning: podIP is 10.244.0.5, but podIPs begins with 10.244.0.6; podIPs counts: make both the same',
      ],
    },
    {
      name: 'running pods of a cluster whose pod network nobody states',
      documents: [
        pod('a, uid: 1-2', 'status: {podIP: 192.168.7.7}'),
        pod('b, uid: 1-3', 'status: {podIP: 192.168.7.8}'),
      ],
      says: [
        'a.yaml:5: Pod default/a: status.podIP: warning: 192.168.7.7 is outside every pod network (10.244.0.0/16), and one other pod is too; say which one the cluster uses with --pod-network, or leave the address out to have one assigned',
      ],
    },
    {
      name: 'pods outside every pod network',
      documents: [pod('a', 'status: {podIP: 192.168.7.7}'), pod('b', 'status: {podIP: 192.168.7.8}')],
      says: [
        'a.yaml:5: Pod default/a: status.podIP: 192.168.7.7 is outside every pod network (10.244.0.0/16), and one other pod is too; say which one the cluster uses with --pod-network, or leave the address out to have one assigned',
      ],
    },
    {
      name: 'a pod on the host network, and one that has ended',
      documents: [
        pod('a', 'spec: {hostNetwork: true, containers: []}\nstatus: {podIP: 192.168.7.7}'),
        pod('b', 'status: {podIP: 192.168.7.7, phase: Succeeded}'),
      ],
      says: [],
    },
    {
      name: 'pods with one address',
      documents: [pod('a', 'status: {podIP: 10.244.0.7}'), pod('b', 'status: {podIP: 10.244.0.7}')],
      says: ['a.yaml:11: Pod default/b: status.podIP: warning: 10.244.0.7 is the address of Pod default/a (a.yaml:1)'],
    },
    {
      name: 'a pod on a node that is not there',
      documents: [node('node-a', ''), pod('a', 'spec: {nodeName: node-aa, containers: []}')],
      says: ['a.yaml:9: Pod default/a: spec.nodeName: warning: there is no Node "node-aa"; did you mean "node-a"?'],
    },
    {
      name: 'a clusterIP outside the default network',
      documents: [service('a', 'clusterIP: 172.20.0.1, ports: [{port: 80}]')],
      says: [
        'a.yaml:4: Service default/a: spec.clusterIP: warning: 172.20.0.1 is outside the default service network 10.96.0.0/12; say which one the cluster uses with --service-network',
      ],
    },
    {
      name: 'a clusterIP given to two',
      documents: [
        service('a', 'clusterIP: 10.96.0.9, ports: [{port: 80}]'),
        service('b', 'clusterIP: 10.96.0.9, ports: [{port: 80}]'),
      ],
      says: ['a.yaml:9: Service default/b: spec.clusterIP: 10.96.0.9 is the address of Service default/a (a.yaml:1)'],
    },
    {
      name: 'a node port outside the range, and one given to two',
      documents: [
        service('a', 'type: NodePort, ports: [{port: 80, nodePort: 80}]'),
        service('b', 'type: NodePort, ports: [{port: 80, nodePort: 30001}]'),
        service('c', 'type: NodePort, ports: [{port: 80, nodePort: 30001}]'),
        service('d', 'type: NodePort, ports: [{port: 80, nodePort: 30001, protocol: UDP}]'),
      ],
      says: [
        'a.yaml:4: Service default/a: spec.ports[0].nodePort: 80 is outside the node port range 30000-32767',
        'a.yaml:14: Service default/c: spec.ports[0].nodePort: 30001 is the node port of Service default/b (a.yaml:6)',
      ],
    },
    {
      name: 'addresses with leading zeros',
      documents: [
        service('a', 'clusterIP: 10.96.0.010, ports: [{port: 80}], loadBalancerSourceRanges: [203.0.113.000/025]'),
      ],
      says: [
        'a.yaml:4: Service default/a: spec.clusterIP: warning: "10.96.0.010" has leading zeros, which newer API servers refuse; it is read as 10.96.0.10',
        'a.yaml:4: Service default/a: spec.loadBalancerSourceRanges[0]: warning: "203.0.113.000/025" has leading zeros, which newer API servers refuse; it is read as 203.0.113.0/25',
      ],
    },
    {
      name: 'an endpoint of the wrong family',
      documents: [slice('addressType: IPv4\nendpoints:\n- addresses: ["fd00::1"]\n- addresses: [10.x]')],
      says: [
        'a.yaml:6: EndpointSlice default/s: endpoints[0].addresses[0]: expected an IPv4 address, found "fd00::1"',
        'a.yaml:7: EndpointSlice default/s: endpoints[1].addresses[0]: expected an IPv4 or IPv6 address such as 10.9.8.7 or 2001:db8::7, found "10.x"',
      ],
    },
  ])('$name', ({ documents, says }) => {
    expect(problemsOf(...documents)).toEqual(says)
  })

  test('a clusterIP outside the network that a flag says is an error', () => {
    const text = service('a', 'clusterIP: 10.96.0.1, ports: [{port: 80}]')
    const { problems } = loadManifests([{ path: 'a.yaml', text }], {
      settings: { serviceNetworks: [prefix('10.0.0.0/16')] },
    })
    expect(problems.map((p) => `${p.severity} ${p.code}`)).toEqual(['error CLUSTER_IP_OUTSIDE'])
  })
})

describe('an object on its own', () => {
  const deployment = (selector: string, ports = '[]'): string =>
    `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  ${selector}\n  template:\n    metadata: {labels: {app: a}}\n    spec: {containers: [{name: c, ports: ${ports}}, {name: b}]}`

  test.each<{ name: string; document: string; says: readonly string[] }>([
    {
      name: 'has a name in capitals',
      document: service('Web', 'ports: [{port: 80}]'),
      says: [
        'a.yaml:3: Service default/Web: metadata.name: "Web" is no valid name: expected lower-case letters, digits and "-", a letter first (RFC 1035 label, at most 63)',
      ],
    },
    {
      name: 'has a dot where a label is needed',
      document: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a.b}',
      says: [
        'a.yaml:3: Namespace a.b: metadata.name: "a.b" is no valid name: expected lower-case letters, digits and "-" (RFC 1123 label, at most 63)',
      ],
    },
    {
      name: 'has no name',
      document: 'apiVersion: v1\nkind: Namespace\nmetadata: {}',
      says: ['a.yaml:3: Namespace (no name): metadata: name is missing'],
    },
    {
      name: 'has a bad label',
      document: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {x: "a b"}}',
      says: [
        'a.yaml:3: Namespace a: metadata.labels.x: "a b" is no valid name: expected a label value: at most 63 letters, digits, "-", "_" or "."',
      ],
    },
    {
      name: 'is a Service without ports',
      document: service('a', 'ports: []'),
      says: ['a.yaml:4: Service default/a: spec.ports: a Service needs at least one port'],
    },
    { name: 'is a headless Service without ports', document: service('a', 'clusterIP: None'), says: [] },
    {
      name: 'is an ExternalName without a name',
      document: service('a', 'type: ExternalName'),
      says: ['a.yaml:4: Service default/a: spec.externalName: needed by a Service of type ExternalName'],
    },
    {
      name: 'is a Service with ports that have no names',
      document: service('a', 'ports: [{port: 80}, {port: 81, name: x}]'),
      says: ['a.yaml:4: Service default/a: spec.ports[0].name: a Service with several ports names each'],
    },
    {
      name: 'is a Service with a port twice',
      document: service('a', 'ports: [{port: 80, name: x}, {port: 80, name: x}]'),
      says: [
        'a.yaml:4: Service default/a: spec.ports[1].name: must be unique here, found "x"',
        'a.yaml:4: Service default/a: spec.ports[1]: must be unique here, found "TCP 80"',
      ],
    },
    {
      name: 'is a ClusterIP with a node port',
      document: service('a', 'ports: [{port: 80, nodePort: 30080}]'),
      says: ["a.yaml:4: Service default/a: spec.ports[0].nodePort: may not be used when `type` is 'ClusterIP'"],
    },
    {
      name: 'has a targetPort in quotes',
      document: service('a', 'ports: [{port: 80, targetPort: "8080"}]'),
      says: [
        'a.yaml:4: Service default/a: spec.ports[0].targetPort: must contain at least one letter (a-z), found "8080"',
      ],
    },
    {
      name: 'is a Deployment that selects other pods',
      document: deployment('selector: {matchLabels: {app: b}}'),
      says: [
        'a.yaml:5: Deployment default/d: spec.selector: `selector` does not match template `labels`, found an object',
      ],
    },
    {
      name: 'is a Deployment without a selector',
      document: deployment('replicas: 1'),
      says: ['a.yaml:4: Deployment default/d: spec.selector: needed since apps/v1: the labels of its pods'],
    },
    {
      name: 'has one port name twice in a container',
      document: deployment(
        'selector: {matchLabels: {app: a}}',
        '[{name: x, containerPort: 1}, {name: x, containerPort: 2}]',
      ),
      says: [
        'a.yaml:8: Deployment default/d: spec.template.spec.containers[0].ports[1].name: must be unique here, found "x"',
      ],
    },
    {
      name: 'is an Underlay with a host on no segment',
      document:
        'apiVersion: kubehop.dev/v1alpha1\nkind: Underlay\nmetadata: {name: u}\nspec:\n  segments: [{name: rack, cidr: 10.0.0.0/24, blocks: [udp/8472, proto/4, x/1]}]\n  hosts: [{name: h, segment: rak, address: 10.0.0}]',
      says: [
        'a.yaml:5: Underlay u: spec.segments[0].blocks[2]: expected something such as udp/8472 or proto/4, found "x/1"',
        'a.yaml:6: Underlay u: spec.hosts[0].segment: expected a segment (rack), found "rak"',
        'a.yaml:6: Underlay u: spec.hosts[0].address: expected an IPv4 or IPv6 address such as 10.9.8.7 or 2001:db8::7, found "10.0.0"',
      ],
    },
  ])('$name', ({ document, says }) => {
    expect(problemsOf(document)).toEqual(says)
  })
})

describe('a NetworkPolicy', () => {
  const policy = (spec: string): string =>
    `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec: {${spec}}`
  const errors = (spec: string): readonly string[] =>
    problemsOf(policy(spec)).map((p) => p.replace(/^.*default\/p: /, ''))

  test.each<{ name: string; spec: string; says: readonly string[] }>([
    { name: 'may be empty', spec: '', says: [] },
    {
      name: 'may have empty rules and both selectors',
      spec: 'ingress: [{from: [], ports: []}, {from: [{podSelector: {}, namespaceSelector: {}}]}], egress: [{}]',
      says: [],
    },
    {
      name: 'needs something in a peer',
      spec: 'ingress: [{from: [{}]}]',
      says: ['spec.ingress[0].from[0]: must specify a peer'],
    },
    {
      name: 'has an ipBlock apart from selectors',
      spec: 'egress: [{to: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}]',
      says: ['spec.egress[0].to[0]: may not specify both ipBlock and another peer'],
    },
    {
      name: 'needs a CIDR in an ipBlock',
      spec: 'egress: [{to: [{ipBlock: {except: [10.0.0.0/8]}}]}]',
      says: ['spec.egress[0].to[0].ipBlock.cidr: a CIDR block is needed'],
    },
    {
      name: 'takes no bare address',
      spec: 'egress: [{to: [{ipBlock: {cidr: 10.0.0.1}}]}]',
      says: [
        'spec.egress[0].to[0].ipBlock.cidr: must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64), found "10.0.0.1"',
      ],
    },
    {
      name: 'excepts strictly less than its block',
      spec: 'egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8, 11.0.0.0/16, 10.1.0.0/16]}}]}]',
      says: [
        'spec.egress[0].to[0].ipBlock.except[0]: must be a strict subset of `cidr`, found "10.0.0.0/8"',
        'spec.egress[0].to[0].ipBlock.except[1]: must be a strict subset of `cidr`, found "11.0.0.0/16"',
      ],
    },
    {
      name: 'is warned of bits beyond the prefix',
      spec: 'egress: [{to: [{ipBlock: {cidr: 10.1.2.3/24}}]}]',
      says: [
        'spec.egress[0].to[0].ipBlock.cidr: warning: "10.1.2.3/24" has bits set beyond its prefix length; it is read as 10.1.2.0/24',
      ],
    },
    {
      name: 'has no endPort without a port, nor with a name',
      spec: 'ingress: [{ports: [{endPort: 9}, {port: web, endPort: 9}, {port: 10, endPort: 9}]}]',
      says: [
        'spec.ingress[0].ports[0].endPort: may not be specified when `port` is not specified, found 9',
        'spec.ingress[0].ports[1].endPort: may not be specified when `port` is non-numeric, found 9',
        'spec.ingress[0].ports[2].endPort: must be greater than or equal to `port`, found 9',
      ],
    },
    {
      name: 'has no port in quotes',
      spec: "ingress: [{ports: [{port: '80'}]}]",
      says: ['spec.ingress[0].ports[0].port: must contain at least one letter (a-z), found "80"'],
    },
    {
      name: 'knows three protocols',
      spec: 'ingress: [{ports: [{protocol: ICMP}]}]',
      says: ['spec.ingress[0].ports[0].protocol: supported values: "TCP", "UDP", "SCTP", found "ICMP"'],
    },
    {
      name: 'knows two policy types',
      spec: 'policyTypes: [Ingress, egress]',
      says: ['spec.policyTypes[1]: supported values: "Ingress", "Egress", found "egress"'],
    },
    {
      name: 'has values with In and none with Exists',
      spec: 'podSelector: {matchExpressions: [{key: a, operator: In}, {key: b, operator: Exists, values: [c]}, {key: d, operator: Is}]}',
      says: [
        "spec.podSelector.matchExpressions[0].values: must be specified when `operator` is 'In' or 'NotIn'",
        "spec.podSelector.matchExpressions[1].values: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        'spec.podSelector.matchExpressions[2].operator: must be In, NotIn, Exists or DoesNotExist, found "Is"',
      ],
    },
  ])('$name', ({ spec, says }) => {
    expect(errors(spec)).toEqual(says)
  })
})
