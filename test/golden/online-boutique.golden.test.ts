import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runWith } from '../cli/memory-io.ts'

const inputs = process.env.KUBEHOP_INPUTS ?? join(import.meta.dirname, '../../../shared/inputs')
const files = ['online-boutique.yaml', 'online-boutique-policies.yaml'].map((f) => join(inputs, f))
const missing = files.find((f) => !existsSync(f))

/**
 * Read off the policies by hand: everyone is isolated both ways by deny-all, everyone may open anything (egress: {}) by a
 * policy of its own, so the destination's ingress alone decides. `*` is everybody, the outside included.
 */
const lets: Readonly<Record<string, { readonly port: number; readonly in: readonly string[] }>> = {
  adservice: { port: 9555, in: ['frontend'] },
  cartservice: { port: 7070, in: ['frontend', 'checkoutservice'] },
  checkoutservice: { port: 5050, in: ['frontend'] },
  currencyservice: { port: 7000, in: ['frontend', 'checkoutservice'] },
  emailservice: { port: 8080, in: ['checkoutservice'] },
  frontend: { port: 8080, in: ['*'] },
  // No ingress policy of its own, and no port: deny-all speaks for it.
  loadgenerator: { port: 80, in: [] },
  paymentservice: { port: 50051, in: ['checkoutservice'] },
  productcatalogservice: { port: 3550, in: ['frontend', 'checkoutservice', 'recommendationservice'] },
  recommendationservice: { port: 8080, in: ['frontend'] },
  'redis-cart': { port: 6379, in: ['cartservice'] },
  shippingservice: { port: 50051, in: ['frontend', 'checkoutservice'] },
}
const workloads = Object.keys(lets)

async function csvRows(): Promise<ReadonlyMap<string, string>> {
  const read = Object.fromEntries(files.map((f) => [f, readFileSync(f, 'utf8')]))
  const { out } = await runWith(read, ['matrix', '-o', 'csv', ...files.flatMap((f) => ['-f', f])])
  const rows = out.trimEnd().split('\r\n').slice(1)
  return new Map(
    rows.map((row) => {
      const [from = '', to = '', port = '', verdict = ''] = row.split(',')
      return [`${from.replace('default/', '')} > ${to.replace('default/', '')} ${port}`, verdict]
    }),
  )
}

describe.skipIf(missing !== undefined)(`Online Boutique under its policies${missing ? ` (no ${missing})` : ''}`, () => {
  test('every workload pair is as the policies read', async () => {
    const rows = await csvRows()
    const sources = [...workloads, 'external (203.0.113.10)']
    const expected = workloads.flatMap((to) =>
      sources
        .filter((from) => from !== to)
        .map((from) => {
          const { port, in: open } = lets[to] ?? { port: 0, in: [] }
          const verdict = open.includes('*') || open.includes(from) ? 'allowed' : 'denied'
          return [`${from} > ${to} ${port}/tcp`, verdict] as const
        }),
    )
    expect(expected).toHaveLength(144)
    const inside = new Map([...rows].filter(([pair]) => !pair.includes('> external')))
    expect(Object.fromEntries(inside)).toEqual(Object.fromEntries(expected))
  })

  test('every workload may open connections to the outside', async () => {
    const outward = [...(await csvRows())].filter(([pair]) => pair.includes('> external'))
    expect(outward.map(([, verdict]) => verdict)).toEqual(workloads.map(() => 'allowed'))
  })
})
