import type { Family } from '../../../net/ip.ts'
import type { TargetModule } from './target-module.ts'

/** The names that are printed, each with its alias (libipt_REJECT, libip6t_REJECT). */
const types: Readonly<Record<Family, readonly (readonly [name: string, alias: string])[]>> = {
  ipv4: [
    ['icmp-net-unreachable', 'net-unreach'],
    ['icmp-host-unreachable', 'host-unreach'],
    ['icmp-proto-unreachable', 'proto-unreach'],
    ['icmp-port-unreachable', 'port-unreach'],
    ['icmp-net-prohibited', 'net-prohib'],
    ['icmp-host-prohibited', 'host-prohib'],
    ['tcp-reset', 'tcp-rst'],
    ['icmp-admin-prohibited', 'admin-prohib'],
  ],
  ipv6: [
    ['icmp6-no-route', 'no-route'],
    ['icmp6-adm-prohibited', 'adm-prohibited'],
    ['icmp6-addr-unreachable', 'addr-unreach'],
    ['icmp6-port-unreachable', 'port-unreach'],
    ['tcp-reset', 'tcp-reset'],
    ['icmp6-policy-fail', 'policy-fail'],
    ['icmp6-reject-route', 'reject-route'],
  ],
}

/** What REJECT does when no type is given. */
export const defaultReject: Readonly<Record<Family, string>> = {
  ipv4: 'icmp-port-unreachable',
  ipv6: 'icmp6-port-unreachable',
}

/** iptables takes any beginning of a name or an alias. */
function parseReject(text: string, family: Family): string | undefined {
  const wanted = text.toLowerCase()
  if (wanted === '') return undefined
  return types[family].find((names) => names.some((name) => name.startsWith(wanted)))?.[0]
}

export const reject: TargetModule<'reject'> = {
  names: ['REJECT'],
  options: { 'reject-with': 1 },
  read: (given) => {
    const expected = `one of ${types[given.family].map(([name]) => name).join(', ')}`
    const type = given.plain('reject-with', (text) => parseReject(text, given.family), expected)
    if (type === undefined && given.has('reject-with')) return undefined
    if (type === 'tcp-reset' && given.protocol !== 'tcp')
      return given.bad('--reject-with tcp-reset', 'tcp-reset only after -p tcp')
    return { kind: 'reject', with: type ?? defaultReject[given.family] }
  },
  write: (t) => `--reject-with ${t.with}`,
}
