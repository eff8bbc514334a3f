import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { buildCluster } from '../../../src/cluster/build.ts'
import { runControlPlane } from '../../../src/cluster/control-plane.ts'
import { loadManifests } from '../../../src/kube/load.ts'
import { lintCodes } from '../../../src/trace/lint/codes.ts'
import { lint } from '../../../src/trace/lint/lint.ts'

/** `CODE object field line`, as short as a table needs it. */
function found(...texts: readonly string[]): readonly string[] {
  return findings(...texts).map(({ code, object, path, at }) =>
    [code, object?.name ?? '-', path.join('.') || '-', at?.line ?? '-'].join(' '),
  )
}

function findings(...texts: readonly string[]): ReturnType<typeof lint> {
  const { store, settings, problems } = loadManifests([{ path: 'in.yaml', text: texts.join('\n---\n') }])
  const late = runControlPlane(store, settings)
  const built = buildCluster(store, settings)
  return lint({ cluster: built.cluster, problems: [...problems, ...late], agents: built.problems })
}

const node = (name: string, address: string): string => `apiVersion: v1
kind: Node
metadata: { name: ${name} }
status: { addresses: [{ type: InternalIP, address: ${address} }] }`
const nodes = `${node('node-a', '192.168.50.11')}\n---\n${node('node-b', '192.168.50.12')}`

const pod = (
  name: string,
  more = '',
  ports = '{ name: http, containerPort: 8080 }',
  on = 'node-a',
): string => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${name}${more} } }
spec: { nodeName: ${on}, containers: [{ name: c, image: i, ports: [${ports}] }] }`

const service = (app: string, port: string, more = ''): string => `apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  ${more}
  selector: { app: ${app} }
  ports: [${port}]`

const policy = (spec: string): string => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: p, namespace: shop }
spec: ${spec}`

/** flannel enforces nothing: that is a finding of its own, told once in its own test. */
const aboutPolicy = (...texts: readonly string[]): readonly string[] =>
  found(nodes, ...texts).filter((f) => f.startsWith('POLICY') && !f.startsWith('POLICY_NOT_ENFORCED'))

const flannel = (backend: string, cni = ''): string => `apiVersion: v1
kind: ConfigMap
metadata: { name: kube-flannel-cfg, namespace: kube-flannel }
data:
  cni-conf.json: '{ "name": "cbr0", "cniVersion": "1.0.0", "plugins": [{ "type": "flannel", "delegate": { "isDefaultGateway": true${cni} } }] }'
  net-conf.json: '{ "Network": "10.244.0.0/16", "Backend": ${backend} }'`

const sysctl = (text: string): string => `apiVersion: kubehop.dev/v1alpha1
kind: NodeState
metadata: { name: node-a }
spec: { sysctl: "${text}" }`

describe('Services', () => {
  test.each([
    { name: 'a sound one', objects: [service('web', '{ port: 80, targetPort: http }')], says: [] },
    {
      name: 'a wrong selector',
      objects: [service('webb', '{ port: 80, targetPort: http }')],
      says: ['SERVICE_SELECTS_NOTHING web spec.selector'],
    },
    {
      name: 'a port name that no container has',
      objects: [service('web', '{ port: 80, targetPort: grpc }')],
      says: ['SERVICE_PORT_NAME web spec.ports.0.targetPort'],
    },
    {
      name: 'a number that no container declares',
      objects: [service('web', '{ port: 80, targetPort: 9090 }')],
      says: ['SERVICE_PORT_UNDECLARED web spec.ports.0.targetPort'],
    },
    {
      name: 'a number left out',
      objects: [service('web', '{ port: 80 }')],
      says: ['SERVICE_PORT_UNDECLARED web spec.ports.0.targetPort'],
    },
    {
      name: 'another protocol than declared',
      objects: [service('web', '{ port: 8080, protocol: UDP }')],
      says: ['SERVICE_PORT_UNDECLARED web spec.ports.0.targetPort'],
    },
    {
      name: 'the Service of the API server',
      objects: [
        '{ apiVersion: v1, kind: Service, metadata: { name: kubernetes, namespace: default }, spec: { ports: [{ port: 443 }] } }',
      ],
      says: [],
    },
    {
      name: 'no selector and no slices',
      objects: [
        '{ apiVersion: v1, kind: Service, metadata: { name: db, namespace: shop }, spec: { ports: [{ port: 5432 }] } }',
      ],
      says: ['SERVICE_NO_ENDPOINTS db spec'],
    },
  ])('$name', ({ objects, says }) => {
    expect(found(nodes, pod('web'), ...objects).map((f) => f.replace(/ \d+$/, ''))).toEqual(says)
  })

  test('pods that declare nothing say nothing about ports', () => {
    expect(found(nodes, pod('web', '', ''), service('web', '{ port: 80 }'))).toEqual([])
  })

  test('the nearest pod and the label to write are named, at the line of the selector', () => {
    const [finding] = findings(nodes, pod('web', ', tier: front'), service('web, tier: frontend', '{ port: 8080 }'))
    expect(finding).toMatchObject({ code: 'SERVICE_SELECTS_NOTHING', fix: 'select as web is labelled: tier: front' })
    const lines = [nodes, pod('web', ', tier: front'), ''].join('\n---\n').split('\n').length
    expect(finding?.at).toEqual({ file: 'in.yaml', line: lines + 5 })
  })
})

