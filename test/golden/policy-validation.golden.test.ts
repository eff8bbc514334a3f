import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { formatPath } from '../../src/kube/field-path.ts'
import { loadManifests } from '../../src/kube/load.ts'
import { formatProblem, isError, type Problem } from '../../src/kube/problem.ts'
import { readYaml } from '../../src/kube/yaml.ts'
import { goldenRoot } from './golden-root.ts'

interface Case {
  readonly name: string
  readonly title: string
  readonly objects: readonly unknown[]
  readonly expect: {
    readonly valid?: boolean
    readonly errors?: readonly { readonly field: string; readonly type: string; readonly detail?: string }[]
  }
}

/** Where our answer differs on purpose. */
const differs: Readonly<Record<string, string>> = {
  'validation/metadata-no-namespace': 'a manifest without a namespace is in `default`, as kubectl has it',
  'validation/strict-cidr-host-bits': 'a warning, as without the feature gate',
  'validation/strict-cidr-ipv4-mapped': 'accepted, as without the feature gate',
}

const root = goldenRoot('network-policy/validation')

const casesIn = (path: string): readonly Case[] =>
  readdirSync(path)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => {
      const read = readYaml(readFileSync(join(path, name), 'utf8'))
      if (!read.ok) throw new Error(`${name} does not parse`)
      return read.documents[0]?.value as Case
    })

const fieldOf = (p: Problem): string => {
  const field = p.code === 'MISSING_FIELD' ? [...p.path, p.args.field] : p.path
  return formatPath(field)
}

if ('missing' in root) {
  describe.skip(`what the API server refuses (${root.missing})`, () => {
    test('golden cases', () => {})
  })
} else {
  describe('what the API server refuses', () => {
    for (const golden of casesIn(root.path)) {
      const reason = differs[golden.name]
      test.skipIf(reason !== undefined)(`${golden.name}: ${golden.title}${reason ? ` (${reason})` : ''}`, () => {
        const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: golden.objects })
        const problems = loadManifests([{ path: 'case.json', text }]).problems.filter(isError)
        const expected = golden.expect.errors ?? []
        expect(problems.map(fieldOf), problems.map(formatProblem).join('\n')).toEqual(expected.map((e) => e.field))
        problems.forEach((p, i) => {
          const { type, detail } = expected[i] ?? {}
          if (p.code === 'API_REFUSES' && type !== 'TooMany')
            expect(p.args).toMatchObject({ type, ...(detail ? { detail } : {}) })
        })
      })
    }
  })
}
