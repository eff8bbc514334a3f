import { describe, expect, test } from 'vitest'
import { runWith } from './memory-io.ts'

const pod = (name: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop }
spec: { containers: [{ name: c, ports: [{ containerPort: 80 }] }] }
`
const files = { 'case/a.yaml': pod('a'), 'case/fix/b.yaml': pod('b') }
const note = 'kubehop: case/fix was left out: it holds changes to what is beside it; --apply case/fix makes them\n'
const get = (...argv: readonly string[]) => runWith(files, ['get', 'pods', '-n', 'shop', ...argv])

describe('a folder of changes', () => {
  test.each<{ name: string; argv: readonly string[]; err: boolean; pods: readonly string[] }>([
    { name: 'is told when it is left out', argv: ['-f', 'case'], err: true, pods: ['a'] },
    { name: 'is left out without a word under -q', argv: ['-f', 'case', '-q'], err: false, pods: ['a'] },
    {
      name: 'is not left out when it is applied',
      argv: ['-f', 'case', '--apply', 'case/fix/'],
      err: false,
      pods: ['a', 'b'],
    },
    { name: 'nor when it is named', argv: ['-f', 'case', '-f', 'case/fix'], err: false, pods: ['a', 'b'] },
  ])('$name', async ({ argv, err, pods }) => {
    const ran = await get(...argv)
    expect(ran.err.includes(note)).toBe(err)
    expect(ran.err.includes('left out')).toBe(err)
    for (const name of ['a', 'b']) expect(new RegExp(`^${name} `, 'm').test(ran.out)).toBe(pods.includes(name))
  })
})
