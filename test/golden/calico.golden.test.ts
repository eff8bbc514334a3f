import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { readYaml } from '../../src/kube/yaml.ts'
import { birdConfig } from './calico-bird-config.ts'
import { conversion } from './calico-conversion.ts'
import { rendered, routes } from './calico-node-kinds.ts'
import { type CalicoGolden, calicoRuleKinds } from './calico-rule-kinds.ts'
import { walk } from './calico-walk.ts'
import { goldenRoot } from './golden-root.ts'

const root = goldenRoot('calico')

function readCase(path: string): CalicoGolden {
  const result = readYaml(readFileSync(path, 'utf8'))
  if (!result.ok) throw new Error(`${path}: ${JSON.stringify(result.faults)}`)
  return result.documents[0]?.value as CalicoGolden
}

/** Speakers have a test of their own. */
const elsewhere = new Set(['bird-output'])

if ('missing' in root) test.skip(root.missing, () => {})
else {
  const kinds = { ...calicoRuleKinds, 'bird-config': birdConfig, conversion, rendered, routes, walk }
  for (const file of readdirSync(root.path).filter((f) => f.endsWith('.yaml'))) {
    const golden = readCase(join(root.path, file))
    if (elsewhere.has(golden.kind)) continue
    describe(`golden ${golden.name}`, () => {
      const cases = golden.cases ?? [{ name: golden.name, expected: golden.expected }]
      cases.forEach((c, i) => {
        test(c.name ?? `case ${i + 1}`, () => {
          const check = kinds[golden.kind as keyof typeof kinds]
          if (check === undefined) throw new Error(`no check for kind ${golden.kind}`)
          check(golden, c)
        })
      })
    })
  }
}
