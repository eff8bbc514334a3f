import type { LabelSelector, Labels } from '../kube/objects/meta.ts'
import type { Prefix } from '../net/prefix.ts'
import { pieceIndex } from './address-index.ts'
import type { End } from './end.ts'
import type { Peer, Policy } from './policy.ts'

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
  const peers = peersOf(policies)
  const sets = [...policies.map((p) => p.subject), ...peers.flatMap((p) => (p.kind === 'pods' ? [p.pods] : []))]
  return {
    podKeys: keysOf(sets.map((s) => s.podSelector)),
    namespaceKeys: keysOf(sets.flatMap((s) => s.namespaceSelector ?? [])),
    blocks: blocksOf(policies),
  }
}

const peersOf = (policies: readonly Policy[]): readonly Peer[] =>
  policies.flatMap((p) =>
    [...(p.ingress ?? []), ...(p.egress ?? [])].flatMap((rule) => (rule.peers === 'any' ? [] : rule.peers)),
  )

/** Every block that a rule names, exceptions included. */
export function blocksOf(policies: readonly Policy[]): readonly Prefix[] {
  return peersOf(policies).flatMap((peer) => {
    if (peer.kind === 'block') return [peer.cidr, ...peer.except]
    return peer.kind === 'networks' ? peer.networks : []
  })
}

const keysOf = (selectors: readonly LabelSelector[]): readonly string[] => [
  ...new Set(
    selectors.flatMap((s) => [
      ...Object.keys(s.matchLabels ?? {}),
      ...(s.matchExpressions ?? []).map(({ key }) => key),
    ]),
  ),
]
