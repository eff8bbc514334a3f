import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject, LabelSelector, Labels } from '../../src/kube/objects/meta.ts'
import type { NetworkPolicy, PolicyPeer } from '../../src/kube/objects/network-policy.ts'
import type { Namespace } from '../../src/kube/objects/node.ts'
import type { Pod } from '../../src/kube/objects/pod.ts'
import { ip, ipAt, ipToBigInt } from '../../src/net/ip.ts'
import { lastAddress, prefix } from '../../src/net/prefix.ts'
import type { PolicyCluster } from '../../src/policy/cluster.ts'
import type { Connection } from '../../src/policy/connection.ts'
import { allows, isAllowed, nearestMisses } from '../../src/policy/decision.ts'
import { type End, podEnd } from '../../src/policy/end.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { selectsPod } from '../../src/policy/match.ts'
import type { Policy } from '../../src/policy/policy.ts'
import {
  anyNamespaces,
  anyNetworkPolicy,
  anyPods,
  clusterOf,
  connectionOf,
  someNetworkPolicies,
  somePolicies,
  someProbes,
} from './any-cluster.ts'

const runs = { numRuns: 150 }

const verdicts = (cluster: PolicyCluster, connections: readonly Connection[]): readonly boolean[] =>
  connections.map((c) => isAllowed(evaluate(cluster.policies, c)))

/** The same objects under other policies: ends keep their positions. */
function probesOf(cluster: PolicyCluster, probes: Parameters<typeof connectionOf>[1][]): readonly Connection[] {
  return probes.map((p) => connectionOf(cluster, p))
}

const scene = () => fc.record({ namespaces: anyNamespaces(), pods: anyPods(), probes: someProbes() })
type Scene = {
  namespaces: readonly Namespace[]
  pods: readonly Pod[]
  probes: readonly Parameters<typeof connectionOf>[1][]
}

function verdictsUnder({ namespaces, pods, probes }: Scene, policies: readonly KubeObject[]): readonly boolean[] {
  const cluster = clusterOf(namespaces, pods, policies)
  return verdicts(cluster, probesOf(cluster, [...probes]))
}

describe('laws of the union', () => {
  test('the union is independent of order: of policies, rules, peers and ports', () => {
    fc.assert(
      fc.property(scene(), someNetworkPolicies(), (s, policies) => {
        expect(verdictsUnder(s, policies.map(reversed).toReversed())).toEqual(verdictsUnder(s, policies))
      }),
      runs,
    )
  })

  test('adding a policy to an isolated pod never removes a connection', () => {
    fc.assert(
      fc.property(scene(), someNetworkPolicies(), anyNetworkPolicy('new'), (s, policies, added) => {
        const isolating = policies.flatMap((p) => [p, denyAll(`deny-${p.metadata.name}`, p.metadata.namespace ?? '')])
        const before = [...isolating, denyAll('deny-new', added.metadata.namespace ?? '')]
        const [without, having] = [verdictsUnder(s, before), verdictsUnder(s, [...before, added])]
        for (const [i, allowed] of without.entries()) if (allowed) expect(having[i]).toBe(true)
      }),
      runs,
    )
  })

  test('adding the first policy can remove one', () => {
    const pods = [pod('a', {}), pod('b', {})]
    const probe = { from: 0, to: 1, protocol: 'tcp', port: 80 } as const
    const s = { namespaces: [], pods, probes: [probe] }
    expect(verdictsUnder(s, [])).toEqual([true])
    expect(verdictsUnder(s, [denyAll('first', 'x')])).toEqual([false])
  })

  test('default-deny then allow equals allow alone', () => {
    fc.assert(
      fc.property(scene(), someNetworkPolicies(), anyNetworkPolicy('allow'), (s, others, allow) => {
        const { podSelector, policyTypes, egress } = allow.spec
        const types = policyTypes ?? ['Ingress', ...((egress ?? []).length > 0 ? (['Egress'] as const) : [])]
        const spec = { ...(podSelector && { podSelector }), policyTypes: types }
        const deny = { ...allow, metadata: { ...allow.metadata, name: 'deny' }, spec }
        expect(verdictsUnder(s, [...others, deny, allow])).toEqual(verdictsUnder(s, [...others, allow]))
      }),
      runs,
    )
  })

  test('splitting a rule in two changes nothing', () => {
    fc.assert(
      fc.property(scene(), someNetworkPolicies(), fc.nat(2), (s, policies, at) => {
        expect(
          verdictsUnder(
            s,
            policies.map((p) => split(p, at)),
          ),
        ).toEqual(verdictsUnder(s, policies))
      }),
      runs,
    )
  })
})

