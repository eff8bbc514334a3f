import { expect, test } from 'vitest'
import { runWith } from './memory-io.ts'

const pod = (namespace: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: in-${namespace}, namespace: ${namespace} }\nspec: { containers: [{ name: c }] }\n`

test('of an option that is given twice the last counts', async () => {
  const files = { 'a.yaml': `${pod('one')}---\n${pod('two')}` }
  const ran = await runWith(files, ['get', 'pods', '-f', 'a.yaml', '-n', 'one', '-n', 'two', '-o', 'name'])
  expect(ran).toMatchObject({ status: 0, out: 'pod/in-two\n' })
})
