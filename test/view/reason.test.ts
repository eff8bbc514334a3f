import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import type { TraceRequest } from '../../src/trace/request.ts'
import { trace } from '../../src/trace/run.ts'
import { formatBrief } from '../../src/view/brief.ts'
import { formatJson } from '../../src/view/json.ts'
import { formatTrace } from '../../src/view/text.ts'
import { clusterOf } from '../cluster/flannel-cluster.ts'
import { loadScenario } from '../scenario.ts'

interface Case {
  readonly scenario: string
  readonly from: string
  readonly to: string
  readonly request?: Partial<TraceRequest>
  readonly reason: string
}

describe('a trace says one reason everywhere', () => {
  test.each<Case>([
    { scenario: 'small', from: 'pod/cart.shop', to: 'svc/search.shop:80', reason: 'no-endpoints' },
    {
      scenario: 'forward-policy-drop',
      from: 'deploy/frontend',
      to: 'deploy/catalog:3550',
      reason: 'forward-policy-drop',
    },
    { scenario: 'etp-local-no-local', from: 'external', to: 'node/node-a:30443', reason: 'no-local-endpoints' },
    {
      scenario: 'vxlan-port-blocked',
      from: 'deploy/frontend',
      to: 'deploy/catalog:3550',
      reason: 'tunnel-port-blocked',
    },
    {
      scenario: 'mtu-blackhole',
      from: 'deploy/frontend',
      to: 'svc/catalog:443',
      request: { size: 1500 },
      reason: 'icmp-frag-needed-lost',
    },
  ])('$scenario: $reason', ({ scenario, from, to, request, reason }) => {
    const result = trace(loadScenario(scenario).cluster, { from, to, namespace: 'shop', seed: 1, ...request })
    if (isEndProblem(result)) throw new Error(result.problem)
    expect(result.verdict.reason).toBe(reason)
    expect(formatTrace(result)).toMatch(new RegExp(`drop +${reason}: `))
    expect(formatBrief(result)).toMatch(new RegExp(` ${reason}: `))
    expect(formatJson(result)).toMatch(
      new RegExp(`"kind": "drop",\\s+"text": "${reason}: [^\n]+\\s+"reason": "${reason}"`),
    )
  })

  test('REJECT with a TCP reset is the rule, not an absent listener', () => {
    const reject = '*filter\n-I FORWARD 1 -p tcp -m tcp --dport 80 -j REJECT --reject-with tcp-reset\nCOMMIT'
    const state = {
      apiVersion: 'kubehop.dev/v1alpha1',
      kind: 'NodeState',
      metadata: { name: 'node2' },
      spec: { iptables: reject },
    }
    const { cluster } = clusterOf({ backend: '{ "Type": "vxlan" }', nodes: 2, more: JSON.stringify(state) })
    const result = trace(cluster, { from: 'pod/a', to: 'pod/b:80', namespace: 'default', seed: 1 })
    expect(result).toMatchObject({ verdict: { result: 'refused', reason: 'rule-reject', place: { node: 'node2' } } })
  })
})

test('a router that is called router is named once', () => {
  const lost = { remove: { routes: '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink' } }
  const state = { apiVersion: 'kubehop.dev/v1alpha1', kind: 'NodeState', metadata: { name: 'node1' }, spec: lost }
  const { cluster } = clusterOf({ backend: '{ "Type": "vxlan" }', nodes: 2, more: JSON.stringify(state) })
  const result = trace(cluster, { from: 'pod/a', to: 'pod/b:80', namespace: 'default', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  const text = formatTrace(result)
  expect(text).toMatch(/no-route at hop \d+, router,/)
  expect(text).toMatch(/^result unreachable no-route router hop=/m)
  expect(text + formatBrief(result)).not.toContain('router router')
})
