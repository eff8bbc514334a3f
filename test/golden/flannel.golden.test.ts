import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { readYaml } from '../../src/kube/yaml.ts'
import { hops } from './flannel-hops.ts'
import { matrix } from './flannel-matrix.ts'
import { ruleKinds } from './flannel-rule-kinds.ts'
import { textKinds } from './flannel-text-kinds.ts'
import { goldenRoot } from './golden-root.ts'

interface GoldenCase {
  readonly name: string
  readonly kind: string
  readonly title: string
}

const root = goldenRoot('flannel')

function readCase(path: string): GoldenCase {
  const result = readYaml(readFileSync(path, 'utf8'))
  if (!result.ok) throw new Error(`${path}: ${JSON.stringify(result.faults)}`)
  return result.documents[0]?.value as GoldenCase
}

if ('missing' in root) test.skip(root.missing, () => {})
else {
  const files = readdirSync(root.path).filter((f) => f.endsWith('.yaml'))
  const kinds: Readonly<Record<string, (golden: never) => void>> = { ...textKinds, ...ruleKinds, hops, matrix }
  describe('golden cases of flannel and the CNI plugins', () => {
    for (const file of files) {
      const golden = readCase(join(root.path, file))
      const check = kinds[golden.kind]
      const title = `${golden.name}: ${golden.title}`
      test(title, () => {
        if (check === undefined) throw new Error(`no check for kind ${golden.kind}`)
        check(golden as never)
      })
    }
  })
}
