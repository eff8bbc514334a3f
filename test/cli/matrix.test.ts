import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { runWith } from './memory-io.ts'

const schemaOf = (name: string): object =>
  JSON.parse(readFileSync(join(import.meta.dirname, `../../src/view/${name}.schema.json`), 'utf8')) as object

const deployment = (name: string, port: number, replicas = 1, namespace = 'shop'): string => `
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec: { containers: [{ name: c, image: i, ports: [{ name: main, containerPort: ${port} }] }] }
`
const allow = (to: string, from: string, port: number | string): string => `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${to}, namespace: shop }
spec:
  podSelector: { matchLabels: { app: ${to} } }
  ingress: [{ from: [{ podSelector: { matchLabels: { app: ${from} } } }], ports: [{ port: ${port} }] }]
`
const shop =
  deployment('web', 8080, 2) + deployment('cart', 7070) + deployment('db', 5432) + deployment('batch', 9000, 2, 'jobs')
const policies = allow('cart', 'web', 7070) + allow('db', 'cart', 'main')

const matrix = (text: string, ...argv: string[]) =>
  runWith({ 'in.yaml': text, 'other.yaml': shop + allow('cart', 'web', 7070) }, ['matrix', '-f', 'in.yaml', ...argv])

interface MatrixJson {
  readonly sources: readonly { readonly members: readonly string[] }[]
  readonly destinations: readonly { readonly members: readonly string[] }[]
  readonly cells: readonly {
    readonly from: number
    readonly to: number
    readonly verdict: string
    readonly ports: readonly {
      readonly port: string
      readonly allowed: number
      readonly total: number
      readonly by: readonly string[]
    }[]
  }[]
}

const jsonOf = async (text: string, ...argv: string[]): Promise<MatrixJson> =>
  JSON.parse((await matrix(text, ...argv, '-o', 'json')).out) as MatrixJson

function cellOf(json: MatrixJson, from: string, to: string): MatrixJson['cells'][number] | undefined {
  const row = json.sources.findIndex((s) => s.members.includes(from))
  const column = json.destinations.findIndex((d) => d.members.includes(to))
  return json.cells.find((c) => c.from === row && c.to === column)
}

