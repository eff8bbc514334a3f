import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { ObjectReader } from '../kube/store.ts'
import { familyOf, type Ip, parseIp } from '../net/ip.ts'
import { type Prefix, prefixContains, prefixFamily } from '../net/prefix.ts'
import { podKey, sandboxId } from './digest.ts'
import { type AddressRange, addressRange, HostLocal } from './host-local.ts'
import type { NetworkProblem } from './problem.ts'
import { type Sandbox, type SandboxAddress, vethName } from './sandbox.ts'

/** The pods with a network of their own, by node, in the order in which the objects came. */
export function podsByNode(objects: ObjectReader): ReadonlyMap<string, readonly Pod[]> {
  const byNode = new Map<string, Pod[]>()
  for (const pod of objects.list('Pod')) {
    const node = pod.spec.nodeName
    if (node === undefined || pod.spec.hostNetwork || hasEnded(pod)) continue
    const here = byNode.get(node)
    if (here) here.push(pod)
    else byNode.set(node, [pod])
  }
  return byNode
}

/** Its sandbox is gone, and its address with it. */
export const hasEnded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

export const statusIps = (pod: Pod): readonly Ip[] => {
  const listed = (pod.status?.podIPs ?? []).map((p) => p.ip)
  const texts = listed.length > 0 ? listed : [pod.status?.podIP ?? '']
  return texts.flatMap((text) => parseIp(text) ?? [])
}

/** How a plugin picks the next address of one subnet: host-local, or docker's own. */
export type Allocator = (
  ranges: readonly AddressRange[],
  held: readonly (readonly [Ip, string])[],
) => (id: string) => { readonly ip: Ip } | { readonly error: string }

export const hostLocalAllocator: Allocator = (ranges, held) => {
  const store = new HostLocal(ranges)
  for (const [ip, id] of held) store.reserve(ip, id)
  return (id) => store.add(id)
}

export interface Sandboxes {
  readonly sandboxes: readonly Sandbox[]
  readonly problems: readonly NetworkProblem[]
}

/** Addresses as the status gives them; where it gives none, one per subnet by the plugin's own order. */
export function addressPods(
  node: Node,
  pods: readonly Pod[],
  subnets: readonly Prefix[],
  allocator: Allocator = hostLocalAllocator,
): Sandboxes {
  const problems: NetworkProblem[] = []
  const pools = subnets.flatMap((subnet) => poolOf(subnet, pods, allocator, node, problems))
  const sandboxes = pods.flatMap((pod): Sandbox[] => {
    const addresses = pools.flatMap((pool) => addressIn(pool, pod, node, problems))
    const complete = addresses.length === pools.length && pools.length > 0
    return complete ? [{ pod, node, id: sandboxId(pod), addresses, hostDevice: vethName(pod) }] : []
  })
  return { sandboxes, problems }
}

interface Pool {
  readonly range: AddressRange
  readonly next: ReturnType<Allocator>
}

function poolOf(
  subnet: Prefix,
  pods: readonly Pod[],
  allocator: Allocator,
  node: Node,
  problems: NetworkProblem[],
): readonly Pool[] {
  const result = addressRange({ subnet: `${subnet.address}/${subnet.length}` })
  if ('error' in result) {
    problems.push({ by: 'host-local', message: result.error, node: node.metadata.name })
    return []
  }
  const held = pods.flatMap((pod) => statusIps(pod).map((ip) => [ip, podKey(pod)] as const))
  return [{ range: result.range, next: allocator([result.range], held) }]
}

function addressIn({ range, next }: Pool, pod: Pod, node: Node, problems: NetworkProblem[]): readonly SandboxAddress[] {
  const { subnet, gateway } = range
  const given = statusIps(pod).find((ip) => familyOf(ip) === prefixFamily(subnet))
  const about = { object: podRef(pod), node: node.metadata.name }
  if (given !== undefined) {
    if (!prefixContains(subnet, given)) problems.push({ ...outside(given, subnet, node), ...about })
    return [{ ip: given, length: subnet.length, gateway }]
  }
  const offer = next(podKey(pod))
  if ('ip' in offer) return [{ ip: offer.ip, length: subnet.length, gateway }]
  problems.push({ by: 'host-local', message: `${offer.error}; the pod stays without a network`, ...about })
  return []
}

const outside = (ip: Ip, subnet: Prefix, node: Node) => ({
  by: 'host-local',
  message: `${ip} is outside ${node.metadata.name}'s podCIDR ${subnet.address}/${subnet.length}: no route leads to it`,
  field: 'status.podIP',
})

export const podRef = (pod: Pod) => ({
  kind: 'Pod',
  namespace: pod.metadata.namespace ?? 'default',
  name: pod.metadata.name,
})
