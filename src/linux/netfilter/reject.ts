import { tcpFlag } from '../../packet/packet.ts'
import type { Facts } from './facts.ts'
import type { RejectAnswer } from './hook.ts'

/** `--reject-with` to ICMP type and code: ipt_REJECT.c, ip6t_REJECT.c. The names of the two families do not overlap. */
const unreachable: Readonly<Record<string, readonly [type: number, code: number]>> = {
  'icmp-net-unreachable': [3, 0],
  'icmp-host-unreachable': [3, 1],
  'icmp-proto-unreachable': [3, 2],
  'icmp-port-unreachable': [3, 3],
  'icmp-net-prohibited': [3, 9],
  'icmp-host-prohibited': [3, 10],
  'icmp-admin-prohibited': [3, 13],
  'icmp6-no-route': [1, 0],
  'icmp6-adm-prohibited': [1, 1],
  'icmp6-addr-unreachable': [1, 3],
  'icmp6-port-unreachable': [1, 4],
  'icmp6-policy-fail': [1, 5],
  'icmp6-reject-route': [1, 6],
}

/**
 * What REJECT sends. `silent`: nothing, as for a further fragment or a RST that was to be answered by a RST. Undefined:
 * no answer that we know.
 */
export function rejectAnswer(type: string, f: Facts): RejectAnswer | 'silent' | undefined {
  if (type === 'tcp-reset') {
    return f.payload?.kind === 'tcp' && !(f.payload.flags & tcpFlag.rst) ? { kind: 'tcp-reset' } : 'silent'
  }
  const numbers = unreachable[type]
  if (!numbers) return undefined
  return f.laterFragment ? 'silent' : { kind: 'icmp', type: numbers[0], code: numbers[1] }
}
