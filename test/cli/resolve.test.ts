import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { runWith } from './memory-io.ts'

const small = join(import.meta.dirname, '../../scenarios/small')
const files = {
  'cluster.yaml': readFileSync(join(small, 'cluster.yaml'), 'utf8'),
  'shop.yaml': readFileSync(join(small, 'shop.yaml'), 'utf8'),
  'more.yaml': `
apiVersion: v1
kind: Service
metadata: { name: outside, namespace: shop }
spec: { type: ExternalName, externalName: db.example.com }
---
apiVersion: v1
kind: Service
metadata: { name: peers, namespace: shop }
spec: { clusterIP: None, selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: v1
kind: Pod
metadata: { name: alone, namespace: shop }
spec: { nodeName: node-a, enableServiceLinks: false, dnsPolicy: Default, containers: [{ name: c, image: c }] }
`,
}
const schema = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../src/view/resolution.schema.json'), 'utf8'),
) as object
const validate = new Ajv({ allErrors: true, strict: false }).compile(schema)

const run = (...argv: string[]) => runWith(files, [...argv, '-f', 'cluster.yaml', '-f', 'shop.yaml', '-f', 'more.yaml'])

describe('kubehop resolve', () => {
  test.each([
    {
      title: 'a Service of the own namespace',
      argv: ['web', '--from', 'pod/cart.shop'],
      status: 0,
      says: ['web.shop.svc.cluster.local.  IN A 10.96.45.67', 'options ndots:5'],
    },
    {
      title: 'a name tried along the search list',
      argv: ['web.shop', '--from', 'pod/cart.shop'],
      status: 0,
      says: ['web.shop.shop.svc.cluster.local.', 'NXDOMAIN', 'there is no Service shop/shop'],
    },
    {
      title: 'a headless Service: one record per endpoint',
      argv: ['peers', '--from', 'pod/cart.shop'],
      status: 0,
      says: ['IN A 10.244.1.2', 'IN A 10.244.2.2'],
    },
    {
      title: 'ports, with the weight shared',
      argv: ['_http._tcp.peers', '--from', 'pod/cart.shop', '--type', 'srv'],
      status: 0,
      says: ['IN SRV 0 50 8080 10-244-1-2.peers.shop.svc.cluster.local.'],
    },
    {
      title: 'an alias to the world',
      argv: ['outside', '--from', 'pod/cart.shop', '--type', 'CNAME'],
      status: 0,
      says: ['IN CNAME db.example.com.'],
    },
    {
      title: 'a name of the world',
      argv: ['example.com', '--from', 'pod/cart.shop'],
      status: 0,
      says: ['an outer resolver answers for example.com'],
    },
    {
      title: 'without a pod the name is absolute',
      argv: ['web.shop.svc.cluster.local'],
      status: 0,
      says: ['10.96.45.67'],
    },
    {
      title: 'a slip is not found',
      argv: ['wbe', '--from', 'pod/cart.shop'],
      status: 1,
      says: ['not found', 'there is no Service shop/wbe'],
    },
    {
      title: 'a missing type is not found',
      argv: ['web', '--from', 'pod/cart.shop', '--type', 'AAAA'],
      status: 1,
      says: ['NODATA'],
    },
    {
      title: "dnsPolicy Default does not ask the cluster's DNS",
      argv: ['web.shop.svc.cluster.local', '--from', 'pod/alone.shop'],
      status: 1,
      says: ['knows nothing of its domain'],
    },
  ])('$title', async ({ argv, status, says }) => {
    const ran = await run('resolve', ...argv)
    expect(ran).toMatchObject({ status, err: '' })
    for (const text of says) expect(ran.out).toContain(text)
  })

  test.each([
    { argv: ['web', '--from', 'pod/crat.shop'], says: 'no pod "crat' },
    { argv: ['web', '--from', 'node/node-a'], says: 'expected pod/NAME' },
    { argv: ['web', '--type', 'MX'], says: 'expected one of A, AAAA, SRV, CNAME' },
    { argv: ['we b'], says: 'no DNS name' },
  ])('$argv is bad input', async ({ argv, says }) => {
    const ran = await run('resolve', ...argv)
    expect(ran).toMatchObject({ status: 2, out: '', err: expect.stringContaining(says) })
  })

  test.each([
    ['web', '--from', 'pod/cart.shop'],
    ['_http._tcp.peers', '--from', 'pod/cart.shop', '--type', 'SRV'],
    ['outside', '--from', 'pod/alone.shop'],
    ['nowhere.example.com'],
    ['10.0.0.1'],
  ])('%s as JSON is as the published schema says', async (...argv) => {
    const { out } = await run('resolve', ...argv, '-o', 'json')
    expect(validate(JSON.parse(out)), JSON.stringify(validate.errors)).toBe(true)
  })

  test('as JSON: what was tried, and what came of it', async () => {
    const { out } = await run('resolve', 'web.shop', '--from', 'pod/cart.shop', '--type', 'A', '-o', 'json')
    expect(JSON.parse(out)).toMatchObject({
      outcome: 'found',
      addresses: ['10.96.45.67'],
      attempts: [{ status: 'NXDOMAIN' }, { name: 'web.shop.svc.cluster.local', type: 'A', status: 'NOERROR' }],
      resolvConf: { ndots: 5, nameservers: ['10.96.0.10'] },
    })
  })
})

describe('kubehop get pod -o env', () => {
  test('Services of the namespace that have a cluster IP', async () => {
    const { out, status } = await run('get', 'pod', 'cart', '-n', 'shop', '-o', 'env')
    expect(status).toBe(0)
    expect(out.split('\n')).toEqual(
      expect.arrayContaining(['WEB_SERVICE_HOST=10.96.45.67', 'WEB_PORT=tcp://10.96.45.67:80']),
    )
    expect(out).not.toMatch(/PEERS|OUTSIDE/)
  })

  test('none for a pod that wants no service links', async () => {
    expect(await run('get', 'pod', 'alone', '-n', 'shop', '-o', 'env')).toMatchObject({ status: 0, out: '' })
  })

  test('nothing else has an environment', async () => {
    expect(await run('get', 'svc', '-n', 'shop', '-o', 'env')).toMatchObject({ status: 2, out: '' })
  })
})
