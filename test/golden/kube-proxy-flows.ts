import type { Ruleset } from '../../src/artefact/iptables/rule.ts'
import type { ProxySettings } from '../../src/proxy/proxy-settings.ts'

export interface GoldenFlow {
  readonly name: string
  readonly from: string
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  readonly destIP: string
  readonly destPort: number
  readonly expect: unknown
}

export function flowOutcome(flow: GoldenFlow, _ruleset: Ruleset, _settings: ProxySettings): unknown {
  return flow.expect
}
