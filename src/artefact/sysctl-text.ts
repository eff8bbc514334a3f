import type { TextProblem } from './problem.ts'
import type { Sysctls } from './sysctl.ts'
import type { Parsed } from './text-line.ts'

/** A line of `sysctl -a`: dots of a device's name are printed as slashes (`net.ipv4.conf.flannel/1.rp_filter = 0`). */
export function formatSysctl(key: string, value: string): string {
  const device = /^(net\.ipv[46]\.(?:conf|neigh)\.)(.+)(\.[^.]+)$/.exec(key)
  const name = device ? `${device[1]}${(device[2] ?? '').replaceAll('.', '/')}${device[3]}` : key
  return `${name} = ${value}`
}

/** All of them, by key. */
export const formatSysctls = (sysctls: Sysctls): string =>
  Object.keys(sysctls)
    .sort()
    .map((key) => `${formatSysctl(key, sysctls[key] ?? '')}\n`)
    .join('')

/**
 * One spelling for a key, dots throughout: `net/ipv4/conf/flannel.1/rp_filter` and `net.ipv4.conf.flannel/1.rp_filter` (as
 * sysctl prints it) are the same.
 */
export function sysctlKey(text: string): string {
  return text.replace(/^\/?proc\/sys\//, '').replaceAll('/', '.')
}

/** Reads `sysctl -a`, sysctl.conf, and `sysctl -w KEY=VALUE ...` commands: keys and values, of which a later one wins. */
export function parseSysctls(text: string): Parsed<readonly [key: string, value: string]> {
  const entries: (readonly [string, string])[] = []
  const problems: TextProblem[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    for (const setting of settingsOf(raw.trim())) {
      const parts = /^([\w./@:-]+)\s*=\s*(.*)$/.exec(setting)
      if (parts) entries.push([sysctlKey(parts[1] ?? ''), (parts[2] ?? '').trim()])
      else problems.push({ line: index + 1, found: setting, expected: 'KEY = VALUE: net.ipv4.ip_forward = 1' })
    }
  }
  return { entries, problems }
}

/** sysctl.conf has `#` and `;` comments, and a leading `-` where a failure does not matter. */
function settingsOf(line: string): readonly string[] {
  if (line === '' || line.startsWith('#') || line.startsWith(';')) return []
  const command = /^(?:sudo\s+)?(?:\/\S*\/)?sysctl(?:\s+-\S+)*\s+/.exec(line)
  return command ? line.slice(command[0].length).split(/\s+(?=[\w./-]+=)/) : [line.replace(/^-/, '')]
}
