import type { Rule, Ruleset } from '../artefact/iptables/rule.ts'
import type { NetnsState } from '../artefact/netns.ts'
import { addToNetns } from '../artefact/netns.ts'
import type { Family } from '../net/ip.ts'
import { families } from '../net/ip.ts'
import { isTransportProtocol } from '../net/port.ts'

/** What a switch is told to drop (`udp/8472`, `proto/4`), as rules of its bridge: a firewall in the middle of the wire. */
export function blockRules(state: NetnsState, blocks: readonly string[]): NetnsState {
  const rules = blocks.flatMap((text) => blockRule(text) ?? [])
  if (rules.length === 0) {
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
          { name: 'PREROUTING', policy: 'ACCEPT', rules },
          { name: 'OUTPUT', policy: 'ACCEPT', rules: [] },
        ],
      },
    ],
  })
  const [ipv4, ipv6] = families.map(ruleset)
  return { ...state, iptables: { ipv4: ipv4 ?? state.iptables.ipv4, ipv6: ipv6 ?? state.iptables.ipv6 } }
}

/** `udp/8472`, `tcp`, `proto/4`; undefined for anything else. */
export function blockRule(text: string): Rule | undefined {
  const [name = '', value] = text.toLowerCase().split('/')
  const base = { matches: [], target: { kind: 'drop' }, origin: { by: 'Underlay', note: `blocks ${text}` } } as const
  if (name === 'proto' && value && /^\d{1,3}$/.test(value)) return { ...base, protocol: { value } }
  if (!isTransportProtocol(name)) return undefined
  if (value === undefined) return { ...base, protocol: { value: name } }
  if (!/^\d{1,5}$/.test(value)) return undefined
  const port = Number(value)
  return { ...base, protocol: { value: name }, matches: [{ kind: name, dport: { value: { from: port, to: port } } }] }
}