describe('policies', () => {
  const web = [pod('web'), service('web', '{ port: 80, targetPort: 8080, name: plain }')]

  test.each([
    {
      name: 'the port of the pod',
      spec: '{ podSelector: { matchLabels: { app: web } }, ingress: [{ ports: [{ port: 8080 }] }] }',
      says: [],
    },
    {
      name: "the Service's port at ingress",
      spec: '{ podSelector: { matchLabels: { app: web } }, ingress: [{ ports: [{ port: 80 }] }] }',
      says: ['POLICY_SERVICE_PORT p spec.ingress.0.ports.0.port'],
    },
    {
      name: "the Service's port at egress",
      spec: '{ podSelector: {}, policyTypes: [Egress], egress: [{ to: [{ podSelector: { matchLabels: { app: web } } }], ports: [{ port: 80 }] }] }',
      says: ['POLICY_SERVICE_PORT p spec.egress.0.ports.0.port'],
    },
    {
      name: 'a range around both',
      spec: '{ podSelector: {}, ingress: [{ ports: [{ port: 80, endPort: 9000 }] }] }',
      says: [],
    },
    {
      name: "the Service's port over another protocol",
      spec: '{ podSelector: {}, ingress: [{ ports: [{ port: 80, protocol: UDP }] }] }',
      says: [],
    },
    {
      name: "a Service's port name",
      spec: '{ podSelector: {}, ingress: [{ ports: [{ port: plain }] }] }',
      says: ['POLICY_PORT_NAME p spec.ingress.0.ports.0.port'],
    },
    {
      name: 'a pod selector without match',
      spec: '{ podSelector: { matchLabels: { app: wob } } }',
      says: ['POLICY_SELECTS_NOTHING p spec.podSelector'],
    },
    {
      name: 'a peer without match',
      spec: '{ podSelector: {}, ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: x } } }] }] }',
      says: ['POLICY_PEER_MATCHES_NOTHING p spec.ingress.0.from.0'],
    },
    {
      name: 'a cluster IP in an ipBlock',
      spec: '{ podSelector: {}, policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: 10.96.0.10/32 } }] }] }',
      says: ['POLICY_CLUSTER_IP p spec.egress.0.to.0.ipBlock.cidr'],
    },
    {
      name: 'an ipBlock of everything',
      spec: '{ podSelector: {}, policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: 0.0.0.0/0 } }] }] }',
      says: [],
    },
  ])('$name', ({ spec, says }) => {
    expect(aboutPolicy(...web, policy(spec)).map((f) => f.replace(/ \d+$/, ''))).toEqual(says)
  })

  test('under a CNI that enforces none, every policy is told of', () => {
    expect(found(nodes, pod('web'), policy('{ podSelector: {} }'))[0]).toMatch(/^POLICY_NOT_ENFORCED p/)
  })
})

