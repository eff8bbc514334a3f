import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import { formatTrace } from '../../src/view/text.ts'
import { loadScenario } from '../scenario.ts'

const read = (path: string): string => readFileSync(join(import.meta.dirname, '../..', path), 'utf8')

test('every reason code has its heading and a paragraph, and no heading is of another', () => {
  const union = /export type ReasonCode =\n((?: {2}\| '[^']+'\n)+)/.exec(read('src/trace/trace.ts'))?.[1] ?? ''
  const codes = [...union.matchAll(/'([^']+)'/g)].map((m) => m[1])
  expect(codes.length).toBeGreaterThan(30)
  const sections = read('docs/reasons.md').split(/^## /m).slice(1)
  expect(sections.map((s) => s.split('\n')[0])).toEqual(codes)
  for (const section of sections) expect(section.split('\n').slice(1).join(' ').trim().length).toBeGreaterThan(60)
})

test('a trace that fails refers to its reason, after the notes; one that is delivered does not', () => {
  const { cluster } = loadScenario('small')
  const said = (to: string): readonly string[] => {
    const result = trace(cluster, { from: 'pod/cart', to, namespace: 'shop', seed: 1 })
    if (isEndProblem(result)) throw new Error(result.problem)
    return formatTrace(result).trimEnd().split('\n')
  }
  expect(said('svc/search:80').at(-2)).toBe('see docs/reasons.md#no-endpoints')
  expect(said('svc/web:80').join('\n')).not.toContain('docs/reasons.md')
})
