import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { browser, openPage, withoutBrowser } from '../view/browser.ts'
import { runWith } from './memory-io.ts'

test.skipIf(browser === undefined)(
  `a browser shows every cell of the HTML matrix${withoutBrowser}`,
  { timeout: 60_000 },
  async () => {
    const folder = join(import.meta.dirname, '../../scenarios/netpol-egress-dns')
    const files = Object.fromEntries(
      ['shop.yaml', 'policy.yaml'].map((f) => [f, readFileSync(join(folder, f), 'utf8')] as const),
    )
    const { out } = await runWith(files, ['matrix', '-f', 'shop.yaml', '-f', 'policy.yaml', '-o', 'html'])
    const { dom } = openPage(out, 'matrix.html')
    expect(dom.match(/<td/g)).toHaveLength((out.match(/<td/g) ?? []).length)
    expect(dom).toContain('NetworkPolicy shop/default-deny')
  },
)
