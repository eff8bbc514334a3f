import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { isEndProblem } from '../src/trace/end.ts'
import { trace } from '../src/trace/run.ts'
import { formatTrace } from '../src/view/text.ts'
import { loadScenario } from './scenario.ts'

test('the trace in the README is what the program prints', () => {
  const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')
  const shown = /```text\n(DELIVERED[\s\S]*?)\nREPLY/.exec(readme)?.[1] ?? ''
  const { cluster } = loadScenario('small')
  const result = trace(cluster, { from: 'pod/cart.shop', to: 'svc/web.shop:80', namespace: 'default', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  const printed = formatTrace(result)
    .replaceAll(/(cluster|shop)\.yaml:/g, 'scenarios/small/$1.yaml:')
    .split('\nREPLY')[0]
  expect(shown.trimEnd()).toBe(printed?.trimEnd())
})
