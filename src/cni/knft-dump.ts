/** An nftables table as its objects, before nft gives it handles. */
export interface NftTable {
  /** `ip`, `ip6`, `inet`. */
  readonly family: string
  readonly name: string
  readonly comment: string
  readonly chains: readonly NftChain[]
}

export interface NftChain {
  readonly name: string
  /** What stands between the braces: `type nat hook output priority -100 ;`. */
  readonly attributes?: string
  readonly rules: readonly string[]
}

/** The commands that make the table, as sigs.k8s.io/knftables dumps its fake: chains by name, then their rules. */
export function dumpTable({ family, name, comment, chains }: NftTable): string {
  const sorted = chains.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const braces = (attributes: string | undefined): string => (attributes ? ` { ${attributes} }` : '')
  return [
    `add table ${family} ${name}${braces(`comment ${JSON.stringify(comment)} ;`)}`,
    ...sorted.map((c) => `add chain ${family} ${name} ${c.name}${braces(c.attributes)}`),
    ...sorted.flatMap((c) => c.rules.map((r) => `add rule ${family} ${name} ${c.name} ${r}`)),
  ].join('\n')
}
