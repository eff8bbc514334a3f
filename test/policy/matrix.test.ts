import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Labels } from '../../src/kube/objects/meta.ts'
import type { NetworkPolicy } from '../../src/kube/objects/network-policy.ts'
import type { Pod } from '../../src/kube/objects/pod.ts'
import { allows, type DirectionDecision, isAllowed } from '../../src/policy/decision.ts'
import { formatEnd, podEnd } from '../../src/policy/end.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { compileClasses, compileMatrix } from '../../src/policy/matrix.ts'
import type { Policy } from '../../src/policy/policy.ts'
import { portAt } from '../../src/policy/port-sets.ts'
import { anyNamespaces, anyPods, clusterOf, endsOf, somePolicies } from './any-cluster.ts'
import { largeCluster } from './large-cluster.ts'

const anyQuery = () =>
  fc.record({
    protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const),
    port: fc.constantFrom<number | string>(80, 81, 8080, 22, 'web', 'dns'),
  })

function deciding({ reason }: DirectionDecision): readonly Policy[] {
  switch (reason.kind) {
    case 'rules-allow':
      return [...new Set(reason.by.map(({ policy }) => policy))]
    case 'rule-denies':
      return [reason.by.policy]
    case 'isolated':
      return reason.policies
    default:
      return []
  }
}

describe('compileMatrix', () => {
  test('says of every pair what evaluate says', () => {
    fc.assert(
      fc.property(anyNamespaces(), anyPods(), somePolicies(), anyQuery(), (namespaces, pods, policies, query) => {
        const cluster = clusterOf(namespaces, pods, policies)
        const ends = endsOf(cluster)
        const matrix = compileMatrix(cluster.policies, ends)(query)
        for (const [i, from] of ends.entries()) {
          for (const [j, to] of ends.entries()) {
            const port = portAt(to, query)
            const one =
              port !== undefined && isAllowed(evaluate(cluster.policies, { from, to, protocol: query.protocol, port }))
            expect(matrix.allows(i, j), `${formatEnd(from)} > ${formatEnd(to)}`).toBe(one)
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  test('the deciding policies of each direction are those that evaluate names', () => {
    fc.assert(
      fc.property(anyNamespaces(), anyPods(), somePolicies(), anyQuery(), (namespaces, pods, policies, query) => {
        const cluster = clusterOf(namespaces, pods, policies)
        const ends = endsOf(cluster)
        const { classOf, deciders } = compileClasses(cluster.policies, ends)
        const [egress, ingress] = [deciders('egress', query), deciders('ingress', query)]
        for (const [i, from] of ends.entries()) {
          for (const [j, to] of ends.entries()) {
            const port = portAt(to, query)
            const own = from.kind === 'pod' && to.kind === 'pod' && from.pod === to.pod
            if (port === undefined || own) continue
            const one = evaluate(cluster.policies, { from, to, protocol: query.protocol, port })
            const [a, b] = [classOf[i] ?? 0, classOf[j] ?? 0]
            const text = `${formatEnd(from)} > ${formatEnd(to)}`
            expect(egress(a, b), text).toEqual({ allows: allows(one.egress), by: deciding(one.egress) })
            if (one.ingress.reason.kind === 'own-node') continue
            expect(ingress(b, a), text).toEqual({ allows: allows(one.ingress), by: deciding(one.ingress) })
          }
        }
      }),
      { numRuns: 150 },
    )
  })

  test('ICMP is let through by rules without ports alone', () => {
    fc.assert(
      fc.property(anyNamespaces(), anyPods(), somePolicies(), (namespaces, pods, policies) => {
        const cluster = clusterOf(namespaces, pods, policies)
        const ends = endsOf(cluster)
        const matrix = compileMatrix(cluster.policies, ends)({ protocol: 'icmp' })
        for (const [i, from] of ends.entries()) {
          for (const [j, to] of ends.entries()) {
            expect(matrix.allows(i, j)).toBe(isAllowed(evaluate(cluster.policies, { from, to, protocol: 'icmp' })))
          }
        }
      }),
      { numRuns: 50 },
    )
  })

  test('ends that policy cannot tell apart share a class', () => {
    const pod = (name: string, labels: Labels): Pod => ({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'x', labels } },
      spec: { containers: [] },
    })
    const policy: NetworkPolicy = {
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'p', namespace: 'x' } },
      spec: { podSelector: { matchLabels: { app: 'a' } }, ingress: [] },
    }
    const pods = [pod('a1', { app: 'a', hash: '1' }), pod('a2', { app: 'a', hash: '2' }), pod('b', { app: 'b' })]
    const { policies, pods: own } = clusterOf(pods, [policy])
    expect(
      compileMatrix(
        policies,
        own.map((p) => podEnd(p)),
      )({ protocol: 'tcp', port: 80 }).classes,
    ).toBe(2)
  })

  test('4,000 pods and 1,000 policies: 20,000 sampled pairs are those of evaluate', () => {
    const { policies, ends } = largeCluster({ pods: 4000, policies: 1000, seed: 7 })
    const matrix = compileMatrix(policies, ends)({ protocol: 'tcp', port: 80 })
    const pairs = fc.sample(fc.tuple(fc.nat(ends.length - 1), fc.nat(ends.length - 1)), { numRuns: 20_000, seed: 3 })
    let allowed = 0
    const differing = pairs.filter(([i, j]) => {
      const [from, to] = [ends[i], ends[j]]
      if (!from || !to) return true
      const one = isAllowed(evaluate(policies, { from, to, protocol: 'tcp', port: 80 }))
      if (one) allowed++
      return matrix.allows(i, j) !== one
    })
    expect(differing).toEqual([])
    // A matrix that is all one answer would prove little.
    expect(allowed / pairs.length).toBeGreaterThan(0.02)
    expect(allowed / pairs.length).toBeLessThan(0.98)
  })
})
