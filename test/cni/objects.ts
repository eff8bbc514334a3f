import { deviceName } from '../../src/artefact/link.ts'
import type { Uplink } from '../../src/cni/result.ts'
import type { KubeObject } from '../../src/kube/objects/meta.ts'
import type { Node } from '../../src/kube/objects/node.ts'
import type { Container, Pod } from '../../src/kube/objects/pod.ts'
import type { ClusterSettings } from '../../src/kube/settings.ts'
import { ObjectStore } from '../../src/kube/store.ts'
import { type InterfaceAddress, parseInterfaceAddress, prefix } from '../../src/net/prefix.ts'

export function storeOf(...objects: readonly KubeObject[]): ObjectStore {
  const store = new ObjectStore()
  for (const object of objects) store.create(object)
  return store
}

export const settings: ClusterSettings = {
  podNetworks: [prefix('10.244.0.0/16')],
  serviceNetworks: [prefix('10.96.0.0/12')],
  nodeMaskLength: { ipv4: 24, ipv6: 64 },
  clusterDomain: 'cluster.local',
  nodePorts: { from: 30000, to: 32767 },
  kubeVersion: '1.34',
}

export const node = (name: string, podCIDRs: readonly string[], metadata: Partial<Node['metadata']> = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, ...metadata },
  spec: { ...(podCIDRs[0] ? { podCIDR: podCIDRs[0] } : {}), podCIDRs },
})

export const pod = (name: string, nodeName: string, more: Partial<Pod['spec']> = {}, status?: Pod['status']): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { nodeName, containers: [{ name: 'main' }], ...more },
  ...(status ? { status } : {}),
})

export const withPorts = (...ports: NonNullable<Container['ports']>): Partial<Pod['spec']> => ({
  containers: [{ name: 'web', ports }],
})

export function address(text: string): InterfaceAddress {
  const parsed = parseInterfaceAddress(text)
  if (parsed === undefined) throw new Error(`no address: ${text}`)
  return parsed
}

export const uplink = (addresses: readonly string[], device = 'eth0', mtu = 1500): Uplink => ({
  device: deviceName(device),
  addresses: addresses.map(address),
  mtu,
})

/** `kube-flannel-cfg` as the manifest ships it, with this net-conf. */
export const flannelConfig = (netConf: unknown, cniConf?: unknown): KubeObject & { readonly data: object } => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'kube-flannel-cfg', namespace: 'kube-flannel' },
  data: {
    'net-conf.json': typeof netConf === 'string' ? netConf : JSON.stringify(netConf),
    ...(cniConf === undefined ? {} : { 'cni-conf.json': JSON.stringify(cniConf) }),
  },
})

export const daemonSet = (
  image: string,
  args: readonly string[],
  more: { readonly name?: string; readonly nodeSelector?: Readonly<Record<string, string>> } = {},
): KubeObject & { readonly spec: object } => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: more.name ?? 'kube-flannel-ds', namespace: 'kube-flannel' },
  spec: {
    template: {
      spec: {
        hostNetwork: true,
        ...(more.nodeSelector ? { nodeSelector: more.nodeSelector } : {}),
        containers: [{ name: 'kube-flannel', image, command: ['/opt/bin/flanneld'], args }],
      },
    },
  },
})

/** The three nodes of the reference: 192.168.0.100 on, 10.244.i.0/24. */
export const threeNodes = [0, 1, 2].map((i) => node(`node${i}`, [`10.244.${i}.0/24`]))
export const threeUplinks = new Map([0, 1, 2].map((i) => [`node${i}`, uplink([`192.168.0.10${i}/24`])]))
