import { expect, test } from 'vitest'
import { runWith } from './memory-io.ts'

const verify = (...argv: string[]) => ['verify', 'pod/a', 'pod/b:80', ...argv]

test.each([
  { argv: verify('--protocol', 'foo'), message: '--protocol foo: expected tcp, udp or icmp' },
  { argv: verify('--ttl', '0'), message: '--ttl 0: expected a number from 1 to 255' },
  { argv: verify('--ttl', '300'), message: '--ttl 300: expected a number from 1 to 255' },
  { argv: verify('--size', '67'), message: '--size 67: expected a number from 68 to 65535' },
  { argv: verify('--size', '99999'), message: '--size 99999: expected a number from 68 to 65535' },
  { argv: verify('-o', 'json'), message: '-o json: expected text' },
  { argv: ['verify', '--random', '-3'], message: '--random -3: expected 1 or more' },
  { argv: ['verify', '--clusters', '0'], message: '--clusters 0: expected 1 or more' },
  { argv: ['script', '--run', 'A;B'], message: '--run A;B: expected one to six lower-case letters and digits' },
  { argv: ['script', 'pod/a'], message: 'lab script takes no ends' },
])('lab $argv: refused before anything is built, $message', async ({ argv, message }) => {
  const { status, out, err } = await runWith({ 'in.yaml': '' }, ['lab', ...argv, '-f', 'in.yaml'])
  expect(status).toBe(2)
  expect(out).toBe('')
  expect(err).toContain(`kubehop: ${message}`)
})
