// Compiles src/ to dist/ and marks the program executable.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

rmSync('dist', { recursive: true, force: true })
const tsc = join('node_modules', '.bin', 'tsc')
const result = spawnSync(tsc, ['-p', 'tsconfig.build.json'], { stdio: 'inherit', shell: process.platform === 'win32' })
if (result.status !== 0) process.exit(result.status ?? 1)
for (const file of readdirSync('src', { recursive: true })) {
  if (file.endsWith('.schema.json')) cpSync(join('src', file), join('dist', file))
}
const main = join('dist', 'cli', 'main.js')
if (existsSync(main)) chmodSync(main, 0o755)
