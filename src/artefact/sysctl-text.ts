import type { TextProblem } from './problem.ts'
import type { Sysctls } from './sysctl.ts'

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
 * One spelling for a key. Where the first separator is a slash (`net/ipv4/conf/flannel.1/rp_filter`), slashes separate and
 * dots are part of names; else the other way round.
 */
export function sysctlKey(text: string): string {
  return text.replace(/^\/?proc\/sys\//, '').replaceAll('/', '.')
}

/** Reads `sysctl -a`, sysctl.conf, and `sysctl -w KEY=VALUE ...` commands. A later line wins. */
export function parseSysctls(text: string): {
  readonly values: Sysctls
  readonly problems: readonly TextProblem[]
} {
  const values: Record<string, string> = {}
  const problems: TextProblem[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue
    const command = /^(?:sudo\s+)?(?:\/\S*\/)?sysctl(?:\s+-\S+)*\s+/.exec(line)
    const settings = command ? line.slice(command[0].length).split(/\s+(?=[\w./-]+=)/) : [line.replace(/^-/, '')]
    for (const setting of settings) {
      const parts = /^([\w./@:-]+)\s*=\s*(.*)$/.exec(setting)
      if (parts) values[sysctlKey(parts[1] ?? '')] = (parts[2] ?? '').trim()
      else problems.push({ line: index + 1, found: setting, expected: 'KEY = VALUE: net.ipv4.ip_forward = 1' })
    }
  }
  return { values, problems }
}
