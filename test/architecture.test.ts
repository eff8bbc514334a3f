import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Folders of src/ by rank: a folder imports only from folders of a lower rank. `index.ts` at the top sees everything. */
const ranks: Readonly<Record<string, number>> = {
  net: 1,
  kube: 2,
  artefact: 2,
  packet: 2,
  bgp: 2,
  controllers: 3,
  dns: 3,
  policy: 3,
  linux: 3,
  cni: 4,
  proxy: 4,
  cluster: 5,
  trace: 6,
  view: 7,
  lab: 7,
  cli: 8,
}

const src = join(import.meta.dirname, '../src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((f) => f.endsWith('.ts'))
const importsOf = (file: string): readonly string[] =>
  [...readFileSync(join(src, file), 'utf8').matchAll(/^(?:import|export)[^'"]*?from '([^']+)'/gm)].map(
    (m) => m[1] ?? '',
  )
const folderOf = (file: string): string => file.split('/')[0] ?? ''

describe('architecture', () => {
  test('every folder of src has a rank', () => {
    const folders = new Set(files.filter((f) => f.includes('/')).map(folderOf))
    expect([...folders].filter((f) => !(f in ranks))).toEqual([])
  })

  test('a folder imports only itself and folders of a lower rank', () => {
    const upward = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.startsWith('.'))
        .map((target) => relative(src, join(src, file, '..', target)))
        .filter((target) => file.includes('/') && folderOf(target) !== folderOf(file))
        .filter((target) => (ranks[folderOf(target)] ?? Number.POSITIVE_INFINITY) >= (ranks[folderOf(file)] ?? 0))
        .map((target) => `${file} imports ${target}`),
    )
    expect(upward).toEqual([])
  })

  test('a third-party package has one importer', () => {
    const importers = new Map<string, Set<string>>()
    for (const file of files) {
      for (const target of importsOf(file).filter((t) => !t.startsWith('.') && !t.startsWith('node:'))) {
        const name = target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : (target.split('/')[0] ?? '')
        importers.set(name, (importers.get(name) ?? new Set()).add(file))
      }
    }
    expect(
      [...importers].filter(([, by]) => by.size > 1).map(([name, by]) => `${name}: ${[...by].join(', ')}`),
    ).toEqual([])
  })
})