describe('kubehop matrix', () => {
  test.each([
    ['shop/web', 'shop/cart', 'allowed', ['NetworkPolicy shop/cart']],
    ['shop/db', 'shop/cart', 'denied', ['NetworkPolicy shop/cart']],
    ['shop/cart', 'shop/db', 'allowed', ['NetworkPolicy shop/db']],
    ['jobs/batch', 'shop/db', 'denied', ['NetworkPolicy shop/db']],
    ['shop/db', 'jobs/batch', 'allowed', []],
    ['shop/web', 'shop/web', 'allowed', []],
  ])('%s to %s is %s', async (from, to, verdict, by) => {
    const cell = cellOf(await jsonOf(shop + policies), from, to)
    expect(cell?.verdict).toBe(verdict)
    expect(cell?.ports[0]?.by).toEqual(by)
  })

  test('CSV names the policies of each pair alone, though pairs of equal answers stand in one cell', async () => {
    const text = deployment('a', 80) + deployment('b', 80) + allow('a', 'nobody', 80) + allow('b', 'nobody', 80)
    const { out } = await matrix(text, '-o', 'csv', '--outside', 'none')
    expect(out.split('\r\n').slice(1, -1)).toEqual([
      'shop/a,shop/b,80/tcp,denied,NetworkPolicy shop/b',
      'shop/b,shop/a,80/tcp,denied,NetworkPolicy shop/a',
    ])
  })

  test('a list of many destinations puts the open ones and the closed ones first, and names nobody as its own client', async () => {
    const names = Array.from({ length: 45 }, (_, i) => `w${i}`)
    const text = `${names.map((n) => deployment(n, 80)).join('')}${names
      .slice(2)
      .map((n, i) => allow(n, n === 'w44' ? n : n === 'w2' ? 'nobody' : `w${i + 1}`, 80))
      .join('')}`
    const { out } = await matrix(text, '--outside', 'none')
    expect(out).toContain('✔ open to everyone\n    shop: w0, w1  80/tcp\n')
    expect(out).toContain(
      '✖ closed to everyone\n    shop/w2  80/tcp   by NetworkPolicy shop/w2\n    shop/w44  80/tcp   by NetworkPolicy shop/w44\n',
    )
    expect(out).toContain('to shop/w4  80/tcp\n    ✔ shop/w3\n    ✖ the other 43, by NetworkPolicy shop/w4\n')
  })

  test('a workload of one pod has no cell with itself, and of two pods two pairs', async () => {
    const alone = await jsonOf(shop + policies, '-l', 'app=db', '--outside', 'none')
    expect(cellOf(alone, 'shop/db', 'shop/db')).toBeUndefined()
    const two = await jsonOf(shop + policies, '-l', 'app=web', '--outside', 'none')
    expect(cellOf(two, 'shop/web', 'shop/web')?.ports).toEqual([{ port: '8080/tcp', allowed: 2, total: 2, by: [] }])
  })

  test('namespaces are partly open: pairs are counted', async () => {
    const json = await jsonOf(shop + policies, '--group', 'namespace', '--outside', 'none')
    const ports = cellOf(json, 'shop', 'shop')?.ports
    expect(ports?.map((p) => `${p.port} ${p.allowed}/${p.total}`)).toEqual([
      '5432/tcp 1/3',
      '7070/tcp 2/3',
      '8080/tcp 6/6',
    ])
  })

  test('ports are asked of every destination that has them', async () => {
    const json = await jsonOf(shop + policies, '--ports', '7070,main/tcp')
    expect(cellOf(json, 'shop/web', 'shop/cart')?.ports.map((p) => p.port)).toEqual(['7070/tcp', 'main/tcp'])
    expect(cellOf(json, 'shop/cart', 'shop/db')?.ports.map((p) => p.allowed)).toEqual([0, 1])
  })

  test('a block outside is some where policies let in a part of it', async () => {
    const block = `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: out, namespace: shop }
spec: { podSelector: {}, policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: 198.51.100.0/25 } }] }] }
`
    const json = await jsonOf(shop + block, '--outside', '198.51.100.0/24', '--outside', '198.51.100.7')
    expect(cellOf(json, 'shop/web', '198.51.100.0/24')?.verdict).toBe('some')
    expect(cellOf(json, 'shop/web', '198.51.100.7')?.verdict).toBe('allowed')
  })

  test('packets pass where the CNI enforces nothing, and both answers say so', async () => {
    const traced = await matrix(shop + policies, '--method', 'dataplane', '--outside', 'none', '-o', 'json')
    const json = JSON.parse(traced.out) as MatrixJson
    expect(cellOf(json, 'shop/db', 'shop/cart')?.verdict).toBe('allowed')
    expect(traced.out).toContain('policy-not-enforced')
    expect((await matrix(shop + policies)).out).toContain('enforces no policy: cells say what the policies mean')
  })

  test('where a CNI enforces policies, packets and meaning agree in every cell', async () => {
    const canal = readFileSync(join(import.meta.dirname, '../../scenarios/netpol-not-enforced/fix/calico.yaml'), 'utf8')
    const flannel = readFileSync(join(import.meta.dirname, '../../scenarios/netpol-not-enforced/cluster.yaml'), 'utf8')
    const files = { 'in.yaml': `${flannel}\n---\n${canal}\n${shop}${policies}` }
    const argv = ['matrix', '-f', 'in.yaml', '-n', 'shop', '--outside', 'none', '-o', 'csv']
    const verdicts = async (method: string): Promise<readonly string[]> => {
      const { out } = await runWith(files, [...argv, '--method', method])
      return out
        .split('\r\n')
        .map((row) => row.split(',').slice(0, 4).join())
        .sort()
    }
    expect(await verdicts('dataplane')).toEqual(await verdicts('policy'))
    expect((await runWith(files, argv)).out).toContain('denied')
    expect((await runWith(files, ['matrix', '-f', 'in.yaml'])).out).not.toContain('enforces no policy')
  })

  test.each([
    ['text', 'by what'],
    ['csv', 'shop/web,shop/cart,7070/tcp,allowed,NetworkPolicy shop/cart\r\n'],
    ['md', '| --- | :-:'],
    ['html', '<td class="none" title="denied by NetworkPolicy shop/db">'],
  ])('prints %s', async (form, part) => {
    const { status, out } = await matrix(shop + policies, '-o', form)
    expect(status).toBe(0)
    expect(out).toContain(part)
  })

  test('the JSON is as the published schemas say', async () => {
    const validate = new Ajv({ allErrors: true, strict: false })
    const check = validate.compile(schemaOf('matrix'))
    check(await jsonOf(shop + policies))
    expect(check.errors).toBeNull()
    const difference = validate.compile(schemaOf('matrix-difference'))
    difference(await jsonOf(shop + policies, '--compare', 'other.yaml'))
    expect(difference.errors).toBeNull()
  })

  test('the page needs nothing from elsewhere', async () => {
    const { out } = await matrix(shop + policies, '-o', 'html')
    expect(out).not.toMatch(/https?:|<script|<link|@import|url\(/)
  })

  test('--compare tells what becomes reachable, and exits with 1', async () => {
    const { status, out } = await matrix(shop + policies, '--compare', 'other.yaml')
    expect(status).toBe(1)
    expect(out).toMatch(
      /\+ reachable {2} +5432\/tcp {2}shop\/web; jobs\/batch; external \(203\.0\.113\.10\) → shop\/db/,
    )
    expect(out.split('\n')).toHaveLength(2)
  })

  test('what --apply puts over the input is what --compare tells of, also against the input itself', async () => {
    const files = { 'shop.yaml': shop, 'change.yaml': policies }
    const argv = ['matrix', '-f', 'shop.yaml', '--compare', 'shop.yaml', '--apply', 'change.yaml']
    const { status, out } = await runWith(files, argv)
    expect(status).toBe(1)
    expect(out).toContain('- unreachable')
  })

  test('--compare with the same says that nothing differs, and exits with 0', async () => {
    const { status, out } = await matrix(shop + allow('cart', 'web', 7070), '--compare', 'other.yaml')
    expect({ status, out }).toEqual({ status: 0, out: 'nothing differs\n' })
  })

  test.each([
    { name: 'a port out of range', argv: ['--ports', '99999'] },
    { name: 'a port name that nobody has', argv: ['--ports', 'nosuch'] },
    { name: 'a block that is none', argv: ['--outside', 'somewhere'] },
    { name: 'a selector that does not parse', argv: ['-l', 'app in'] },
    { name: 'a selection of nobody', argv: ['-l', 'app=nobody'] },
    { name: 'an unknown form', argv: ['-o', 'pdf'] },
    { name: 'an unknown protocol', argv: ['--protocol', 'gre'] },
  ])('refuses $name', async ({ argv }) => {
    const { status, err } = await matrix(shop, ...argv)
    expect(status).toBe(2)
    expect(err).toMatch(/^kubehop: /)
  })

  test('refuses the address of a pod or a node as one outside', async () => {
    const one =
      '\n---\n{ kind: Node, apiVersion: v1, metadata: { name: n }, status: { addresses: [{ type: InternalIP, address: 192.168.50.11 }] } }\n---\n{ kind: Pod, apiVersion: v1, metadata: { name: p }, spec: { nodeName: n, containers: [{ name: c }] }, status: { podIP: 10.244.0.9 } }\n'
    expect((await matrix(one, '--outside', '10.244.0.9')).err).toBe(
      'kubehop: --outside 10.244.0.9: not outside: pod default/p has this address\n',
    )
    expect((await matrix(one, '--outside', '192.168.50.11')).err).toContain('not outside: node n has this address')
    expect((await matrix(one, '--outside', '10.244.0.8')).status).toBe(0)
  })

  test('--compare with an input in which nobody is selected says which input that is', async () => {
    const none = await runWith(
      { 'in.yaml': shop, 'empty.yaml': 'kind: Namespace\napiVersion: v1\nmetadata: { name: jobs }\n' },
      [...['matrix', '-f', 'in.yaml', '--compare', 'empty.yaml']],
    )
    expect(none.status).toBe(2)
    expect(none.err).toBe('kubehop: --compare empty.yaml: no running pod is selected\n')
  })
})
