import { describe, expect, test } from 'vitest'
import { runWith } from '../cli/memory-io.ts'

const text = `
{ apiVersion: v1, kind: Node, metadata: { name: node-a }, status: { addresses: [{ type: InternalIP, address: 10.0.0.11 }] } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: cart, namespace: shop, labels: { app: cart } }, spec: { nodeName: node-a, containers: [{ name: c, image: i }] } }
---
{ apiVersion: v1, kind: Pod, metadata: { name: web, namespace: shop, labels: { app: web } }, spec: { nodeName: node-a, containers: [{ name: c, image: i, ports: [{ containerPort: 8080 }] }] } }
---
{ apiVersion: crd.projectcalico.org/v1, kind: IPPool, metadata: { name: p }, spec: { cidr: 10.244.0.0/16, natOutgoing: true } }
---
{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: web, namespace: shop }, spec: { podSelector: { matchLabels: { app: web } }, ingress: [{ from: [{ podSelector: { matchLabels: { app: cart } } }], ports: [{ port: 8080 }] }] } }
`

const traced = async (...more: readonly string[]): Promise<string> =>
  (await runWith({ 'a.yaml': text }, ['trace', 'pod/cart.shop', 'pod/web.shop:8080', '-f', 'a.yaml', ...more])).out

describe('a trace under Calico', () => {
  test('shows the policy and profile rules that decided, and none of the agent’s accounts', async () => {
    const out = await traced()
    expect(out).toContain('cali-pro-kns.shop:1')
    expect(out).toMatch(/cali-pi-knp\/shop\/web:1 {2}calico: NetworkPolicy shop\/web spec\.ingress\[0\]/)
    expect(out).not.toMatch(/dispatch|--set-xmark 0x0\/|0x80000/)
  })

  test('shows the way through the chains with -v', async () => {
    const out = await traced('-v')
    expect(out).toMatch(/cali-from-wl-dispatch:1/)
    expect(out).toContain('--set-xmark 0x0/0x1b0000')
    expect(out).toContain('mark      0x0 -> 0x80000')
  })

  test('a drop names the policy once and keeps the rule that dropped', async () => {
    const { out } = await runWith({ 'a.yaml': text }, ['trace', 'pod/cart.shop', 'pod/web.shop:81', '-f', 'a.yaml'])
    expect(out).toMatch(/from calico: NetworkPolicy shop\/web, a\.yaml:\d+\n/)
    expect(out).toMatch(/cali-tw-\S+ {2}drop/)
  })

  test('an origin whose note says what the object says already is told once', async () => {
    expect(await traced()).not.toMatch(/\(pod shop\/cart\)/)
  })
})
