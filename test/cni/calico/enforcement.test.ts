import fc from 'fast-check'
import { expect, test } from 'vitest'
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
import { FelixEnforcement } from './felix-enforcement.ts'

const nodes: readonly Node[] = ['n1', 'n2'].map((name, i) => ({
  ...{ apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { app: ['a', 'b'][i] ?? '' } } },
  status: { addresses: [{ type: 'InternalIP', address: `172.18.0.${i + 1}` }] },
}))

/** 200 connections here; `CONNECTIONS=10000 SEED=7` asks for more. */
const wanted = Number(process.env.CONNECTIONS ?? 200)
const seed = Number(process.env.SEED ?? 7)

test('a connection passes the rules in the kernel exactly if the policies allow it', () => {
  let compared = 0
  const check = ([pods, namespaces, policies, probes]: readonly [
    readonly KubeObject[],
    readonly KubeObject[],
    readonly KubeObject[],
    readonly Probe[],
  ]): void => {
    const cluster = clusterOf(pods as never, namespaces as never, policies as never)
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
  const clusters = fc.tuple(anyPods(), anyNamespaces(), somePolicies(), someProbes())
  for (let round = 0; compared < wanted; round++) {
    fc.assert(fc.property(clusters, check), { numRuns: 20, seed: seed + round })
  }
  if (wanted > 200) process.stdout.write(`${compared} connections compared, seed ${seed}\n`)
  expect(compared).toBeGreaterThanOrEqual(wanted)
})
