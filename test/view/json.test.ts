import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { formatJson, formatJsonLines } from '../../src/view/json.ts'
import { loadScenario } from '../scenario.ts'

const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../src/view/trace.schema.json'), 'utf8')) as object
const validate = new Ajv({ allErrors: true, strict: false }).compile(schema)
const { cluster } = loadScenario('small')

function traced(from: string, to: string, more: Partial<Parameters<typeof trace>[1]> = {}): Trace {
  const result = trace(cluster, { from, to, namespace: 'shop', seed: 1, ...more })
  if (isEndProblem(result)) throw new Error(result.problem)
  return result
}

const questions = [
  { name: 'a delivered connection', of: () => traced('pod/cart', 'svc/web:80') },
  { name: 'every branch', of: () => traced('pod/cart', 'svc/web:80', { backend: 'all' }) },
  { name: 'masquerade from outside', of: () => traced('external', 'node/node-a:30080') },
  { name: 'a rejected connection', of: () => traced('pod/cart', 'svc/search:80') },
  { name: 'a refused connection', of: () => traced('pod/cart', 'deploy/web:9999') },
  { name: 'a ping', of: () => traced('pod/cart', 'deploy/web', { protocol: 'icmp' }) },
  { name: 'a TTL that runs out', of: () => traced('pod/cart', 'deploy/web', { ttl: 1 }) },
  { name: 'every rule', of: () => traced('pod/cart', 'svc/web:80', { everyRule: true }) },
]

describe('a trace as JSON', () => {
  test.each(questions)('$name is as the published schema says', ({ of }) => {
    validate(JSON.parse(formatJson(of())))
    expect(validate.errors).toBeNull()
  })

  test.each(questions)('$name gives the same bytes twice', ({ of }) => {
    expect(formatJson(of())).toBe(formatJson(of()))
  })

  test('the schema refuses a trace with a field that it does not know', () => {
    expect(validate({ ...(JSON.parse(formatJson(traced('pod/cart', 'svc/web:80'))) as object), extra: 1 })).toBe(false)
  })

  test('probabilities of all branches add up to 1', () => {
    const { branches } = JSON.parse(formatJson(traced('pod/cart', 'svc/web:80', { backend: 'all' }))) as {
      branches: { probability: { numerator: string; denominator: string } }[]
    }
    expect(branches.map((b) => `${b.probability.numerator}/${b.probability.denominator}`)).toEqual(['1/2', '1/2'])
  })

  test('as lines, every line is JSON and the last is the verdict', () => {
    const lines = formatJsonLines(traced('pod/cart', 'svc/web:80'))
      .trimEnd()
      .split('\n')
      .map((l) => JSON.parse(l) as object)
    expect(lines.length).toBeGreaterThan(50)
    expect(lines[lines.length - 1]).toMatchObject({ verdict: { result: 'delivered' } })
  })
})
