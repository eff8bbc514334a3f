import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { buildCluster, formatMinimal, isEndProblem, loadManifests, runControlPlane, trace } from '../src/index.ts'

test('the library goes from manifests to a trace', () => {
  const folder = join(import.meta.dirname, '../scenarios/small')
  const files = ['cluster.yaml', 'shop.yaml'].map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }))
  const { store, settings, problems } = loadManifests(files)
  expect(problems).toEqual([])
  runControlPlane(store, settings)
  const { cluster } = buildCluster(store, settings)
  const result = trace(cluster, { from: 'pod/cart', to: 'svc/web:http', namespace: 'shop', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  expect(result.verdict.result).toBe('delivered')
  expect(formatMinimal(result)).toContain('. deliver pod shop/cart\n')
})
