import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { runWith } from './memory-io.ts'

/** A clock that moves on by a second at each look: no test waits for a figure. */
const clock = () => {
  let at = 0
  const now = (): number => {
    at += 1000
    return at
  }
  return { now }
}
const bench = (...words: string[]) => runWith({}, ['bench', 'lookup', ...words], clock())

describe('kubehop bench lookup', () => {
  test('counts what each mode installs and what the kernel compares for the last Service', async () => {
    const args = ['--services', '5,40', '--endpoints', '2', '--position', 'first,last', '-o', 'json']
    const { status, out } = await bench(...args)
    expect(status).toBe(0)
    const { installed, costs } = JSON.parse(out)
    const rules = (mode: string): readonly number[] =>
      installed.filter((r: { mode: string }) => r.mode === mode).map((r: { rules: number }) => r.rules)
    // A Service of two endpoints: 1 rule that jumps to it, 3 in its chain, 2 in that of each endpoint.
    expect((rules('iptables')[1] ?? 0) - (rules('iptables')[0] ?? 0)).toBe(35 * 8)
    const examined = (mode: string, services: number, position: string): number =>
      costs.find(
        (c: { mode: string; services: number; position: string }) =>
          c.mode === mode && c.services === services && c.position === position,
      ).examined
    const [few, many] = [5, 40].map((n) => examined('iptables', n, 'last') - examined('iptables', n, 'first'))
    // Random endpoints and their chains vary by little; each Service before the last is one more rule, in each chain that lists them.
    expect((many ?? 0) - (few ?? 0)).toBeGreaterThan(30)
    for (const mode of ['ipvs', 'nftables']) {
      expect(Math.abs(examined(mode, 40, 'last') - examined(mode, 5, 'last'))).toBeLessThan(20)
    }
  })

  test('prints tables by default, and a plot', async () => {
    const text = await bench('--services', '5', '--modes', 'nftables', '--position', 'random')
    expect(text.out).toMatch(/^MODE +SERVICES +ENDPOINTS +RULES/)
    expect(text.out).toMatch(/nftables +5 +2 +random/)
    const { out } = await bench('--services', '5,9', '--modes', 'ipvs', '-o', 'svg')
    expect(out).toMatch(/^<svg[\s\S]*ipvs x 2: walk[\s\S]*ipvs x 2: compiled[\s\S]*<\/svg>\n$/)
    expect(out).not.toContain('NaN')
  })

  test.each([
    [['--services', '0'], '--services 0: whole numbers from 1'],
    [['--services', 'many'], '--services many'],
    [['--endpoints', '2,x'], '--endpoints 2,x'],
    [['--modes', 'ebpf'], '--modes ebpf: iptables, ipvs, nftables'],
    [['--position', 'top'], '--position top: first, middle, last, random'],
    [['-o', 'wide'], '-o wide: it is text, json or svg'],
  ])('%j is bad input', async (words, message) => {
    const { status, err } = await bench(...words)
    expect({ status, err }).toEqual({ status: 2, err: expect.stringContaining(message) })
  })

  const canEnter =
    process.getuid?.() === 0 &&
    spawnSync('unshare', ['-nm', 'python3', '-c', 'pass']).status === 0 &&
    spawnSync('nft', ['--version']).status === 0
  test.skipIf(!canEnter)(
    'with --kernel the running kernel is measured beside (needs root, python3 and nft)',
    async () => {
      const { out } = await bench(
        '--services',
        '5',
        '--modes',
        'nftables,ipvs',
        '--position',
        'last',
        '--kernel',
        '-o',
        'json',
      )
      const { costs, notes } = JSON.parse(out)
      expect(costs[0].kernelNs).toBeGreaterThan(0)
      expect(notes).toEqual([expect.stringContaining('kernel, ipvs, 5 x 2')])
    },
  )
})
