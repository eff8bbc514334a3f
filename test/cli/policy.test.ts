import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { runWith } from './memory-io.ts'

const schema = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../src/view/policy.schema.json'), 'utf8'),
) as object

const shop = `
apiVersion: v1
kind: Node
metadata: { name: node-a }
status: { addresses: [{ type: InternalIP, address: 192.168.50.11 }] }
---
apiVersion: v1
kind: Node
metadata: { name: node-b }
status: { addresses: [{ type: InternalIP, address: 192.168.50.12 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: cart, namespace: shop, labels: { app: cart } }
spec: { nodeName: node-a, containers: [{ name: c }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web-1, namespace: shop, labels: { app: web } }
spec: { nodeName: node-a, containers: [{ name: c, ports: [{ name: http, containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web-2, namespace: shop, labels: { app: web } }
spec: { nodeName: node-b, containers: [{ name: c, ports: [{ name: http, containerPort: 8080 }] }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { type: NodePort, selector: { app: web }, ports: [{ port: 80, targetPort: http, nodePort: 30080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec: { selector: { app: dns }, ports: [{ name: dns, port: 53, protocol: UDP }] }
---
apiVersion: v1
kind: Pod
metadata: { name: dns, namespace: kube-system, labels: { app: dns } }
spec: { nodeName: node-b, containers: [{ name: c, ports: [{ containerPort: 53, protocol: UDP }] }] }
`
const policyOf = (name: string, spec: string): string => `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name}, namespace: shop }
spec: ${spec}
`
const servicePort = policyOf(
  'allow-cart',
  '{ podSelector: { matchLabels: { app: web } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: cart } } }], ports: [{ port: 80 }] }] }',
)

const ask = (text: string, ...argv: string[]) =>
  runWith({ 'in.yaml': text }, ['policy', ...argv, '-f', 'in.yaml', '-n', 'shop'])

