import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runWith } from '../cli/memory-io.ts'

const folder = join(import.meta.dirname, '../../scenarios/etp-local-no-local')
const files = Object.fromEntries(
  readdirSync(folder)
    .filter((f) => f.endsWith('.yaml'))
    .map((f) => [f, readFileSync(join(folder, f), 'utf8')]),
)

/** KUBE-MARK-DROP marks in nat and kubelet's rule drops in filter; later versions drop in filter by a rule of the Service. */
describe.each(['1.22', '1.23', '1.24', '1.25', '1.30', '1.36'])('rules of %s', (version) => {
  const run = (...argv: string[]) =>
    runWith(files, [...argv, ...Object.keys(files).flatMap((f) => ['-f', f]), '--kube-version', version])

  test('a drop for want of a local endpoint names the Service, the policy and the nodes that have endpoints', async () => {
    const { out, status } = await run('trace', 'external', 'node/node-a:30443', '-o', 'json')
    expect(status).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      verdict: { result: 'dropped', reason: 'no-local-endpoints', place: { origin: { object: { name: 'ingress' } } } },
      notes: [{ message: expect.stringMatching(/shop\/ingress has externalTrafficPolicy Local .* are on node-b/) }],
    })
  })

  test('where there is one, the client is seen', async () => {
    const { out, status } = await run('trace', 'external', 'svc/ingress.shop:443', '-o', 'json')
    expect(status).toBe(0)
    expect(JSON.parse(out).branches).toMatchObject([
      { reached: { node: 'node-b', source: { address: '203.0.113.10' } } },
    ])
  })
})
