import type { IptablesEdit } from '../artefact/iptables/edit.ts'
import type { Family } from '../net/ip.ts'

/** What an agent writes on one node: iptables edits by family, or nftables text. */
export interface FamilyRules {
  readonly edits: Readonly<Record<Family, readonly IptablesEdit[]>>
  readonly nftables: readonly string[]
}

export const noRules: FamilyRules = { edits: { ipv4: [], ipv6: [] }, nftables: [] }

export const byFamily = <T>(make: (family: Family) => T): Readonly<Record<Family, T>> => ({
  ipv4: make('ipv4'),
  ipv6: make('ipv6'),
})

export const joinRules = (parts: readonly FamilyRules[]): FamilyRules => ({
  edits: byFamily((family) => parts.flatMap((p) => p.edits[family])),
  nftables: parts.flatMap((p) => p.nftables),
})
