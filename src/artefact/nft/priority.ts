import type { NftHook } from './ruleset.ts'

/** Names of priorities (nft(8), table 6); which hooks know them. */
const named: readonly (readonly [string, number, readonly NftHook[] | 'all'])[] = [
  ['raw', -300, 'all'],
  ['mangle', -150, 'all'],
  ['dstnat', -100, ['prerouting']],
  ['filter', 0, 'all'],
  ['security', 50, 'all'],
  ['srcnat', 100, ['postrouting']],
]

const knownAt = (hook: NftHook) => named.filter(([, , hooks]) => hooks === 'all' || hooks.includes(hook))

/** By name, or as a name and up to ten more or less; else the number. */
export function formatPriority(priority: number, hook: NftHook): string {
  for (const [name, value] of knownAt(hook)) {
    const offset = priority - value
    if (offset === 0) return name
    if (Math.abs(offset) <= 10) return `${name} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`
  }
  return String(priority)
}

/** `-100`, `dstnat`, `filter - 5`, `filter+5`. A name that is not of this hook is refused, as nft does. */
export function parsePriority(text: string, hook: NftHook): number | undefined {
  if (/^-?\d{1,10}$/.test(text)) return Number(text)
  const found = /^([a-z]+)\s*(?:([+-])\s*(\d{1,10}))?$/.exec(text)
  const known = found && knownAt(hook).find(([name]) => name === found[1])
  if (!found || !known) return undefined
  return known[1] + (found[2] === '-' ? -1 : 1) * Number(found[3] ?? 0)
}
