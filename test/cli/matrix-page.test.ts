import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runWith } from './memory-io.ts'

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
)
const flags = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync', '--no-first-run'],
]

test.skipIf(browser === undefined)(
  `a browser shows every cell of the HTML matrix${browser ? '' : ' (no Chromium here)'}`,
  { timeout: 60_000 },
  async () => {
    const folder = join(import.meta.dirname, '../../scenarios/netpol-egress-dns')
    const files = Object.fromEntries(
      ['shop.yaml', 'policy.yaml'].map((f) => [f, readFileSync(join(folder, f), 'utf8')] as const),
    )
    const { out } = await runWith(files, ['matrix', '-f', 'shop.yaml', '-f', 'policy.yaml', '-o', 'html'])
    const work = mkdtempSync(join(tmpdir(), 'kubehop-page-'))
    try {
      const page = join(work, 'matrix.html')
      writeFileSync(page, out)
      const argv = [...flags, `--user-data-dir=${join(work, 'profile')}`, '--dump-dom', `file://${page}`]
      const { stdout } = spawnSync(browser ?? '', argv, { encoding: 'utf8', timeout: 50_000 })
      expect(stdout.match(/<td/g)).toHaveLength((out.match(/<td/g) ?? []).length)
      expect(stdout).toContain('NetworkPolicy shop/default-deny')
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  },
)
