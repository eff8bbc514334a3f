import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/kube/objects/meta.ts'
import type { Node } from '../../../src/kube/objects/node.ts'
import { isAllowed } from '../../../src/policy/decision.ts'
import { formatEnd } from '../../../src/policy/end.ts'
import { evaluate } from '../../../src/policy/evaluate.ts'
import {
  anyNamespaces,
  anyPods,
  clusterOf,
  connectionOf,
  type Probe,
  somePolicies,
  someProbes,
} from '../../policy/any-cluster.ts'
import { calicoPolicies, isMeantToPass, policyObject } from './any-calico-policy.ts'
import { densePods, densePolicies, denseProbes } from './dense-cluster.ts'
import { FelixEnforcement } from './felix-enforcement.ts'

const nodes: readonly Node[] = ['n1', 'n2'].map((name, i) => ({
  ...{ apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { app: ['a', 'b'][i] ?? '' } } },
  status: { addresses: [{ type: 'InternalIP', address: `172.18.0.${i + 1}` }] },
}))

/** `CONNECTIONS=10000 SEED=7` asks for more than these, of each kind of sample. */
const few = 1500
const wanted = Number(process.env.CONNECTIONS ?? few)
const seed = Number(process.env.SEED ?? 7)

type Sample = readonly [
  pods: readonly KubeObject[],
  namespaces: readonly KubeObject[],
  policies: readonly KubeObject[],
  probes: readonly Probe[],
]

const samples: readonly (readonly [name: string, arbitrary: fc.Arbitrary<Sample>])[] = [
  ['policies of every kind', fc.tuple(anyPods(), anyNamespaces(), somePolicies(), someProbes())],
  ['rules of which every part counts', fc.tuple(densePods(), anyNamespaces(), densePolicies(), denseProbes())],
]

describe('a connection passes the rules in the kernel exactly if the policies allow it', () => {
  test.each(samples)('%s', (name, arbitrary) => {
    let compared = 0
    const check = ([pods, namespaces, policies, probes]: Sample): void => {
      const cluster = clusterOf(pods, namespaces, policies)
      const rules = new FelixEnforcement([...nodes, ...pods, ...namespaces, ...policies])
      for (const probe of probes) {
        const connection = connectionOf(cluster, probe)
        const decision = evaluate(cluster.policies, connection)
        const open = [...decision.egress.unsettled, ...decision.ingress.unsettled]
        // Which of two policies of one priority wins is nobody's promise.
        if (open.includes('same-priority')) continue
        const passed = rules.allows(connection)
        if (passed === undefined) continue
        compared++
        const { from, to, protocol, port } = connection
        expect(passed, `${formatEnd(from)} > ${formatEnd(to)} ${protocol} ${port}`).toBe(isAllowed(decision))
      }
    }
    for (let round = 0; compared < wanted; round++) {
      fc.assert(fc.property(arbitrary, check), { numRuns: 20, seed: seed + round })
    }
    if (wanted > few) process.stdout.write(`${compared} connections compared, seed ${seed}: ${name}\n`)
    expect(compared).toBeGreaterThanOrEqual(wanted)
  })
})

test("Calico's own policies mean in the kernel what their documentation says", () => {
  let compared = 0
  const arbitrary = fc.tuple(densePods(), anyNamespaces(), calicoPolicies(), denseProbes())
  for (let round = 0; compared < wanted; round++) {
    fc.assert(
      fc.property(arbitrary, ([pods, namespaces, policies, probes]) => {
        const cluster = clusterOf(pods, namespaces)
        const rules = new FelixEnforcement([...nodes, ...pods, ...namespaces, ...policies.map(policyObject)])
        for (const probe of probes) {
          const connection = connectionOf(cluster, probe)
          const { from, to, protocol, port } = connection
          const passed = rules.allows(connection)
          if (passed === undefined || formatEnd(from) === formatEnd(to)) continue
          compared++
          expect(passed, `${formatEnd(from)} > ${formatEnd(to)} ${protocol} ${port}`).toBe(
            isMeantToPass(policies, connection),
          )
        }
      }),
      { numRuns: 20, seed: seed + round },
    )
  }
  if (wanted > few) process.stdout.write(`${compared} connections compared, seed ${seed}: Calico's own policies\n`)
  expect(compared).toBeGreaterThanOrEqual(wanted)
})
