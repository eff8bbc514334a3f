import { expect, test } from 'vitest'
import { lookUpName } from '../../src/trace/name.ts'
import { loadText } from '../scenario.ts'

const text = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: out, namespace: shop }
spec: { type: ExternalName, externalName: api.example.com }
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: shop }
spec: { containers: [{ name: c }] }
`
const { cluster } = loadText({ path: 'a.yaml', text })
const client = cluster.objects.get('Pod', 'client', 'shop')

test.each([
  { name: 'wbe.shop', missing: 'no service "wbe" in namespace "shop"; nearest: web.shop' },
  { name: 'web.shpo', missing: 'no service "web" in namespace "shpo"; nearest: web.shop' },
  { name: 'pod-0.wbe.shop.svc', missing: 'no service "wbe" in namespace "shop"' },
  { name: 'web.shop.svc.cluster.locl', missing: "the service's name is web.shop.svc.cluster.local" },
  { name: 'kubernetes.default', missing: 'no service "kubernetes" in namespace "default"' },
])('$name reads as the name of a Service that is missing: the world is not asked', ({ name, missing }) => {
  expect(lookUpName(cluster, name, client)).toEqual({ problem: expect.stringContaining(missing) })
})

test.each([
  { name: 'example.com', answered: 'example.com' },
  { name: 'wbe.shop.', answered: 'wbe.shop' },
  { name: 'out', answered: 'api.example.com' },
  { name: 'out.shop.svc.cluster.local', answered: 'api.example.com' },
])('$name is a name of the world', ({ name, answered }) => {
  expect(lookUpName(cluster, name, client)).toMatchObject({ name: answered, outside: true })
})
