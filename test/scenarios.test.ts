import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkExpectation } from '../src/trace/expectation.ts'
import { hasFix, type LoadedScenario, loadFixed, loadScenario } from './scenario.ts'

const root = join(import.meta.dirname, '../scenarios')
const names = readdirSync(root).filter((name) => statSync(join(root, name)).isDirectory())

describe.each(names)('scenario %s', (name) => {
  expectationsHold(loadScenario(name))
})

describe.each(names.filter(hasFix))('scenario %s with its fix', (name) => {
  const fixed = loadFixed(name)
  expectationsHold(fixed)

  test('flips a verdict', () => {
    const verdicts = ({ cluster }: LoadedScenario): ReadonlyMap<string, string> =>
      new Map(
        cluster.objects
          .list('Expectation')
          .flatMap((e) =>
            e.spec.expect.map((x) => [`${x.from} ${x.to} ${x.size ?? ''}`, `${x.policy ?? ''} ${x.verdict}`] as const),
          ),
      )
    const before = verdicts(loadScenario(name))
    const isFlipped = ([connection, verdict]: readonly [string, string]): boolean => {
      const was = before.get(connection)
      return was === undefined ? verdict.endsWith(' delivered') : was !== verdict
    }
    expect([...verdicts(fixed)].some(isFlipped)).toBe(true)
  })
})

function expectationsHold({ cluster, problems }: LoadedScenario): void {
  const expectations = cluster.objects.list('Expectation')

  test('loads without a problem', () => {
    expect(problems).toEqual([])
    expect(expectations.length).toBeGreaterThan(0)
  })

  test.each(
    expectations.flatMap((e) =>
      e.spec.expect.map((expected) => ({
        title: expected.name ?? `${expected.from} -> ${expected.to}`,
        namespace: e.metadata.namespace ?? 'default',
        expected,
      })),
    ),
  )('$title', ({ namespace, expected }) => {
    expect(checkExpectation(cluster, expected, { namespace, seed: 1 }).differences).toEqual([])
  })
}
