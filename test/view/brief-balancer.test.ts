import { expect, test } from 'vitest'
import { isEndProblem } from '../../src/trace/end.ts'
import { trace } from '../../src/trace/run.ts'
import { formatBrief } from '../../src/view/brief.ts'
import { loadScenario } from '../scenario.ts'

test('in brief: the node that a load balancer chose', () => {
  const { cluster } = loadScenario('etp-local-no-local')
  const result = trace(cluster, { from: 'external', to: 'svc/ingress:443', namespace: 'shop', seed: 1 })
  if (isEndProblem(result)) throw new Error(result.problem)
  expect(formatBrief(result)).toMatch(/3 load-balancer cloud +sends it on to 192\.168\.50\.12\n/)
})
