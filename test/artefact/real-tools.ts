import { spawnSync } from 'node:child_process'

export interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a shell script as root of fresh user, network and mount namespaces, which end with it. */
export function inNamespace(script: string, input = ''): Ran {
  const quiet = 'mount -t tmpfs tmpfs /run && mount -t sysfs sysfs /sys 2>/dev/null\n'
  const ran = spawnSync('unshare', ['-Urnm', '--map-root-user', 'bash', '-c', quiet + script], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  return { status: ran.status, stdout: ran.stdout ?? '', stderr: ran.stderr ?? '' }
}

/** Why tests with these tools cannot run here; undefined when they can. */
export function missingTools(...tools: readonly string[]): string | undefined {
  const found = inNamespace(tools.map((t) => `command -v ${t} >/dev/null || echo ${t}`).join('\n'))
  if (found.status === null || found.stderr.includes('unshare')) return 'no user and network namespaces here'
  const missing = found.stdout.trim().split('\n').filter(Boolean)
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined
}
