import type { BlockAffinity } from '../../kube/objects/calico.ts'
import type { Node } from '../../kube/objects/node.ts'
import type { Pod } from '../../kube/objects/pod.ts'
import type { ObjectReader, ObjectStore } from '../../kube/store.ts'
import { type Family, families, type Ip, parseIp } from '../../net/ip.ts'
import {
  formatPrefix,
  networkOf,
  nthAddress,
  nthSubnet,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixFamily,
  prefixSize,
} from '../../net/prefix.ts'
import { parseJson } from '../json.ts'
import { hasEnded, statusIps } from '../pod-addresses.ts'
import { fnv32 } from './names.ts'
import { calicoObjects } from './objects.ts'
import { isSelected, type Pool, poolHolding, poolsOf } from './pool.ts'

/** A block of addresses that one node hands out; another node may borrow from it. */
export interface Block {
  readonly cidr: Prefix
  readonly node: string
}

/** Annotations of a Node under which Calico keeps what it has given to it. */
export const nodeAnnotations = {
  ipv4: 'projectcalico.org/IPv4Address',
  ipv6: 'projectcalico.org/IPv6Address',
  ipip: 'projectcalico.org/IPv4IPIPTunnelAddr',
  vxlan: 'projectcalico.org/IPv4VXLANTunnelAddr',
  vxlan6: 'projectcalico.org/IPv6VXLANTunnelAddr',
} as const

export const tunnelAddressesOf = (node: Node): readonly Ip[] =>
  [nodeAnnotations.ipip, nodeAnnotations.vxlan, nodeAnnotations.vxlan6].flatMap(
    (key) => parseIp(node.metadata.annotations?.[key] ?? '') ?? [],
  )

/**
 * Who has which block: by affinities and blocks that the objects hold; a dump of pods and nodes alone tells by the addresses
 * that are in use, a block belonging to the node with the tunnel address in it, else to the one with most pods there.
 */
export function blocksOf(objects: ObjectReader, pools: readonly Pool[] = poolsOf(objects)): readonly Block[] {
  const known = new Map<string, Block>()
  const add = (text: string, node: string): void => {
    const cidr = parsePrefix(text)
    if (cidr && !known.has(formatPrefix(cidr))) known.set(formatPrefix(cidr), { cidr, node })
  }
  for (const { spec } of calicoObjects(objects, 'BlockAffinity')) {
    const gone = String(spec.deleted) === 'true' || spec.state === 'pending'
    if (!gone && (spec.type ?? 'host') === 'host') add(spec.cidr, spec.node)
  }
  for (const { spec } of calicoObjects(objects, 'IPAMBlock')) {
    const node = /^host:(.+)$/.exec(spec.affinity ?? '')?.[1]
    if (node !== undefined && spec.deleted !== true) add(spec.cidr, node)
  }
  for (const [cidr, node] of inferred(objects, pools)) add(cidr, node)
  return [...known.values()]
}

function inferred(objects: ObjectReader, pools: readonly Pool[]): readonly (readonly [string, string])[] {
  const votes = new Map<string, Map<string, number>>()
  const vote = (ip: Ip, node: string, weight: number): void => {
    const pool = poolHolding(pools, ip)
    if (!pool) return
    const block = formatPrefix(networkOf(ip, pool.blockSize))
    const counts = votes.get(block) ?? new Map<string, number>()
    counts.set(node, (counts.get(node) ?? 0) + weight)
    votes.set(block, counts)
  }
  for (const node of objects.list('Node')) for (const ip of tunnelAddressesOf(node)) vote(ip, node.metadata.name, 1e6)
  for (const pod of objects.list('Pod')) {
    const { nodeName, hostNetwork } = pod.spec
    if (nodeName !== undefined && !hostNetwork && !hasEnded(pod)) for (const ip of statusIps(pod)) vote(ip, nodeName, 1)
  }
  return [...votes].map(([block, counts]) => {
    const [best] = [...counts].sort((a, b) => b[1] - a[1])
    return [block, best?.[0] ?? ''] as const
  })
}

/** calico-ipam: one allocator for the whole cluster. What it claims for a node becomes a BlockAffinity. */
export class CalicoIpam {
  readonly #store: ObjectStore
  readonly #pools: readonly Pool[]
  readonly #blocks: Map<string, Block>
  readonly #taken = new Set<Ip>()
  readonly #reserved: readonly Prefix[]
  readonly #strict: boolean
  readonly #maxBlocks: number

  constructor(store: ObjectStore) {
    this.#store = store
    this.#pools = poolsOf(store)
    this.#blocks = new Map(blocksOf(store, this.#pools).map((b) => [formatPrefix(b.cidr), b]))
    const config = calicoObjects(store, 'IPAMConfig')[0]?.spec
    this.#strict = config?.strictAffinity ?? false
    this.#maxBlocks = config?.maxBlocksPerHost || Number.POSITIVE_INFINITY
    this.#reserved = calicoObjects(store, 'IPReservation')
      .flatMap((r) => r.spec.reservedCIDRs ?? [])
      .flatMap((text) => parsePrefix(text) ?? [])
    for (const pod of store.list('Pod')) if (!hasEnded(pod)) for (const ip of statusIps(pod)) this.#taken.add(ip)
    for (const node of store.list('Node')) for (const ip of tunnelAddressesOf(node)) this.#taken.add(ip)
    for (const block of calicoObjects(store, 'IPAMBlock')) this.#takeFrom(block.spec.cidr, block.spec.allocations ?? [])
  }

