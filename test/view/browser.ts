import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const browser = ['chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
)
export const withoutBrowser = browser === undefined ? ' (no Chromium here)' : ''

const flags = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync', '--no-first-run'],
]

/** The document that a headless browser makes of a file, after its scripts ran; and what it logged. */
export function openPage(text: string, name: string, fragment = ''): { readonly dom: string; readonly log: string } {
  const work = mkdtempSync(join(tmpdir(), 'kubehop-page-'))
  try {
    const page = join(work, name)
    writeFileSync(page, text)
    const own = [`--user-data-dir=${join(work, 'profile')}`, '--enable-logging=stderr', '--dump-dom']
    const argv = [...flags, ...own, `file://${page}${fragment}`]
    const { stdout, stderr } = spawnSync(browser ?? '', argv, { encoding: 'utf8', timeout: 50_000 })
    const log = stderr.split('\n').filter((line) => line.includes('CONSOLE'))
    return { dom: stdout, log: log.join('\n') }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
