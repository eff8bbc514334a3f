import { describe, expect, test } from 'vitest'
import { runWith } from './memory-io.ts'

const object = (kind: string, name: string, apiVersion = 'v1'): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name} }\n`
const files = {
  'a.yaml': [object('Secret', 'a'), object('Secret', 'b'), object('Ingress', 'c', 'networking.k8s.io/v1')].join(
    '---\n',
  ),
  'b.yaml': object('Namespace', 'shop'),
}

describe('kinds that are not read', () => {
  test.each([[[]], [['-v']]])('are counted in one line on standard error (%j)', async (more) => {
    const { err, out } = await runWith(files, ['get', 'namespaces', '-f', 'a.yaml', '-f', 'b.yaml', ...more])
    expect(err.split('\n').filter((l) => l.includes('not read'))).toEqual([
      expect.stringMatching(/^kubehop: 3 objects of kinds that are not read: 2 Secret, 1 Ingress/),
    ])
    expect(out).not.toContain('not read')
  })

  test.each([
    ['with -q', ['-f', 'a.yaml', '-f', 'b.yaml', '-q']],
    ['where there are none', ['-f', 'b.yaml']],
  ])('are not told %s', async (_, more) => {
    const { err } = await runWith(files, ['get', 'namespaces', ...more])
    expect(err).not.toContain('not read')
  })
})
