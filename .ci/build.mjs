// Compiles src/ to dist/, with types for those who use the library, and puts the program into one file: loading
// hundreds of modules would take longer than most traces.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'

rmSync('dist', { recursive: true, force: true })
const tsc = join('node_modules', '.bin', 'tsc')
const result = spawnSync(tsc, ['-p', 'tsconfig.build.json'], { stdio: 'inherit', shell: process.platform === 'win32' })
if (result.status !== 0) process.exit(result.status ?? 1)
for (const file of readdirSync('src', { recursive: true })) {
  if (!/\.(schema\.json|py|sh)$/.test(file)) continue
  cpSync(join('src', file), join('dist', file))
  // The bundled program looks for its data beside itself.
  cpSync(join('src', file), join('dist', basename(file)))
}
await build({
  entryPoints: [join('dist', 'cli', 'main.js')],
  outfile: join('dist', 'kubehop.js'),
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  logLevel: 'warning',
  // Dependencies in CommonJS ask for Node's own modules by require.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'\nconst require = requireFrom(import.meta.url)",
  },
})
chmodSync(join('dist', 'kubehop.js'), 0o755)