describe('laws of meaning', () => {
  test('renaming labels consistently changes nothing', () => {
    fc.assert(
      fc.property(scene(), somePolicies(), (s, policies) => {
        const renamed = { ...s, namespaces: s.namespaces.map(relabelled), pods: s.pods.map(relabelled) }
        // The labels of the nodes are the same in all scenes.
        const withoutNodes = policies.filter((p) => !JSON.stringify(p).includes('"nodes"'))
        expect(verdictsUnder(renamed, withoutNodes.map(renamedSelectors))).toEqual(verdictsUnder(s, withoutNodes))
      }),
      runs,
    )
  })

  test('an ipBlock with except equals the difference of sets', () => {
    const block = fc.constantFrom('203.0.113.0/24', '203.0.113.0/25', '0.0.0.0/0', '198.51.100.0/22')
    const excepts = fc.uniqueArray(
      fc.constantFrom('203.0.113.64/26', '203.0.113.0/28', '203.0.113.9/32', '198.51.100.0/24'),
    )
    const address = fc.bigInt({ min: ipToBigInt(ip('203.0.112.250')), max: ipToBigInt(ip('203.0.113.130')) })
    fc.assert(
      fc.property(block, excepts, address, (cidr, except, n) => {
        const cluster = clusterOf([pod('a', {})], [ingressFrom([{ ipBlock: { cidr, except } }])])
        const inside = (text: string): boolean => {
          return ipToBigInt(prefix(text).address) <= n && n <= ipToBigInt(lastAddress(prefix(text)))
        }
        const connection = toPod(cluster, cluster.endAt(ipAt(n, 'ipv4')))
        expect(isAllowed(evaluate(cluster.policies, connection))).toBe(inside(cidr) && !except.some(inside))
      }),
      { numRuns: 300 },
    )
  })

  test('a policy in another namespace never matters to the selected pods', () => {
    fc.assert(
      fc.property(scene(), someNetworkPolicies(), anyNetworkPolicy('other'), (s, policies, other) => {
        const here = clusterOf(s.namespaces, s.pods, policies)
        const both = clusterOf(s.namespaces, s.pods, [...policies, other])
        for (const probe of s.probes) {
          const connection = connectionOf(both, probe)
          const [without, having] = [here, both].map((c) => evaluate(c.policies, connection))
          for (const [direction, end] of [
            ['egress', connection.from],
            ['ingress', connection.to],
          ] as const) {
            const elsewhere = end.kind !== 'pod' || end.pod.namespace !== other.metadata.namespace
            if (elsewhere && without && having) expect(allows(having[direction])).toBe(allows(without[direction]))
          }
        }
      }),
      runs,
    )
  })

  test('replies follow requests: only egress of the source and ingress of the destination are ever asked', () => {
    fc.assert(
      fc.property(scene(), somePolicies(), (s, objects) => {
        const cluster = clusterOf(s.namespaces, s.pods, objects)
        for (const connection of probesOf(cluster, [...s.probes])) {
          const asked = cluster.policies.map((p) => onlyForOpening(p, connection))
          expect(isAllowed(evaluate(asked, connection))).toBe(isAllowed(evaluate(cluster.policies, connection)))
        }
      }),
      runs,
    )
  })

  test('a Pass of everything, and a cluster policy without rules, change nothing', () => {
    fc.assert(
      fc.property(scene(), someNetworkPolicies(), (s, policies) => {
        const every = { namespaces: {} }
        const passing = clusterPolicy('pass', {
          ingress: [{ action: 'Pass', from: [every] }],
          egress: [{ action: 'Pass', to: [every] }],
        })
        const silent = clusterPolicy('silent', {})
        expect(verdictsUnder(s, [...policies, passing, silent])).toEqual(verdictsUnder(s, policies))
      }),
      runs,
    )
  })
})

describe('laws of explanation', () => {
  test('a denial names every policy that selects the pod in the tier that denied, each with what kept it', () => {
    fc.assert(
      fc.property(scene(), someNetworkPolicies(), (s, policies) => {
        const cluster = clusterOf(s.namespaces, s.pods, policies)
        for (const connection of probesOf(cluster, [...s.probes])) {
          const { ingress } = evaluate(cluster.policies, connection)
          if (allows(ingress) || connection.to.kind !== 'pod') continue
          const { pod: subject } = connection.to
          const selecting = cluster.policies.filter((p) => p.ingress && selectsPod(p.subject, subject))
          const told = nearestMisses(ingress)
          expect(told.map((t) => t.policy)).toEqual(selecting)
          for (const { policy, miss } of told) {
            const fewest = Math.min(...ruleMisses(ingress, policy))
            expect(miss?.misses.length ?? Number.POSITIVE_INFINITY).toBe(fewest)
            expect(fewest).toBeGreaterThan(0)
          }
        }
      }),
      runs,
    )
  })
})