  /** One address per family that has a pool for this pod; undefined where a family is full. */
  forPod(pod: Pod, node: Node): readonly Ip[] | undefined {
    const asked = this.#askedAddresses(pod)
    if (asked.length > 0) return asked
    const found = families
      .map((family) => this.#poolsFor(pod, node, family))
      .filter((pools) => pools.length > 0)
      .map((pools) => this.assign(node.metadata.name, pools))
    const ips = found.flatMap((ip) => ip ?? [])
    return ips.length === 0 || ips.length < found.length ? undefined : ips
  }

  /** The address of a node's tunnel device, from a pool that uses the tunnel. */
  forTunnel(node: Node, family: Family, kind: 'ipip' | 'vxlan'): Ip | undefined {
    const pools = this.#pools.filter(
      (p) =>
        prefixFamily(p.cidr) === family &&
        p[kind] !== 'Never' &&
        !p.disabled &&
        p.uses.includes('Tunnel') &&
        isSelected(p.nodeSelector, node.metadata.labels ?? {}),
    )
    return pools.length === 0 ? undefined : this.assign(node.metadata.name, pools)
  }

  /** The node's own blocks, then a new one, then others' blocks unless affinity is strict. */
  assign(node: string, pools: readonly Pool[]): Ip | undefined {
    const own = [...this.#blocks.values()].filter((b) => b.node === node && this.#within(b, pools))
    const ip =
      this.#first(own) ?? (own.length < this.#maxBlocks ? this.#claim(node, pools) : undefined) ?? this.#borrow(pools)
    if (ip !== undefined) this.#taken.add(ip)
    return ip
  }

  #first(blocks: readonly Block[]): Ip | undefined {
    for (const { cidr } of blocks) {
      const size = prefixSize(cidr)
      for (let n = 0n; n < size; n++) {
        const ip = nthAddress(cidr, n)
        if (ip && !this.#taken.has(ip) && !this.#reserved.some((r) => prefixContains(r, ip))) return ip
      }
    }
    return undefined
  }

  /** Calico starts at a place that a generator seeded with the node's name gives; here the hash of the name is that place. */
  #claim(node: string, pools: readonly Pool[]): Ip | undefined {
    for (const { cidr, blockSize } of pools) {
      const count = 2 ** Math.min(blockSize - cidr.length, 24)
      const start = fnv32(node) % count
      for (let i = 0; i < count; i++) {
        const block = nthSubnet(cidr, blockSize, (start + i) % count)
        if (block === undefined || this.#blocks.has(formatPrefix(block))) continue
        this.#give(block, node)
        const ip = this.#first([{ cidr: block, node }])
        if (ip !== undefined) return ip
      }
    }
    return undefined
  }

  #borrow(pools: readonly Pool[]): Ip | undefined {
    return this.#strict ? undefined : this.#first([...this.#blocks.values()].filter((b) => this.#within(b, pools)))
  }

  #give(cidr: Prefix, node: string): void {
    this.#blocks.set(formatPrefix(cidr), { cidr, node })
    const affinity: BlockAffinity = {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'BlockAffinity',
      metadata: { name: `${node}-${formatPrefix(cidr).replace(/[.:/]/g, '-')}` },
      spec: { cidr: formatPrefix(cidr), node, state: 'confirmed', type: 'host', deleted: 'false' },
    }
    this.#store.apply(affinity)
  }

  #within({ cidr }: Block, pools: readonly Pool[]): boolean {
    return pools.some((pool) => prefixContains(pool.cidr, cidr.address))
  }

  #takeFrom(cidr: string, allocations: readonly unknown[]): void {
    const block = parsePrefix(cidr)
    allocations.forEach((holder, n) => {
      const ip = holder === null || holder === undefined || !block ? undefined : nthAddress(block, n)
      if (ip) this.#taken.add(ip)
    })
  }

  /** `cni.projectcalico.org/ipAddrs`: exactly these. */
  #askedAddresses(pod: Pod): readonly Ip[] {
    const ips = textsIn(pod.metadata.annotations?.['cni.projectcalico.org/ipAddrs']).flatMap((t) => parseIp(t) ?? [])
    if (ips.some((ip) => this.#taken.has(ip))) return []
    for (const ip of ips) this.#taken.add(ip)
    return ips
  }

  /** Pools that an annotation of the pod, or of its namespace, asks for; else those that select node and namespace. */
  #poolsFor(pod: Pod, node: Node, family: Family): readonly Pool[] {
    const namespace = this.#store.get('Namespace', pod.metadata.namespace ?? 'default')
    const key = `cni.projectcalico.org/${family === 'ipv4' ? 'ipv4pools' : 'ipv6pools'}`
    const asked = textsIn(pod.metadata.annotations?.[key] ?? namespace?.metadata.annotations?.[key])
    const usable = this.#pools.filter(
      (p) => prefixFamily(p.cidr) === family && !p.disabled && p.uses.includes('Workload'),
    )
    if (asked.length > 0) return usable.filter((p) => asked.includes(p.name) || asked.includes(formatPrefix(p.cidr)))
    const labels = namespace?.metadata.labels ?? {}
    return usable.filter(
      (p) =>
        !p.manual &&
        isSelected(p.nodeSelector, node.metadata.labels ?? {}) &&
        (p.namespaceSelector === '' || isSelected(p.namespaceSelector, labels)),
    )
  }
}

/** A JSON list of texts. */
function textsIn(text: string | undefined): readonly string[] {
  if (text === undefined) return []
  const parsed = parseJson(text)
  return 'value' in parsed && Array.isArray(parsed.value) ? parsed.value.map(String) : []
}
