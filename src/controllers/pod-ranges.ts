import type { Node } from '../kube/objects/node.ts'
import type { Pod } from '../kube/objects/pod.ts'
import type { ClusterSettings } from '../kube/settings.ts'
import { familyOf } from '../net/ip.ts'
import { formatPrefix, networkOf, type Prefix, prefixContains, prefixesOverlap } from '../net/prefix.ts'
import { groupBy } from './group-by.ts'
import { podIpsOf } from './pod-state.ts'

/** Pod ranges of nodes that do not tell theirs, as the addresses of their pods show them. */
export interface PodRanges {
  of(node: Node, network: Prefix): Prefix | undefined
  /** Every block of which a pod of those nodes has an address. */
  readonly used: readonly Prefix[]
}

/**
 * One block per pod network, where all of a node's pods agree on it; Calico's pods, for one, need not. A block that overlaps
 * one of another node, or one of `given`, shows nothing.
 */
export function podRanges(
  nodes: readonly Node[],
  pods: readonly Pod[],
  { podNetworks, nodeMaskLength }: ClusterSettings,
  given: readonly Prefix[],
): PodRanges {
  const byNode = groupBy(
    pods.filter((p) => !p.spec.hostNetwork),
    (p) => p.spec.nodeName,
  )
  const blocks = nodes.flatMap(({ metadata: { name } }) =>
    podNetworks.map((network) => {
      const inside = (byNode.get(name) ?? []).flatMap(podIpsOf).filter((ip) => prefixContains(network, ip))
      const seen = inside.map((ip) => networkOf(ip, Math.max(nodeMaskLength[familyOf(ip)], network.length)))
      return { name, network, seen: [...new Map(seen.map((p) => [formatPrefix(p), p])).values()] }
    }),
  )
  const owners = groupBy(
    blocks.flatMap(({ name, seen }) => seen.map((p) => ({ name, block: formatPrefix(p) }))),
    ({ block }) => block,
  )
  const isOwn = (block: Prefix): boolean =>
    owners.get(formatPrefix(block))?.length === 1 && !given.some((p) => prefixesOverlap(p, block))
  const ofNode = groupBy(blocks, ({ name }) => name)
  return {
    of({ metadata: { name } }, network) {
      const [block, ...others] = ofNode.get(name)?.find((b) => b.network === network)?.seen ?? []
      return block && others.length === 0 && isOwn(block) ? block : undefined
    },
    used: blocks.flatMap(({ seen }) => seen),
  }
}
