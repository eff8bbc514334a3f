import type { Node } from '../kube/objects/node.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import { type Ip, ipToBigInt } from '../net/ip.ts'
import {
  formatPrefix,
  nthSubnet,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixFamily,
  prefixSize,
} from '../net/prefix.ts'
import type { ControllerContext } from './context.ts'
import { type PodRanges, podRanges } from './pod-ranges.ts'

/**
 * kube-controller-manager's range allocator (`pkg/controller/nodeipam`): each node, in order, of every pod network the block
 * that its pods show, or the first free one. Blocks of given nodes, those that pods of any node have an address of, and what
 * lies in a service network are never given out. A node that has any is kept.
 */
export function runPodCidrs(context: ControllerContext): void {
  const { store, settings } = context
  const nodes = store.list('Node')
  const given = [...nodes.flatMap(podCidrsOf), ...settings.serviceNetworks]
  const bare = nodes.filter((node) => podCidrsOf(node).length === 0)
  const shown = podRanges(bare, store.list('Pod'), settings, given)
  const taken = [...given, ...shown.used]
  const ranges = settings.podNetworks.map((network) => blocksOf(network, settings, taken))
  for (const node of nodes) {
    if (podCidrsOf(node).length > 0) store.update(withPodCidrs(node, podCidrsOf(node).map(formatPrefix)))
    else allocate(node, ranges, shown, context)
  }
}

function allocate(node: Node, ranges: readonly Blocks[], shown: PodRanges, { store, report }: ControllerContext): void {
  const blocks: string[] = []
  for (const { network, length, next } of ranges) {
    const block = shown.of(node, network) ?? next()
    if (block) blocks.push(formatPrefix(block))
    else report('POD_CIDRS_EXHAUSTED', node, ['spec', 'podCIDRs'], { network: formatPrefix(network), length })
  }
  if (blocks.length > 0) store.update(withPodCidrs(node, blocks))
}

/** A node's pod ranges, the first being its podCIDR. */
export function podCidrsOf(node: Node): readonly Prefix[] {
  const { podCIDR, podCIDRs = [] } = node.spec ?? {}
  const texts = podCIDRs.length > 0 ? podCIDRs : podCIDR === undefined ? [] : [podCIDR]
  return texts.map(parsePrefix).filter((p) => p !== undefined)
}

function withPodCidrs(node: Node, podCIDRs: readonly string[]): Node {
  const [podCIDR = ''] = podCIDRs
  return { ...node, spec: { ...node.spec, podCIDR, podCIDRs } }
}

interface Blocks {
  readonly network: Prefix
  readonly length: number
  next(): Prefix | undefined
}

function blocksOf(network: Prefix, { nodeMaskLength, nodeBlocks }: ClusterSettings, all: readonly Prefix[]): Blocks {
  const length = Math.max(nodeMaskLength[prefixFamily(network)], network.length)
  const bound = (ips: readonly Ip[] = []): Ip | undefined => ips.find((ip) => prefixContains(network, ip))
  const [first, last] = [bound(nodeBlocks?.first), bound(nodeBlocks?.last)]
  const taken = all.filter((p) => prefixesOverlap(p, network))
  const exact = new Set(taken.filter((p) => p.length === length).map(formatPrefix))
  const odd = taken.filter((p) => p.length !== length)
  let n = first === undefined ? 0 : blocksBefore(first, network, length)
  const end = last === undefined ? Number.POSITIVE_INFINITY : blocksBefore(last, network, length)
  const next = (): Prefix | undefined => {
    for (; ; n++) {
      const block = n > end ? undefined : nthSubnet(network, length, n)
      if (block === undefined) return undefined
      if (exact.has(formatPrefix(block))) continue
      const obstacle = odd.find((p) => prefixesOverlap(p, block))
      if (obstacle === undefined) {
        n++
        return block
      }
      n += blocksWithin(obstacle, length) - 1
    }
  }
  return { network, length, next }
}

const blocksBefore = (ip: Ip, network: Prefix, length: number): number =>
  Number((ipToBigInt(ip) - ipToBigInt(network.address)) / prefixSize({ ...network, length }))

/** How many blocks to pass over at once; an obstacle may hold millions. Its blocks are aligned with ours. */
const blocksWithin = (obstacle: Prefix, length: number): number =>
  obstacle.length >= length
    ? 1
    : Number(prefixSize(obstacle) >> BigInt((prefixFamily(obstacle) === 'ipv4' ? 32 : 128) - length))
