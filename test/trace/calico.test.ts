import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { loadText } from '../scenario.ts'

const node = (name: string, address: string): string =>
  `{ apiVersion: v1, kind: Node, metadata: { name: ${name} }, status: { addresses: [{ type: InternalIP, address: ${address} }] } }`

const pod = (name: string, on: string): string =>
  `{ apiVersion: v1, kind: Pod, metadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }, spec: { nodeName: ${on}, containers: [{ name: c, image: i, ports: [{ containerPort: 8080 }] }] } }`

const base = [
  node('node-a', '10.0.0.11'),
  node('node-b', '10.0.0.12'),
  pod('cart', 'node-a'),
  pod('web', 'node-b'),
  pod('near', 'node-a'),
]

const calico =
  '{ apiVersion: crd.projectcalico.org/v1, kind: IPPool, metadata: { name: p }, spec: { cidr: 10.244.0.0/16, natOutgoing: true } }'
const canal = [
  `{ apiVersion: v1, kind: ConfigMap, metadata: { name: canal-config, namespace: kube-system }, data: { net-conf.json: '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}' } }`,
  '{ apiVersion: apps/v1, kind: DaemonSet, metadata: { name: canal, namespace: kube-system }, spec: { selector: { matchLabels: { k: v } }, template: { metadata: { labels: { k: v } }, spec: { hostNetwork: true, containers: [{ name: calico-node, image: i, env: [{ name: CALICO_NETWORKING_BACKEND, value: none }, { name: FELIX_DEFAULTENDPOINTTOHOSTACTION, value: ACCEPT }] }] } } } }',
]

const ingress =
  '{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: only-admin, namespace: shop }, spec: { podSelector: { matchLabels: { app: web } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: admin } } }] }] } }'
const egress =
  '{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: quiet, namespace: shop }, spec: { podSelector: { matchLabels: { app: cart } }, policyTypes: [Egress] } }'
const deny =
  '{ apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: { name: no-web }, spec: { order: 1, selector: "app == \'web\'", types: [Ingress], ingress: [{ action: Deny, protocol: TCP }] } }'

function traced(from: string, to: string, ...documents: readonly string[]): Trace {
  const { cluster, problems } = loadText({ path: 'a.yaml', text: [...base, ...documents].join('\n---\n') })
  expect(problems).toEqual([])
  const result = trace(cluster, { from, to, namespace: 'shop', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}

describe.each([
  { name: 'Calico', network: [calico] },
  { name: 'Canal', network: canal },
])('$name', ({ network }) => {
  test('pods reach each other, and themselves, where nothing selects them', () => {
    expect(traced('pod/cart', 'pod/web:8080', ...network).verdict.result).toBe('delivered')
    expect(traced('pod/cart', 'pod/near:8080', ...network).verdict.result).toBe('delivered')
    expect(traced('pod/web', 'pod/web:8080', ...network).verdict.result).toBe('delivered')
  })

  test('a drop names the policy, the direction and what was missing', () => {
    const { verdict, notes } = traced('pod/cart', 'pod/web:8080', ...network, ingress)
    expect([verdict.result, verdict.reason]).toEqual(['dropped', 'policy-ingress'])
    expect(verdict.sentence).toContain('NetworkPolicy shop/only-admin')
    expect(verdict.place?.origin?.object).toMatchObject({
      kind: 'NetworkPolicy',
      namespace: 'shop',
      name: 'only-admin',
    })
    expect(notes.map((n) => n.message)).toContain(
      'ingress[0] of NetworkPolicy shop/only-admin: pod label app=admin, but the pod has app=cart',
    )
  })

  test('egress is stopped at home', () => {
    const { verdict } = traced('pod/cart', 'pod/web:8080', ...network, egress)
    expect([verdict.reason, verdict.place?.node]).toEqual(['policy-egress', 'node-a'])
  })

  test('a node reaches its own pods whatever the policies say', () => {
    expect(traced('node/node-b', 'pod/web:8080', ...network, ingress).verdict.result).toBe('delivered')
  })

  test("a rule of Calico's own that denies is named with its place", () => {
    const { verdict } = traced('pod/cart', 'pod/web:8080', ...network, deny)
    expect(verdict.reason).toBe('policy-ingress')
    expect(verdict.place?.origin?.object).toMatchObject({
      kind: 'GlobalNetworkPolicy',
      name: 'no-web',
      field: 'spec.ingress[0]',
    })
  })
})

test('what leaves the cluster is masqueraded by natOutgoing', () => {
  const { branches } = traced('pod/cart', 'external:80', calico)
  expect(branches[0]?.reached?.source.ip).toBe('10.0.0.11')
})
