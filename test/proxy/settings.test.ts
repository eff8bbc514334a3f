import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { Node } from '../../src/kube/objects/node.ts'
import { prefix } from '../../src/net/prefix.ts'
import { type ProxyFlags, proxySettings } from '../../src/proxy/settings.ts'
import { TestObjects } from './object-reader.ts'

const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'Node-A', labels: { 'topology.kubernetes.io/zone': 'a' } },
  spec: { podCIDRs: ['10.244.1.0/24', 'fd00:1::/64'] },
  status: {
    addresses: [
      { type: 'Hostname', address: 'node-a' },
      { type: 'ExternalIP', address: '203.0.113.1' },
      { type: 'InternalIP', address: '192.168.0.2' },
      { type: 'InternalIP', address: '2001:db8::2' },
    ],
    nodeInfo: { kubeletVersion: 'v1.29.3' },
  },
}

const configMap = (text: string): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'kube-proxy', namespace: 'kube-system' },
    data: { 'config.conf': `apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n${text}` },
  }) as KubeObject

const daemonSet = (command: readonly string[], image = 'registry.k8s.io/kube-proxy:v1.31.4'): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'kube-proxy', namespace: 'kube-system' },
    spec: { template: { spec: { containers: [{ name: 'kube-proxy', image, command }] } } },
  }) as KubeObject

const found = (objects: readonly KubeObject[], family: 'ipv4' | 'ipv6' = 'ipv4', flags: ProxyFlags = {}) =>
  proxySettings(new TestObjects(objects), node, family, flags)

/** As kubeadm writes it, nulls and empty texts included. */
const kubeadm = `
bindAddress: 0.0.0.0
bindAddressHardFail: false
clusterCIDR: 10.244.0.0/16,fd00::/48
conntrack: {maxPerCore: null, min: null, tcpBeLiberal: false}
detectLocal: {bridgeInterface: "", interfaceNamePrefix: ""}
detectLocalMode: ""
hostnameOverride: ""
iptables: {localhostNodePorts: null, masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s}
mode: ""
nodePortAddresses: null
`

test('the configuration of kubeadm gives the production defaults', () => {
  const { settings, problems } = found([
    configMap(kubeadm),
    daemonSet(['/usr/local/bin/kube-proxy', '--config=/x', '--hostname-override=$(NODE_NAME)']),
  ])
  expect(problems).toEqual([])
  expect(settings).toEqual({
    mode: 'iptables',
    family: 'ipv4',
    nodeName: 'node-a',
    nodeLabels: { 'topology.kubernetes.io/zone': 'a' },
    nodeIP: '192.168.0.2',
    localIPs: ['127.0.0.1', '::1', '192.168.0.2', '2001:db8::2', '203.0.113.1'],
    detectLocal: { by: 'source', mode: 'ClusterCIDR', prefix: prefix('10.244.0.0/16') },
    masqueradeAll: false,
    masqueradeMark: 0x4000,
    randomFully: true,
    localhostNodePorts: true,
    nodePortAddresses: undefined,
    conntrackTCPBeLiberal: false,
    nfacct: false,
    featureGates: {},
    minor: 31,
    kubeletRanFirst: true,
  })
})

test('the other family has its own node IP, pod network, and no node ports on loopback', () => {
  const { settings } = found([configMap(kubeadm)], 'ipv6')
  expect(settings).toMatchObject({
    nodeIP: '2001:db8::2',
    detectLocal: { prefix: prefix('fd00::/48') },
    localhostNodePorts: false,
  })
})

test('without any configuration the pod network of the cluster is what kubeadm would have written', () => {
  const { settings } = found([], 'ipv4', { podNetworks: [prefix('10.244.0.0/16')] })
  expect(settings.detectLocal).toMatchObject({ prefix: prefix('10.244.0.0/16') })
  expect(settings.minor).toBe(29)
})

