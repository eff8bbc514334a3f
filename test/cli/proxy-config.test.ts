import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { newestMinor } from '../../src/proxy/version.ts'
import { runWith } from './memory-io.ts'

const small = join(import.meta.dirname, '../../scenarios/small')
const read = (name: string): string => readFileSync(join(small, name), 'utf8')

const config = (lines: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: kube-proxy, namespace: kube-system }
data:
  config.conf: |
    apiVersion: kubeproxy.config.k8s.io/v1alpha1
    kind: KubeProxyConfiguration
${lines.replace(/^/gm, '    ')}
`
const localService = `
apiVersion: v1
kind: Service
metadata: { name: local, namespace: shop }
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  clusterIP: 10.96.45.70
  selector: { app: web }
  ports: [{ port: 80, targetPort: http, nodePort: 30090 }]
`

async function rules(settings: string, ...argv: string[]): Promise<string> {
  const files = {
    'cluster.yaml': read('cluster.yaml'),
    'shop.yaml': read('shop.yaml'),
    'local.yaml': localService,
    ...(settings === '' ? {} : { 'kube-proxy.yaml': config(settings) }),
  }
  const names = Object.keys(files).flatMap((f) => ['-f', f])
  const ran = await runWith(files, ['show', 'iptables', '--node', 'node-b', ...names, ...argv])
  expect(ran).toMatchObject({ status: 0, err: '' })
  return ran.out
}

describe('the configuration of kube-proxy reaches the rules', () => {
  test.each([
    {
      name: 'no ConfigMap: pods are known by the pod network',
      settings: '',
      has: ['! -s 10.244.0.0/16 -d 10.96.45.67/32'],
    },
    { name: 'clusterCIDR', settings: 'clusterCIDR: 10.0.0.0/8', has: ['! -s 10.0.0.0/8 -d 10.96.45.67/32'] },
    {
      name: 'no clusterCIDR: no detector',
      settings: 'mode: iptables',
      hasNot: [
        '-d 10.96.45.67/32 -p tcp -m comment --comment "shop/web:http cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ',
      ],
    },
    {
      name: 'detectLocalMode NodeCIDR',
      settings: 'detectLocalMode: NodeCIDR',
      has: ['! -s 10.244.1.0/24 -d 10.96.45.67/32'],
    },
    {
      name: 'detectLocalMode BridgeInterface',
      settings: 'detectLocalMode: BridgeInterface\ndetectLocal: { bridgeInterface: cni0 }',
      has: ['-A KUBE-SVC-67NZLRHBNDSAWJRO -d 10.96.45.67/32 ! -i cni0 -p tcp'],
    },
    {
      name: 'detectLocalMode InterfaceNamePrefix',
      settings: 'detectLocalMode: InterfaceNamePrefix\ndetectLocal: { interfaceNamePrefix: veth }',
      has: ['! -i veth+'],
    },
    {
      name: 'masqueradeAll',
      settings: 'clusterCIDR: 10.244.0.0/16\niptables: { masqueradeAll: true }',
      has: ['-A KUBE-SVC-67NZLRHBNDSAWJRO -d 10.96.45.67/32 -p tcp'],
    },
    {
      name: 'masqueradeBit',
      settings: 'iptables: { masqueradeBit: 5 }',
      has: ['-A KUBE-MARK-MASQ -j MARK --set-xmark 0x20/0x20'],
      hasNot: ['-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000'],
    },
    {
      name: 'nodePortAddresses',
      settings: 'nodePortAddresses: [192.168.50.0/24]',
      has: ['-A KUBE-SERVICES -d 192.168.50.12/32'],
      hasNot: ['--dst-type LOCAL -j KUBE-NODEPORTS'],
    },
    {
      name: 'nodePortAddresses primary',
      settings: 'nodePortAddresses: [primary]',
      has: ['-A KUBE-SERVICES -d 192.168.50.12/32'],
    },
    {
      name: 'localhostNodePorts off',
      settings: 'iptables: { localhostNodePorts: false }',
      has: ['-A KUBE-SERVICES ! -d 127.0.0.0/8'],
    },
    {
      name: 'conntrack.tcpBeLiberal',
      settings: 'conntrack: { tcpBeLiberal: true }',
      hasNot: ['--ctstate INVALID -j DROP'],
    },
    {
      name: '1.22: KUBE-XLB',
      settings: '',
      argv: ['--kube-version', '1.22'],
      has: [':KUBE-XLB-', 'KUBE-MARK-DROP'],
      hasNot: ['KUBE-EXT-', 'KUBE-SVL-'],
    },
    {
      name: '1.24: KUBE-EXT, and drops by mark',
      settings: '',
      argv: ['--kube-version', '1.24'],
      has: [':KUBE-EXT-', ':KUBE-SVL-', 'KUBE-MARK-DROP'],
      hasNot: ['KUBE-PROXY-FIREWALL'],
    },
    {
      name: '1.30: drops in filter',
      settings: '',
      argv: ['--kube-version', 'v1.30.4'],
      has: [':KUBE-EXT-', ':KUBE-PROXY-FIREWALL'],
      hasNot: ['KUBE-XLB'],
    },
  ])('$name', async ({ settings, argv = [], has = [], hasNot = [] }) => {
    const out = await rules(settings, ...argv)
    for (const text of has) expect(out).toContain(text)
    for (const text of hasNot) expect(out).not.toContain(text)
  })

  test('a value that kube-proxy cannot use is told', async () => {
    const files = { 'c.yaml': read('cluster.yaml'), 'p.yaml': config('detectLocalMode: Sometimes') }
    const ran = await runWith(files, ['show', 'iptables', '--node', 'node-a', '-f', 'c.yaml', '-f', 'p.yaml'])
    expect(ran.err).toContain('detectLocalMode is "Sometimes"')
    expect(ran.err).toContain('p.yaml')
  })

  test('the version whose rules are written is stated', async () => {
    const { out, status } = await runWith({}, ['--version', '-v'])
    expect(status).toBe(0)
    expect(out).toContain(`Kubernetes     1.${newestMinor}`)
  })
})

test('a trace follows the configuration: no node port on an address that nodePortAddresses leaves out', async () => {
  const files = {
    'c.yaml': read('cluster.yaml'),
    's.yaml': read('shop.yaml'),
    'p.yaml': config('nodePortAddresses: [127.0.0.0/8]'),
  }
  const ran = await runWith(files, [
    'trace',
    'external',
    'node/node-a:30080',
    '-q',
    '-f',
    'c.yaml',
    '-f',
    's.yaml',
    '-f',
    'p.yaml',
  ])
  expect(ran.status).toBe(1)
  expect(ran.out).toContain('not-listening')
})
