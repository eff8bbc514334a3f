import { parseApiIp } from '../kube/addresses.ts'
import type { Node, NodeAddress } from '../kube/objects/node.ts'
import type { Family, Ip } from '../net/ip.ts'
import { nthAddress, type Prefix, prefix, prefixFamily } from '../net/prefix.ts'
import type { ControllerContext } from './context.ts'
import { nodesOfPods } from './nodes-of-pods.ts'

/** Where nodes without an InternalIP get one from: the eleventh address and on, the first being the router's. */
const nodeNetworks: Readonly<Record<Family, Prefix>> = {
  ipv4: prefix('192.168.50.0/24'),
  ipv6: prefix('fd00:192:168:50::/64'),
}
const firstNodeIndex = 11

/** What a kubelet tells of its node when it registers: address, labels, readiness. Makes nodes when there are none. */
export function runNodes(context: ControllerContext): void {
  const { store } = context
  if (store.list('Node').length === 0) for (const node of missingNodes(context)) store.create(node)
  const taken = new Set(store.list('Node').flatMap((n) => (n.status?.addresses ?? []).map((a) => a.address)))
  for (const node of store.list('Node')) store.update(registered(node, context, taken))
}

/** A dump without nodes still names them; plain manifests get three workers. */
function missingNodes({ store }: ControllerContext): readonly Node[] {
  const named = nodesOfPods(store.list('Pod'))
  return named.length > 0 ? named : ['node-a', 'node-b', 'node-c'].map(bareNode)
}

const bareNode = (name: string): Node => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } })

function registered(node: Node, context: ControllerContext, taken: Set<string>): Node {
  const { name, labels = {} } = node.metadata
  const os = labels['kubernetes.io/os'] ?? labels['beta.kubernetes.io/os'] ?? 'linux'
  const arch = labels['kubernetes.io/arch'] ?? labels['beta.kubernetes.io/arch'] ?? 'amd64'
  const filled = {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': os,
    'kubernetes.io/arch': arch,
    'beta.kubernetes.io/os': os,
    'beta.kubernetes.io/arch': arch,
    ...labels,
  }
  return {
    ...node,
    metadata: { ...node.metadata, labels: filled },
    status: {
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }],
      nodeInfo: nodeInfo(context),
      ...node.status,
      addresses: addresses(node, context, taken),
    },
  }
}

const nodeInfo = ({ settings }: ControllerContext) => ({ kubeletVersion: `v${settings.kubeVersion}.0` })

function addresses(node: Node, { settings }: ControllerContext, taken: Set<string>): readonly NodeAddress[] {
  const given = node.status?.addresses ?? []
  if (given.some((a) => a.type === 'InternalIP')) return given
  const families = settings.podNetworks.map(prefixFamily)
  const made = families.map((family) => freeAddress(nodeNetworks[family], taken))
  for (const address of made) taken.add(address)
  const hostname = given.some((a) => a.type === 'Hostname')
    ? []
    : [{ type: 'Hostname' as const, address: node.metadata.name }]
  return [...made.map((address) => ({ type: 'InternalIP' as const, address })), ...given, ...hostname]
}

function freeAddress(network: Prefix, taken: ReadonlySet<string>): Ip {
  for (let n = firstNodeIndex; ; n++) {
    const address = nthAddress(network, n)
    // A /24 of workers is full: go on in the block above it.
    if (address === undefined) return freeAddress({ ...network, length: network.length - 1 }, taken)
    if (!taken.has(address)) return address
  }
}

/** The node's InternalIPs in the order of its status. */
export function internalIps(node: Node): readonly Ip[] {
  const internal = (node.status?.addresses ?? []).filter((a) => a.type === 'InternalIP')
  return internal.map((a) => parseApiIp(a.address)).filter((ip) => ip !== undefined)
}
