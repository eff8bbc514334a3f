import type { Rule, Ruleset } from '../artefact/iptables/rule.ts'
import type { NetnsState } from '../artefact/netns.ts'
import { addToNetns } from '../artefact/netns.ts'
import type { Family } from '../net/ip.ts'
import { families } from '../net/ip.ts'
import { isTransportProtocol } from '../net/port.ts'

/** What a switch is told to drop (`udp/8472`, `proto/4`, `icmp`), as rules of its bridge: a firewall in the middle of the wire. */
export function blockRules(state: NetnsState, blocks: readonly string[]): NetnsState {
  if (blocks.length === 0) {
    return addToNetns(state, {
      sysctls: { 'net.bridge.bridge-nf-call-iptables': '0', 'net.bridge.bridge-nf-call-ip6tables': '0' },
    })
  }
  const ruleset = (family: Family): Ruleset => ({
    family,
    tables: [
      {
        name: 'raw',
        chains: [
          { name: 'PREROUTING', policy: 'ACCEPT', rules: blocks.flatMap((text) => blockRule(text, family)) },
          { name: 'OUTPUT', policy: 'ACCEPT', rules: [] },
        ],
      },
    ],
  })
  const [ipv4, ipv6] = families.map(ruleset)
  return { ...state, iptables: { ipv4: ipv4 ?? state.iptables.ipv4, ipv6: ipv6 ?? state.iptables.ipv6 } }
}

/** `udp/8472`, `tcp`, `proto/4`, `icmp`; none for anything else, or for what the family does not have. */
export function blockRule(text: string, family: Family): readonly Rule[] {
  const [name = '', value] = text.toLowerCase().split('/')
  const base = { matches: [], target: { kind: 'drop' }, origin: { by: 'Underlay', note: `blocks ${text}` } } as const
  if (name === 'icmp') return icmpRules(base, family)
  if (name === 'proto' && value && /^\d{1,3}$/.test(value)) return [{ ...base, protocol: { value } }]
  if (!isTransportProtocol(name)) return []
  if (value === undefined) return [{ ...base, protocol: { value: name } }]
  if (!/^\d{1,5}$/.test(value)) return []
  const port = Number(value)
  return [{ ...base, protocol: { value: name }, matches: [{ kind: name, dport: { value: { from: port, to: port } } }] }]
}

/** Echo and errors of ICMPv6. The rest is neighbour discovery, without which no segment works. */
const filteredIcmpv6 = [1, 2, 3, 4, 128, 129]

function icmpRules(base: Rule, family: Family): readonly Rule[] {
  if (family === 'ipv4') return [{ ...base, protocol: { value: 'icmp' } }]
  return filteredIcmpv6.map((type) => ({
    ...base,
    protocol: { value: 'ipv6-icmp' },
    matches: [{ kind: 'icmp6', icmpType: { value: { type, code: undefined } } }],
  }))
}
