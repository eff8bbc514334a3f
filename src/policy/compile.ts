import { formatPrefix, type Prefix } from '../net/prefix.ts'
import { addressIndex } from './address-index.ts'
import {
  addBit,
  type Bitset,
  difference,
  emptySet,
  fullSet,
  hasBit,
  intersection,
  members,
  orIntersection,
  orInto,
} from './bitset.ts'
import type { PolicyDirection } from './connection.ts'
import type { End } from './end.ts'
import { blocksOf } from './end-class.ts'
import { labelIndex, remembered } from './label-index.ts'
import { peerMisses } from './match.ts'
import { type Action, byPriority, type Peer, type PodSet, type Policy, type Rule, type Tier } from './policy.ts'
import { type MatrixQuery, type PortSets, portSets } from './port-sets.ts'

/** Policies turned into sets of ends. They say nothing of a pod's own address and own node. */
export interface CompiledPolicies {
  /** Row i, of `wordsFor(ends)` words: whom end i may reach as far as its egress goes; or who may reach it, for ingress. */
  rows(direction: PolicyDirection, query: MatrixQuery): Bitset
  /** The ends that have the port which is asked for. */
  withPort(query: MatrixQuery): Bitset
  /** The policies that decide whether end i may, as far as this direction goes, and the other end is j. */
  deciders(direction: PolicyDirection, query: MatrixQuery): Deciders
}

export type Deciders = (subject: number, other: number) => { readonly allows: boolean; readonly by: readonly Policy[] }

/** `ends` are best one of each class. */
export function compilePolicies(policies: readonly Policy[], ends: readonly End[]): CompiledPolicies {
  const sets = setsOf(policies, ends)
  // NetworkPolicies have no order: they stay as they were given.
  const inOrder = policies.toSorted(
    (a, b) => tierRank[a.tier] - tierRank[b.tier] || (a.tier === 'network' ? 0 : byPriority(a, b)),
  )
  const subjects = inOrder.map((policy) => ({ policy, set: sets.podSet(policy.subject) }))
  const everyone = fullSet(ends.length)
  const known = new Map<string, PortSets>()
  const portsOf = (query: MatrixQuery): PortSets =>
    remembered(known, `${query.port}/${query.protocol}`, () => portSets(ends, query))
  const asked = new Map<string, readonly (readonly CompiledPolicy[])[]>()
  const askedBy = (direction: PolicyDirection, query: MatrixQuery): readonly (readonly CompiledPolicy[])[] =>
    remembered(asked, `${direction} ${query.port}/${query.protocol}`, () => {
      const ports = portsOf(query)
      const compiled = subjects.flatMap(({ policy, set }) => {
        const rules = policy[direction]?.map((rule) => compileRule(rule, sets, ports, everyone))
        return rules ? [{ policy, tier: policy.tier, subjects: set, rules }] : []
      })
      return perSubject(compiled, ends.length)
    })
  return {
    withPort: (query) => portsOf(query).having,
    rows: (direction, query) => rowsOf(askedBy(direction, query), everyone),
    deciders(direction, query) {
      const own = askedBy(direction, query)
      const isolating = new Map<number, readonly Policy[]>()
      return (subject, other) => decide(own[subject] ?? [], subject, other, isolating)
    },
  }
}

const tierRank: Readonly<Record<Tier, number>> = { admin: 0, network: 1, baseline: 2 }

interface CompiledPolicy {
  readonly policy: Policy
  readonly tier: Tier
  readonly subjects: Bitset
  readonly rules: readonly CompiledRule[]
}

/** The rule holds between each of `subjects` and each of `others`. */
interface CompiledRule {
  readonly action: Action
  readonly subjects: Bitset
  readonly others: Bitset
}

/** Ports are the destination's: the other end's for egress, the subject's own for ingress. */
function compileRule(rule: Rule, sets: Sets, ports: PortSets, everyone: Bitset): CompiledRule {
  const [others, open] = [sets.peer(rule.peers), ports.open(rule.ports)]
  if (rule.direction === 'ingress') return { action: rule.action, subjects: open, others }
  return { action: rule.action, subjects: everyone, others: intersection(others, open) }
}

/** The policies that select each end, in the order in which they are asked. */
function perSubject(policies: readonly CompiledPolicy[], size: number): readonly (readonly CompiledPolicy[])[] {
  const asked: CompiledPolicy[][] = Array.from({ length: size }, () => [])
  for (const policy of policies) for (const i of members(policy.subjects)) asked[i]?.push(policy)
  return asked
}

function rowsOf(asked: readonly (readonly CompiledPolicy[])[], everyone: Bitset): Bitset {
  const rows = new Uint32Array(asked.length * everyone.length)
  for (const [i, own] of asked.entries()) rows.set(passing(own, i, everyone), i * everyone.length)
  return rows
}

/** Everyone whom the policies of end i let through: the walk of `evaluate`, for all other ends at once. */
function passing(policies: readonly CompiledPolicy[], i: number, everyone: Bitset): Bitset {
  if (policies.length === 0) return everyone
  const state = { open: everyone, allowed: new Uint32Array(everyone.length) }
  askInOrder(policies, 'admin', i, state)
  if (askUnion(policies, i, state)) return state.allowed
  askInOrder(policies, 'baseline', i, state)
  orInto(state.allowed, state.open)
  return state.allowed
}