describe('nodes', () => {
  test.each([
    ['net.ipv4.ip_forward = 0', 'SYSCTL_IP_FORWARD'],
    ['net.ipv4.conf.cni0.forwarding = 0', 'SYSCTL_IP_FORWARD'],
    ['net.ipv4.conf.eth9.forwarding = 0', undefined],
    ['net.ipv6.conf.all.forwarding = 0', undefined],
    ['net.bridge.bridge-nf-call-iptables = 0', 'SYSCTL_BRIDGE_NF'],
    ['net.netfilter.nf_conntrack_max = 1024', 'SYSCTL_CONNTRACK_MAX'],
    ['net.ipv4.ip_forward = 1', undefined],
  ])('%s: %s', (text, code) => {
    expect(found(nodes, pod('web'), sysctl(text)).map((f) => f.split(' ')[0])).toEqual(code === undefined ? [] : [code])
  })

  test.each([
    { name: 'the usual MTU', config: flannel('{ "Type": "vxlan" }'), says: [] },
    {
      name: 'pods pinned to the MTU of the wire',
      config: flannel('{ "Type": "vxlan" }', ', "mtu": 1500'),
      says: ['MTU_POD'],
    },
    { name: 'routes without tunnel', config: flannel('{ "Type": "host-gw" }'), says: [] },
  ])('$name', ({ config, says }) => {
    const codes = found(nodes, pod('web'), pod('db', '', '', 'node-b'), config).map((f) => f.split(' ')[0] ?? '')
    expect(codes.filter((c) => c.startsWith('MTU'))).toEqual(says)
  })
})

test('a tunnel that fits its own wire and not the one on the way', () => {
  const underlay = `apiVersion: kubehop.dev/v1alpha1
kind: Underlay
metadata: { name: racks }
spec:
  segments:
    - { name: wide, cidr: 192.168.50.0/24, mtu: 1500 }
    - { name: narrow, cidr: 192.168.60.0/24, mtu: 1400 }`
  const two = `${node('node-a', '192.168.50.11')}\n---\n${node('node-b', '192.168.60.12')}`
  const [finding] = findings(two, underlay, flannel('{ "Type": "vxlan" }'))
  expect(finding).toMatchObject({ code: 'MTU_TUNNEL', fix: 'an MTU of 1350 for the tunnel and for pods' })
})

describe('addresses and ports', () => {
  test('host-gw between nodes of two segments', () => {
    const far = `${node('node-a', '192.168.50.11')}\n---\n${node('node-b', '192.168.60.12')}`
    expect(found(far, flannel('{ "Type": "host-gw" }')).join()).toContain(
      'HOST_GW_ACROSS_L3 kube-flannel-cfg data.net-conf.json',
    )
    expect(found(nodes, flannel('{ "Type": "host-gw" }')).join()).not.toContain('HOST_GW')
  })

  test('nodes inside the pod network', () => {
    const inside = node('node-a', '10.244.7.11')
    expect(found(inside).map((f) => f.split(' ')[0])).toContain('NODE_NETWORK_OVERLAP')
  })

  test('two pods of a node want one host port, and a Service wants it as node port', () => {
    const port = '{ containerPort: 8080, hostPort: 30080 }'
    const objects = [
      pod('web', '', port),
      pod('api', '', port),
      service('web', '{ port: 8080, nodePort: 30080 }', 'type: NodePort'),
    ]
    expect(found(nodes, ...objects).map((f) => f.replace(/ \d+$/, ''))).toEqual([
      'HOST_PORT_CONFLICT api spec.containers',
      'NODE_PORT_HOST_PORT web spec.ports.0.nodePort',
    ])
    expect(found(nodes, pod('web', '', port), pod('api', '', port, 'node-b'))).toEqual([])
  })

  test('what loading finds between objects is a finding too', () => {
    const taken = service('web', '{ port: 8080, nodePort: 30080 }', 'type: NodePort')
    const codes = found(nodes, pod('web'), taken, taken.replace('name: web', 'name: web2'))
    expect(codes.map((f) => f.split(' ')[0])).toContain('NODE_PORT_TAKEN')
  })
})

test('docs/lint.md explains every code once, with its level', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/lint.md'), 'utf8')
  const rows = [...text.matchAll(/^\| `([A-Z0-9_]+)` \| (error|warning) \|/gm)].map((m) => [m[1], m[2]])
  expect(rows.sort()).toEqual(
    Object.entries(lintCodes)
      .map(([code, { level }]) => [code, level])
      .sort(),
  )
})
