import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const program = join(import.meta.dirname, '../../dist/kubehop.js')
const built = existsSync(program)

test.skipIf(!built)(`a pipe gets no colours, in CI neither${built ? '' : ' (skipped: not built)'}`, () => {
  const scenario = join(import.meta.dirname, '../../scenarios/small')
  const run = (env: Record<string, string>): string =>
    spawnSync(process.execPath, [program, 'trace', 'pod/cart.shop', 'svc/web.shop:80', '-f', scenario], {
      env: { PATH: process.env.PATH ?? '', ...env },
      encoding: 'utf8',
    }).stdout
  expect(run({ CI: 'true' })).toMatch(/^DELIVERED/)
  expect(run({ CI: 'true' })).not.toContain('\u001b')
  expect(run({ FORCE_COLOR: '1' })).toContain('\u001b')
  expect(run({ FORCE_COLOR: '1', NO_COLOR: '1' })).toMatch(/DELIVERED/)
})