/** Whether there was anyone to ask: then all others are denied. */
function askUnion(policies: readonly CompiledPolicy[], i: number, { allowed, open }: Walk): boolean {
  let asked = false
  for (const policy of policies) {
    if (policy.tier !== 'network') continue
    asked = true
    for (const rule of policy.rules) if (hasBit(rule.subjects, i)) orIntersection(allowed, rule.others, open)
  }
  return asked
}

/** `open` are those whom no rule has decided about yet. */
interface Walk {
  open: Bitset
  readonly allowed: Bitset
}

function askInOrder(policies: readonly CompiledPolicy[], tier: Tier, i: number, state: Walk): void {
  const own = policies.filter((p) => p.tier === tier)
  if (own.length === 0) return
  const passed = new Uint32Array(state.open.length)
  for (const policy of own) {
    for (const { action, subjects, others } of policy.rules) {
      if (!hasBit(subjects, i)) continue
      if (action === 'allow') orIntersection(state.allowed, others, state.open)
      if (action === 'pass') orIntersection(passed, others, state.open)
      state.open = difference(state.open, others)
    }
  }
  state.open = union(state.open.length * 32, [state.open, passed])
}

/** The walk for one other end, with who decides. `isolating` remembers the NetworkPolicies of each subject. */
function decide(
  asked: readonly CompiledPolicy[],
  subject: number,
  other: number,
  isolating: Map<number, readonly Policy[]>,
): ReturnType<Deciders> {
  const holds = (rule: CompiledRule): boolean => hasBit(rule.subjects, subject) && hasBit(rule.others, other)
  for (const tier of ['admin', 'network', 'baseline'] as const) {
    const own = asked.filter((p) => p.tier === tier)
    if (own.length === 0) continue
    if (tier === 'network') {
      const by = own.filter((p) => p.rules.some(holds)).map((p) => p.policy)
      if (by.length > 0) return { allows: true, by }
      return { allows: false, by: remembered(isolating, subject, () => own.map((p) => p.policy)) }
    }
    const first = firstHolding(own, holds)
    if (first && first.action !== 'pass') return { allows: first.action === 'allow', by: [first.policy] }
  }
  return nobody
}

const nobody: ReturnType<Deciders> = { allows: true, by: [] }

function firstHolding(
  policies: readonly CompiledPolicy[],
  holds: (rule: CompiledRule) => boolean,
): { readonly policy: Policy; readonly action: Action } | undefined {
  for (const { policy, rules } of policies) {
    const rule = rules.find(holds)
    if (rule) return { policy, action: rule.action }
  }
  return undefined
}

interface Sets {
  podSet(set: PodSet): Bitset
  peer(peers: Rule['peers']): Bitset
}

function setsOf(policies: readonly Policy[], ends: readonly End[]): Sets {
  const ofPods = <T>(field: (pod: (End & { kind: 'pod' })['pod']) => T) =>
    ends.map((e) => (e.kind === 'pod' ? field(e.pod) : undefined))
  const podLabels = labelIndex(ofPods((pod) => pod.labels))
  const namespaceLabels = labelIndex(ofPods((pod) => pod.namespaceLabels))
  const inNamespace = namespaceIndex(ends)
  const addresses = addressIndex(
    blocksOf(policies),
    ends.map((end) => end.ip),
  )
  const blocks = new Map<string, Bitset>()
  const inBlock = (block: Prefix): Bitset => remembered(blocks, formatPrefix(block), () => addresses.inBlock(block))
  const known = new Map<string, Bitset>()
  const podSet = (set: PodSet): Bitset =>
    remembered(known, JSON.stringify(set), () => {
      const { namespace, namespaceSelector, podSelector } = set
      const pods = podLabels(podSelector)
      const chosen = namespaceSelector ? intersection(pods, namespaceLabels(namespaceSelector)) : pods
      return namespace === undefined ? chosen : intersection(chosen, inNamespace(namespace))
    })
  const one = (peer: Peer): Bitset => {
    switch (peer.kind) {
      case 'pods':
        return podSet(peer.pods)
      case 'block':
        return difference(inBlock(peer.cidr), union(ends.length, peer.except.map(inBlock)))
      case 'networks':
        return union(ends.length, peer.networks.map(inBlock))
      case 'nodes':
      case 'domains':
      case 'nothing':
        return setWhere(ends, (end) => peerMisses(peer, end).length === 0)
    }
  }
  return { podSet, peer: (peers) => (peers === 'any' ? fullSet(ends.length) : union(ends.length, peers.map(one))) }
}

/** The pods of a namespace. */
function namespaceIndex(ends: readonly End[]): (namespace: string) => Bitset {
  const sets = new Map<string, Bitset>()
  for (const [i, end] of ends.entries()) {
    if (end.kind === 'pod')
      addBit(
        remembered(sets, end.pod.namespace, () => emptySet(ends.length)),
        i,
      )
  }
  return (namespace) => sets.get(namespace) ?? emptySet(ends.length)
}

function union(size: number, sets: readonly Bitset[]): Bitset {
  const [only] = sets
  if (only && sets.length === 1) return only
  const all = emptySet(size)
  for (const set of sets) orInto(all, set)
  return all
}

function setWhere(ends: readonly End[], holds: (end: End) => boolean): Bitset {
  const set = emptySet(ends.length)
  for (const [i, end] of ends.entries()) if (holds(end)) addBit(set, i)
  return set
}