describe('kubehop policy', () => {
  test('judges the pods behind a Service, after translation, and tells the nearest miss', async () => {
    const { status, out } = await ask(shop + servicePort, 'pod/cart', 'svc/web:80')
    expect(status).toBe(1)
    expect(out).toContain('DENIED')
    expect(out).toContain('pod shop/web-1, shop/web-2  tcp 8080')
    expect(out).toContain("wants port 80, but the pod's port after DNAT is 8080")
    expect(out).toMatch(/nearest in NetworkPolicy shop\/allow-cart: .*spec\.ingress\[0\]\.ports\[0\] {2}in\.yaml:\d+/)
  })

  test.each([
    { name: 'a port of a pod', argv: ['pod/cart', 'pod/web-1:80'], status: 0 },
    { name: 'a name', argv: ['pod/cart', 'web:80'], status: 1 },
    { name: 'the address of a Service', argv: ['pod/cart', '@service:80'], status: 1 },
    { name: 'a node', argv: ['node/node-a', 'pod/web-2:80'], status: 1 },
    { name: "the pod's own node", argv: ['node/node-a', 'pod/web-1:9'], status: 0 },
    { name: 'an address outside', argv: ['pod/cart', '203.0.113.77:443'], status: 0 },
    { name: 'an outside host', argv: ['external', 'pod/web-1:80'], status: 1 },
    { name: 'a pod that is not there yet', argv: ['--from-labels', 'app=cart', 'pod/web-1:80'], status: 0 },
    {
      name: 'it in another namespace',
      argv: ['--from-labels', 'app=cart', '--from-namespace', 'x', 'pod/web-1:80'],
      status: 1,
    },
    {
      name: 'two pods that are not there yet',
      argv: ['--from-labels', 'app=cart', '--to-labels', 'app=web', '--to-port', '80'],
      status: 0,
    },
    { name: 'no such pod', argv: ['pod/nobody', 'pod/web-1:80'], status: 2 },
    { name: 'a Service as the source', argv: ['svc/web', 'pod/web-1:80'], status: 2 },
    { name: 'one end only', argv: ['pod/cart'], status: 2 },
    { name: 'a port that is missing', argv: ['pod/cart', 'external'], status: 2 },
    {
      name: 'a port of a pod that is there, as an option',
      argv: ['pod/cart', 'pod/web-1', '--to-port', '80'],
      status: 2,
    },
    { name: 'an unknown form', argv: ['pod/cart', 'pod/web-1:80', '-o', 'yaml'], status: 2 },
  ])('$name: exit status $status', async ({ argv, status }) => {
    const { out } = await runWith({ 'in.yaml': shop }, ['get', 'svc', 'web', '-n', 'shop', '-f', 'in.yaml'])
    const service = /10\.96\.\d+\.\d+/.exec(out)?.[0] ?? ''
    const ran = await ask(shop + servicePort, ...argv.map((a) => a.replace('@service', service)))
    expect(ran.err === '' || status === 2, ran.err).toBe(true)
    expect(ran.status, ran.out).toBe(status)
  })

  test('a port that is no number is refused by the name of its option', async () => {
    const { status, err } = await ask(shop, 'pod/cart', '--to-labels', 'app=web', '--to-port', 'http')
    expect(status).toBe(2)
    expect(err).toContain('kubehop: --to-port takes a whole number')
  })

  test('a node that is reached over both families is named once', async () => {
    const dual = shop.replaceAll(
      /address: 192\.168\.50\.(\d+) }/g,
      'address: 192.168.50.$1 }, { type: InternalIP, address: "fd00:1::$1" }',
    )
    const pods = ['--pod-network', '10.244.0.0/16,fd00:10:244::/56']
    const { out } = await ask(dual, 'pod/cart', 'node/node-b:22', ...pods)
    expect(out).toContain('pod shop/cart → node node-b  tcp 22')
  })

  test('a Service whose endpoints differ is allowed now and then: mixed, and not a success', async () => {
    const own = policyOf(
      'one',
      '{ podSelector: { matchLabels: { app: web } }, ingress: [{ from: [{ ipBlock: { cidr: 10.244.0.0/24 } }] }] }',
    )
    const { status, out } = await ask(shop + own, 'node/node-b', 'svc/web:80')
    expect(out).toContain('MIXED')
    expect(status).toBe(1)
  })

  test('a name that cannot be looked up is denied at the lookup', async () => {
    const egress = policyOf(
      'out',
      '{ podSelector: {}, policyTypes: [Egress], egress: [{ to: [{ podSelector: {} }] }] }',
    )
    const { status, out } = await ask(shop + egress, 'pod/cart', 'web:80')
    expect(status).toBe(1)
    expect(out).toContain('the name has to be looked up first')
    expect((await ask(shop + egress, 'pod/cart', 'svc/web:80')).status).toBe(0)
  })

  test('from outside by a node port, a pod elsewhere sees the node and not the client', async () => {
    const block = policyOf(
      'clients',
      '{ podSelector: { matchLabels: { app: web } }, ingress: [{ from: [{ ipBlock: { cidr: 203.0.113.0/24 } }] }] }',
    )
    const { status, out } = await ask(shop + block, 'external', 'node/node-a:30080')
    expect(status).toBe(1)
    expect(out).toContain('MIXED')
    expect(out).toContain('the pod does not see the client but node node-a')
    const local = shop.replace('type: NodePort,', 'type: NodePort, externalTrafficPolicy: Local,')
    expect((await ask(local + block, 'external', 'node/node-a:30080')).status).toBe(0)
  })

  test.each([
    ['denied', ['pod/cart', 'svc/web:80']],
    ['by name', ['pod/cart', 'web:80']],
    ['virtual', ['--from-labels', 'app=cart', 'pod/web-1:80']],
    ['from outside', ['external', 'svc/web:80']],
  ])('the JSON of an answer is as the published schema says: %s', async (_name, argv) => {
    const validate = new Ajv({ allErrors: true, strict: false }).compile(schema)
    validate(JSON.parse((await ask(shop + servicePort, ...argv, '-o', 'json')).out))
    expect(validate.errors).toBeNull()
  })

  test('-v shows every rule that was compared', async () => {
    expect((await ask(shop + servicePort, 'pod/cart', 'svc/web:80', '-v')).out).toContain('tier network: deny')
  })
})