test('a configuration without clusterCIDR has no detector', () => {
  const { settings } = found([configMap('clusterCIDR: ""')], 'ipv4', { podNetworks: [prefix('10.244.0.0/16')] })
  expect(settings.detectLocal).toEqual({ by: 'none' })
})

describe('detectLocalMode', () => {
  test.each([
    { text: 'detectLocalMode: NodeCIDR', by: { by: 'source', mode: 'NodeCIDR', prefix: prefix('10.244.1.0/24') } },
    {
      text: 'detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: cni0}',
      by: { by: 'interface', mode: 'BridgeInterface', pattern: 'cni0' },
    },
    {
      text: 'detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: veth}',
      by: { by: 'interface', mode: 'InterfaceNamePrefix', pattern: 'veth+' },
    },
    { text: 'detectLocalMode: BridgeInterface', by: { by: 'none' } },
  ])('$text', ({ text, by }) => {
    expect(found([configMap(text)]).settings.detectLocal).toEqual(by)
  })
})

describe('nodePortAddresses', () => {
  test.each([
    { text: '[192.168.0.0/24]', prefixes: [prefix('192.168.0.0/24')], localhost: false },
    {
      text: '[192.168.0.0/24, 127.0.0.0/8]',
      prefixes: [prefix('192.168.0.0/24'), prefix('127.0.0.0/8')],
      localhost: true,
    },
    { text: '["2001:db8::/64"]', prefixes: undefined, localhost: true },
    { text: '[192.168.0.0/24, 0.0.0.0/0]', prefixes: undefined, localhost: true },
    { text: '[primary]', prefixes: [prefix('192.168.0.2/32')], localhost: false },
  ])('$text', ({ text, prefixes, localhost }) => {
    const { settings } = found([configMap(`nodePortAddresses: ${text}`)])
    expect({ prefixes: settings.nodePortAddresses, localhost: settings.localhostNodePorts }).toEqual({
      prefixes,
      localhost,
    })
  })

  test('nftables mode answers on the primary address alone by default', () => {
    expect(found([configMap('mode: nftables')]).settings.nodePortAddresses).toEqual([prefix('192.168.0.2/32')])
  })
})

test('flags of a container without a configuration file count', () => {
  const shell =
    'kube-proxy --proxy-mode=ipvs --cluster-cidr 10.1.0.0/16 --masquerade-all --feature-gates=A=true,B=false 2>>/log'
  const { settings, problems } = found([daemonSet(['/bin/sh', '-c', shell])])
  expect(problems).toEqual([])
  expect(settings).toMatchObject({
    mode: 'ipvs',
    detectLocal: { prefix: prefix('10.1.0.0/16') },
    masqueradeAll: true,
    featureGates: { A: true, B: false },
  })
})

describe('what is wrong is told, and the default taken', () => {
  test.each([
    { text: 'mode: ebpf', field: 'mode' },
    { text: 'iptables: {masqueradeBit: 40}', field: 'masqueradeBit' },
    { text: 'iptables: {masqueradeBit: x}', field: 'iptables.masqueradeBit' },
    { text: 'clusterCIDR: 10.244.0.0', field: 'clusterCIDR' },
    { text: 'detectLocalMode: Magic', field: 'detectLocalMode' },
    { text: 'nodePortAddresses: [here]', field: 'nodePortAddresses' },
    { text: 'nodePortAddresses: here', field: 'nodePortAddresses' },
    { text: 'mode: [', field: 'data.config.conf' },
  ])('$text', ({ text, field }) => {
    const { settings, problems } = found([configMap(text)])
    expect(problems.map((p) => p.field)).toEqual([field])
    expect(settings).toMatchObject({ mode: 'iptables', masqueradeMark: 0x4000 })
  })

  test('a version that nobody has', () => {
    expect(found([], 'ipv4', { kubeVersion: 'latest' }).problems.map((p) => p.field)).toEqual(['kubeVersion'])
    expect(found([], 'ipv4', { kubeVersion: '1.16' }).settings.minor).toBe(22)
  })
})
