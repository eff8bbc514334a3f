import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Files, runWith } from './memory-io.ts'

const folder = join(import.meta.dirname, '../../scenarios/mtu-blackhole')
const texts = (path: string, prefix: string): Files =>
  Object.fromEntries(
    readdirSync(path)
      .filter((f) => f.endsWith('.yaml'))
      .map((f) => [`${prefix}/${f}`, readFileSync(join(path, f), 'utf8')]),
  )
const files = { ...texts(folder, 'base'), ...texts(join(folder, 'fix'), 'change') }
const run = (...more: readonly string[]) =>
  runWith(files, ['trace', 'deploy/frontend.shop', 'svc/catalog.shop', '-f', 'base', ...more])

describe('kubehop trace --size', () => {
  test('tells of each size what becomes of it, and ends like a trace: some arrive and some do not', async () => {
    const { status, out } = await run('--size', '1400,1450,1500,9000', '--df')
    expect(status).toBe(3)
    expect(out).toContain('largest    1450 bytes arrive')
    expect(out).toContain('1500 of eth0 - 50 (20 IPv4 + 8 UDP + 8 VXLAN + 14 Ethernet) = 1450')
    expect(out).toMatch(
      /1500 +1500 +dropped +node-a flannel.1, mtu 1450 +3\/4 mtu 1450 from 10.244.0.1: lost on its way/,
    )
    expect(out).toContain('result mixed icmp-frag-needed-lost  sizes=4 delivered=2 largest=1450')
  })

  test('with the changes of fix/ applied all arrive', async () => {
    const { status, out } = await run('--size', '1400,1500', '--apply', 'change')
    expect(status).toBe(0)
    expect(out).toMatch(/1500 +1450 +delivered +in segments of 1450/)
  })

  test('one size is an ordinary trace of that packet', async () => {
    const { status, out } = await run('--size', '1500')
    expect(status).toBe(1)
    expect(out).toContain('len 1500')
    expect(out).toContain('result dropped icmp-frag-needed-lost node-a')
  })

  test('as JSON', async () => {
    const { out } = await run('--size', '1400,1500', '--no-df', '-o', 'json')
    expect(JSON.parse(out)).toMatchObject({ kind: 'Sweep', question: { df: false }, rows: [{}, { size: 1500 }] })
  })

  test.each([
    { argv: ['--size', 'big'], says: '--size big: expected whole numbers from 68 to 65535' },
    { argv: ['--size', '1400,,1500'], says: '--size 1400,,1500: expected' },
    { argv: ['--size', '10'], says: '--size 10: expected' },
    { argv: ['--size', '1400,1500', '-o', 'minimal'], says: 'a sweep over sizes is printed as text or json' },
    { argv: ['--size', '1400', '--df', '--no-df'], says: 'mutually exclusive' },
  ])('refuses $argv', async ({ argv, says }) => {
    const { status, err } = await run(...argv)
    expect(status).toBe(2)
    expect(err).toContain(says)
  })
})
