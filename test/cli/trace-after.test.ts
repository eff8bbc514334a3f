import { describe, expect, test } from 'vitest'
import { serviceCluster } from '../trace/service-cluster.ts'
import { runWith } from './memory-io.ts'

const run = (...argv: string[]) =>
  runWith({ 'a.yaml': serviceCluster }, ['trace', 'pod/client', 'svc/sticky', '-n', 'shop', '-f', 'a.yaml', ...argv])

const branches = async (...argv: string[]): Promise<readonly string[]> => {
  const { out } = await run('--backend', 'all', '-o', 'json', ...argv)
  const { branches: found } = JSON.parse(out) as { branches: readonly { reached: { name: string } }[] }
  return found.map((b) => b.reached.name)
}

describe('trace --after: a client that was here before', () => {
  test.each([
    { title: 'a first connection is drawn', argv: [], reached: ['shop/web-a', 'shop/web-b'] },
    {
      title: 'within the timeout of sessionAffinity the second goes where the first went',
      argv: ['--after', '59'],
      reached: ['shop/web-a', 'shop/web-b'],
    },
    {
      title: 'after it, it is drawn anew',
      argv: ['--after', '61'],
      reached: ['shop/web-a', 'shop/web-b', 'shop/web-a', 'shop/web-b'],
    },
  ])('$title', async ({ argv, reached }) => {
    expect(await branches(...argv)).toEqual(reached)
  })

  test('the trace shows the rule that remembers', async () => {
    const { out, status } = await run('--after', '30')
    expect(status).toBe(0)
    expect(out).toMatch(/-m recent --rcheck --seconds 60 --reap --name KUBE-SEP-/)
  })

  test.each(['-1', 'soon'])('--after %s is bad input', async (text) => {
    expect(await run(`--after=${text}`)).toMatchObject({ status: 2, out: '', err: expect.stringContaining('--after') })
  })
})