const ruleMisses = (d: ReturnType<typeof evaluate>['ingress'], policy: Policy): readonly number[] =>
  d.tiers.flatMap((t) =>
    t.policies.filter((p) => p.policy === policy).flatMap((p) => p.rules.map((r) => r.misses.length)),
  )

function onlyForOpening(policy: Policy, { from, to }: Connection): Policy {
  const { egress, ingress, ...rest } = policy
  const selects = (end: End): boolean => end.kind === 'pod' && selectsPod(policy.subject, end.pod)
  return { ...rest, ...(egress && selects(from) && { egress }), ...(ingress && selects(to) && { ingress }) }
}

function pod(name: string, labels: Labels): Pod {
  const podIP = `10.244.1.${name.charCodeAt(0)}`
  return {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'x', labels } },
    ...{ spec: { containers: [] }, status: { podIP } },
  }
}

const policyOf = (name: string, namespace: string, spec: NetworkPolicy['spec']): NetworkPolicy => ({
  ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace }, spec },
})
const denyAll = (name: string, namespace: string): NetworkPolicy =>
  policyOf(name, namespace, { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
const ingressFrom = (from: readonly PolicyPeer[]): NetworkPolicy =>
  policyOf('p', 'x', { podSelector: {}, ingress: [{ from }] })

const clusterPolicy = (name: string, rules: object): KubeObject => {
  const spec = { tier: 'Admin', priority: 1, subject: { namespaces: {} }, ...rules }
  return {
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name },
    spec,
  } as KubeObject
}

function toPod(cluster: PolicyCluster, from: End): Connection {
  const [first] = cluster.pods
  if (!first) throw new Error('no pod')
  return { from, to: podEnd(first), protocol: 'tcp', port: 80 }
}

type PolicyRules = {
  readonly from?: readonly PolicyPeer[]
  readonly to?: readonly PolicyPeer[]
  readonly ports?: readonly unknown[]
}

function reversed(p: NetworkPolicy): NetworkPolicy {
  const rules = <R extends PolicyRules>(list: readonly R[] | undefined): readonly R[] =>
    (list ?? []).toReversed().map((r) => mapLists(r, (entries) => entries.toReversed()))
  return { ...p, spec: { ...p.spec, ingress: rules(p.spec.ingress), egress: rules(p.spec.egress) } }
}

function mapLists<R extends PolicyRules>(rule: R, f: (entries: readonly unknown[]) => readonly unknown[]): R {
  return Object.fromEntries(Object.entries(rule).map(([key, list]) => [key, f(list)])) as unknown as R
}

/** Peers are divided at a position, if both parts keep some: an empty part would mean everyone. */
function split(p: NetworkPolicy, at: number): NetworkPolicy {
  const parts = <R extends PolicyRules>(list: readonly R[] | undefined, key: 'from' | 'to' | 'ports'): readonly R[] =>
    (list ?? []).flatMap((rule) => {
      const entries: readonly unknown[] = rule[key] ?? []
      const cut = Math.min(at + 1, entries.length - 1)
      if (cut < 1) return [rule]
      return [
        { ...rule, [key]: entries.slice(0, cut) },
        { ...rule, [key]: entries.slice(cut) },
      ]
    })
  const ingress = parts(parts(p.spec.ingress, 'from'), 'ports')
  return { ...p, spec: { ...p.spec, ingress, egress: parts(parts(p.spec.egress, 'to'), 'ports') } }
}

/** Keys and values each by a rule that can be undone, the empty value included. */
const newKey = (key: string): string => `renamed.example/${key}`
const newValue = (value: string): string => `v${value}`

const relabel = (labels: Labels | undefined): Labels =>
  Object.fromEntries(Object.entries(labels ?? {}).map(([k, v]) => [newKey(k), newValue(v)]))

const relabelled = <T extends KubeObject>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, labels: relabel(object.metadata.labels) },
})

/** Every selector in the object, wherever it is. */
function renamedSelectors<T>(value: T): T {
  if (Array.isArray(value)) return value.map(renamedSelectors) as T
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, field]): [string, unknown] => {
    if (key === 'matchLabels') return [key, relabel(field as Labels)]
    if (key !== 'matchExpressions') return [key, renamedSelectors(field)]
    return [
      key,
      (field as NonNullable<LabelSelector['matchExpressions']>).map((e) => ({
        ...e,
        key: newKey(e.key),
        ...(e.values && { values: e.values.map(newValue) }),
      })),
    ]
  })
  return Object.fromEntries(entries) as T
}
