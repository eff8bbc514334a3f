import type { EncapMode, IpPool } from '../../kube/objects/calico.ts'
import type { Node } from '../../kube/objects/node.ts'
import type { Pod } from '../../kube/objects/pod.ts'
import type { ClusterSettings } from '../../kube/settings.ts'
import type { ObjectReader, ObjectStore } from '../../kube/store.ts'
import type { Ip } from '../../net/ip.ts'
import { formatPrefix, prefixFamily } from '../../net/prefix.ts'
import { type CalicoNodeDaemon, calicoNodeDaemon } from './environment.ts'
import { CalicoIpam, nodeAnnotations } from './ipam.ts'
import { calicoObjects } from './objects.ts'

/**
 * What calico-node does once when it starts: the first pools, a tunnel address for every node. Gives back what the CNI plugin
 * asks for the address of a new pod.
 */
export function startCalico(
  store: ObjectStore,
  settings: ClusterSettings,
): (pod: Pod, node: Node) => readonly Ip[] | undefined {
  if (calicoObjects(store, 'IPPool').length === 0) for (const pool of firstPools(store, settings)) store.apply(pool)
  const ipam = new CalicoIpam(store)
  for (const node of store.list('Node')) store.update(withTunnelAddresses(node, ipam))
  return (pod, node) => ipam.forPod(pod, store.get('Node', node.metadata.name) ?? node)
}

function firstPools(objects: ObjectReader, settings: ClusterSettings): readonly IpPool[] {
  const installed = installedPools(objects)
  if (installed.length > 0) return installed
  const daemon = calicoNodeDaemon(objects)
  if (daemon.env.get('NO_DEFAULT_POOLS') === 'true') return []
  return settings.podNetworks.map((network) => {
    const family = prefixFamily(network)
    return environmentPool(daemon, family === 'ipv4' ? 4 : 6, formatPrefix(network))
  })
}

const encapModes: Readonly<Record<string, EncapMode>> = {
  always: 'Always',
  crosssubnet: 'CrossSubnet',
  'cross-subnet': 'CrossSubnet',
}

/** CALICO_IPV4POOL_*: what the manifests set (node/pkg/lifecycle/startup). */
function environmentPool({ env, daemonSet }: CalicoNodeDaemon, v: 4 | 6, network: string): IpPool {
  const read = (name: string): string | undefined => env.get(`CALICO_IPV${v}POOL_${name}`)
  const mode = (name: string, missing: EncapMode): EncapMode =>
    read(name) === undefined ? missing : (encapModes[read(name)?.toLowerCase() ?? ''] ?? 'Never')
  const vxlanMode = mode('VXLAN', 'Never')
  // The manifest's default: IPIP, which IPv6 does not have.
  const ipipMode =
    v === 6 ? 'Never' : mode('IPIP', vxlanMode === 'Never' && daemonSet === undefined ? 'Always' : 'Never')
  const blockSize = Number(read('BLOCK_SIZE') ?? (v === 4 ? 26 : 122))
  return pool(`default-ipv${v}-ippool`, {
    cidr: read('CIDR') ?? network,
    blockSize,
    ipipMode,
    vxlanMode,
    natOutgoing: (read('NAT_OUTGOING') ?? String(v === 4)).toLowerCase() === 'true',
    nodeSelector: read('NODE_SELECTOR') ?? 'all()',
  })
}

const pool = (name: string, spec: IpPool['spec']): IpPool => ({
  apiVersion: 'crd.projectcalico.org/v1',
  kind: 'IPPool',
  metadata: { name },
  spec: { allowedUses: ['Workload', 'Tunnel'], ...spec },
})

type Fields = Readonly<Record<string, unknown>>
const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})

/** The operator makes the pools of its Installation. */
function installedPools(objects: ObjectReader): readonly IpPool[] {
  const [installation] = objects.listAll('Installation.operator.tigera.io')
  const { ipPools } = fieldsOf(fieldsOf(fieldsOf({ ...installation }).spec).calicoNetwork)
  if (!Array.isArray(ipPools)) return []
  return ipPools.map(fieldsOf).flatMap((given, i) => {
    if (typeof given.cidr !== 'string') return []
    const v = given.cidr.includes(':') ? 6 : 4
    const encapsulation = String(given.encapsulation ?? 'IPIP')
    const modeOf = (prefix: string): EncapMode =>
      encapsulation === prefix ? 'Always' : encapsulation === `${prefix}CrossSubnet` ? 'CrossSubnet' : 'Never'
    return pool(typeof given.name === 'string' ? given.name : `default-ipv${v}-ippool${i > 1 ? `-${i}` : ''}`, {
      cidr: given.cidr,
      blockSize: typeof given.blockSize === 'number' ? given.blockSize : v === 4 ? 26 : 122,
      ipipMode: modeOf('IPIP'),
      vxlanMode: modeOf('VXLAN'),
      natOutgoing: given.natOutgoing !== 'Disabled',
      nodeSelector: typeof given.nodeSelector === 'string' ? given.nodeSelector : 'all()',
    })
  })
}

const tunnels = [
  { key: nodeAnnotations.ipip, family: 'ipv4', kind: 'ipip' },
  { key: nodeAnnotations.vxlan, family: 'ipv4', kind: 'vxlan' },
  { key: nodeAnnotations.vxlan6, family: 'ipv6', kind: 'vxlan' },
] as const

/** allocate-tunnel-addrs: an address of the node's own blocks for each tunnel that some pool uses. */
function withTunnelAddresses(node: Node, ipam: CalicoIpam): Node {
  const { annotations = {} } = node.metadata
  const added = tunnels.flatMap(({ key, family, kind }) => {
    const ip = annotations[key] === undefined ? ipam.forTunnel(node, family, kind) : undefined
    return ip === undefined ? [] : [[key, ip] as const]
  })
  if (added.length === 0) return node
  return { ...node, metadata: { ...node.metadata, annotations: { ...annotations, ...Object.fromEntries(added) } } }
}
