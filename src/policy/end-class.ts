import type { LabelSelector, Labels } from '../kube/objects/meta.ts'
import { formatPrefix, type Prefix } from '../net/prefix.ts'
import { pieceIndex } from './address-index.ts'
import type { End } from './end.ts'
import type { Peer, PodSet, Policy } from './policy.ts'

/** Ends that no policy can tell apart, as pods of one workload mostly are. */
export interface EndClasses {
  /** One end of each class. */
  readonly representatives: readonly End[]
  /** The class of each end. */
  readonly classOf: Uint32Array
}

/** What policies look at. */
interface Vocabulary {
  readonly podKeys: readonly string[]
  readonly namespaceKeys: readonly string[]
  readonly blocks: readonly Prefix[]
}

/**
 * Groups ends by what any selector, block or port name in the policies can see of them. The own node and the own address,
 * which are about single pods, are left to the user.
 */
export function classify(policies: readonly Policy[], ends: readonly End[]): EndClasses {
  const words = vocabularyOf(policies)
  const { pieceOf } = pieceIndex(words.blocks)
  const classes = new Map<string, number>()
  const representatives: End[] = []
  const classOf = Uint32Array.from(ends, (end) => {
    const key = JSON.stringify([end.ip === undefined ? null : pieceOf(end.ip), ...traits(end, words)])
    const known = classes.get(key)
    if (known !== undefined) return known
    classes.set(key, representatives.length)
    return representatives.push(end) - 1
  })
  return { representatives, classOf }
}

function traits(end: End, { podKeys, namespaceKeys }: Vocabulary): readonly unknown[] {
  switch (end.kind) {
    case 'pod': {
      const { namespace, labels, namespaceLabels, ports } = end.pod
      return ['pod', namespace, ...valuesAt(labels, podKeys), ...valuesAt(namespaceLabels, namespaceKeys), ports]
    }
    case 'node':
      return ['node', end.node.name]
    case 'address':
      return ['address', end.domain ?? null]
  }
}

const valuesAt = (labels: Labels, keys: readonly string[]): readonly (string | null)[] =>
  keys.map((key) => (Object.hasOwn(labels, key) ? (labels[key] ?? null) : null))

function vocabularyOf(policies: readonly Policy[]): Vocabulary {
  const podKeys = new Set<string>()
  const namespaceKeys = new Set<string>()
  const learn = ({ podSelector, namespaceSelector }: PodSet): void => {
    addKeys(podKeys, podSelector)
    if (namespaceSelector) addKeys(namespaceKeys, namespaceSelector)
  }
  for (const policy of policies) learn(policy.subject)
  forEachPeer(policies, (peer) => (peer.kind === 'pods' ? learn(peer.pods) : undefined))
  return { podKeys: [...podKeys], namespaceKeys: [...namespaceKeys], blocks: blocksOf(policies) }
}

function forEachPeer(policies: readonly Policy[], visit: (peer: Peer) => void): void {
  for (const policy of policies) {
    for (const rules of [policy.ingress, policy.egress]) {
      for (const rule of rules ?? []) if (rule.peers !== 'any') rule.peers.forEach(visit)
    }
  }
}

/** Every block that a rule names, exceptions included, each once. */
export function blocksOf(policies: readonly Policy[]): readonly Prefix[] {
  const blocks = new Map<string, Prefix>()
  const add = (block: Prefix): unknown => blocks.set(formatPrefix(block), block)
  forEachPeer(policies, (peer) => {
    if (peer.kind === 'block') [peer.cidr, ...peer.except].forEach(add)
    if (peer.kind === 'networks') peer.networks.forEach(add)
  })
  return [...blocks.values()]
}

function addKeys(keys: Set<string>, { matchLabels, matchExpressions }: LabelSelector): void {
  for (const key in matchLabels) keys.add(key)
  for (const { key } of matchExpressions ?? []) keys.add(key)
}