const clusterNode = (name: string, n: number, ready: string): string => `
---
apiVersion: v1
kind: Node
metadata: { name: ${name} }
spec: { podCIDR: 10.244.${n}.0/24 }
status: { addresses: [{ type: InternalIP, address: 192.168.50.1${n} }], conditions: [{ type: Ready, status: "${ready}" }] }
`
const workloads = shop.slice(shop.indexOf('---\napiVersion: v1\nkind: Pod'))
const onNodes = (a: string, b: string): string => clusterNode('node-a', 1, a) + clusterNode('node-b', 2, b) + workloads
const allowBlock = (cidr: string): string =>
  policyOf('b', `{ podSelector: { matchLabels: { app: web } }, ingress: [{ from: [{ ipBlock: { cidr: ${cidr} } }] }] }`)

describe('policy and the addresses of nodes', () => {
  test('from outside, a Service enters by a Ready node, as in a trace', async () => {
    const { out } = await ask(onNodes('False', 'True'), 'external', 'svc/web:80')
    expect(out).toContain('node node-b was taken')
  })

  // web-2 runs on node-b: node-a reaches it by flannel.1, whose address is that of its subnet.
  test.each([
    ['the address of flannel.1', '10.244.1.0/32', 0],
    ['not the InternalIP', '192.168.50.11/32', 1],
  ])('a node sends to a pod of another node from %s', async (_name, cidr, status) => {
    const answer = await ask(onNodes('True', 'True') + allowBlock(cidr), 'node/node-a', 'pod/web-2:8080')
    expect(answer.status).toBe(status)
  })

  test('what comes in by a node port carries that address too', async () => {
    const local = onNodes('True', 'True').replaceAll('nodeName: node-a', 'nodeName: node-b')
    const answer = await ask(local + allowBlock('10.244.1.0/32'), 'external', 'node/node-a:30080')
    expect(answer.status).toBe(0)
    expect(answer.out).toContain('but node node-a (10.244.1.0):')
  })

  test('with host-gw routes it is the InternalIP', async () => {
    const config = `
---
apiVersion: v1
kind: ConfigMap
metadata: { name: kube-flannel-cfg, namespace: kube-flannel }
data: { net-conf.json: '{ "Network": "10.244.0.0/16", "Backend": { "Type": "host-gw" } }' }
`
    const text = onNodes('True', 'True') + config + allowBlock('192.168.50.11/32')
    expect((await ask(text, 'node/node-a', 'pod/web-2:8080')).status).toBe(0)
  })
})

describe('dual-stack pods', () => {
  const dualPod = (name: string, n: number): string => `
---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }
spec: { nodeName: node-a, containers: [{ name: c, ports: [{ containerPort: 80 }] }] }
status: { phase: Running, podIP: 10.244.1.${n}, podIPs: [{ ip: 10.244.1.${n} }, { ip: 'fd00:10:244:1::${n}' }] }
`
  const text = `${clusterNode('node-a', 1, 'True').replace('podCIDR: 10.244.1.0/24', "podCIDR: 10.244.1.0/24, podCIDRs: [10.244.1.0/24, 'fd00:10:244:1::/64']")}${dualPod('cart', 5)}${dualPod('web', 6)}`

  test('are judged in both families, and each case says which', async () => {
    const { status, out } = await ask(text + allowBlock('10.244.0.0/16'), 'pod/cart', 'pod/web:80')
    expect(status).toBe(1)
    expect(out).toMatch(/^allowed .*over IPv4$/m)
    expect(out).toMatch(/^denied .*over IPv6$/m)
  })

  test('one case is left where both families agree', async () => {
    const { status, out } = await ask(text, 'pod/cart', 'pod/web:80')
    expect(status).toBe(0)
    expect(out).not.toContain('over IPv')
  })

  test('the matrix says where the second family differs, and nothing where it does not', async () => {
    const matrixOf = (more: string) =>
      runWith({ 'in.yaml': text + more }, ['matrix', '-f', 'in.yaml', '--outside', 'none'])
    expect((await matrixOf(allowBlock('10.244.0.0/16'))).out).toContain(
      'over IPv6, less is allowed from shop/cart to shop/web on 80/tcp, by NetworkPolicy shop/b',
    )
    expect((await matrixOf('')).out).not.toContain('over IPv6')
  })
})
