import type { Family } from '../net/ip.ts'
import { type Prefix, parsePrefix, prefixFamily } from '../net/prefix.ts'
import { deviceName } from './link.ts'
import { present } from './problem.ts'
import type { RoutingRule } from './route.ts'
import { formatRoutePrefix, tableName } from './route-text.ts'
import { type Parsed, parseLines, parseWholeNumber, type WordReader } from './text-line.ts'

/** A line of `ip rule`: `99:	from all lookup main`. */
export const listRoutingRule = (rule: RoutingRule): string => `${rule.priority}:\t${selector(rule)}`

/** What stands after `ip rule add` to make the rule. */
export const formatRoutingRule = (rule: RoutingRule): string => `${selector(rule)} priority ${rule.priority}`

const address = (p: Prefix | undefined): string => (p && p.length > 0 ? formatRoutePrefix(p) : 'all')

function selector(rule: RoutingRule): string {
  return [
    rule.not ? ['not'] : [],
    ['from', address(rule.from)],
    rule.to ? ['to', address(rule.to)] : [],
    rule.fwmark ? ['fwmark', formatMark(rule.fwmark)] : [],
    rule.iif ? ['iif', rule.iif] : [],
    rule.oif ? ['oif', rule.oif] : [],
    rule.action.kind === 'lookup' ? ['lookup', rule.action.table] : [rule.action.kind],
  ]
    .flat()
    .join(' ')
}

const formatMark = ({ value, mask }: { readonly value: number; readonly mask: number }): string =>
  mask === 0xffffffff ? `0x${value.toString(16)}` : `0x${value.toString(16)}/0x${mask.toString(16)}`

/**
 * Reads `ip rule` listings and `ip rule add` commands. A command without a priority gets the next one below 32766, as the
 * kernel gives it. `family` is that of rules with no address.
 */
export function parseRoutingRules(text: string, family: Family = 'ipv4'): Parsed<RoutingRule> {
  let free = 32765
  const parsed = parseLines(text, (words) => readRule(words, family))
  return { ...parsed, entries: parsed.entries.map((r) => (r.priority < 0 ? { ...r, priority: free-- } : r)) }
}

type Draft = { -readonly [K in keyof RoutingRule]?: RoutingRule[K] | undefined }

function readRule(words: WordReader, family: Family): RoutingRule | undefined {
  const draft: Draft = { priority: words.maybe((w) => (/^\d+:$/.test(w) ? Number.parseInt(w, 10) : undefined)) ?? -1 }
  let addresses: Family | undefined
  const prefix = (): Prefix | undefined => {
    if (words.peek() === 'all' || words.peek() === 'any') {
      words.next()
      return undefined
    }
    const p = words.take(parsePrefix, 'all, an address or a CIDR block')
    addresses = p && prefixFamily(p)
    return p
  }
  while (words.more) readSelector(words, draft, prefix)
  if (words.problem) return undefined
  const { priority = -1, from, to, iif, oif, fwmark, not, action = { kind: 'lookup', table: 'main' } } = draft
  const own = addresses ?? words.line.family ?? family
  return present<RoutingRule>({ priority, family: own, not, from, to, iif, oif, fwmark, action })
}

function readSelector(words: WordReader, draft: Draft, prefix: () => Prefix | undefined): undefined {
  const name = words.next()
  switch (name) {
    case 'not':
      draft.not = true
      return
    case 'from':
      draft.from = prefix()
      return
    case 'to':
      draft.to = prefix()
      return
    case 'iif':
    case 'dev':
      draft.iif = words.take(deviceName, 'a device name')
      return
    case 'oif':
      draft.oif = words.take(deviceName, 'a device name')
      return
    case 'fwmark':
      draft.fwmark = words.take(parseMark, 'a mark, or mark/mask: 0x1/0xff')
      return
    case 'priority':
    case 'prio':
    case 'pref':
    case 'preference':
    case 'order':
      draft.priority = words.take(parseWholeNumber, 'a number')
      return
    case 'lookup':
    case 'table': {
      const table = words.take(tableName, 'main, local, default or a table number')
      if (table !== undefined) draft.action = { kind: 'lookup', table }
      return
    }
    case 'blackhole':
    case 'unreachable':
    case 'prohibit':
      draft.action = { kind: name }
      return
    case 'proto':
    case 'protocol':
      words.next()
      return
    case '[detached]':
      return
  }
  words.bad(name, 'not, from, to, iif, oif, fwmark, priority, lookup, blackhole, unreachable or prohibit')
}

function parseMark(text: string): { readonly value: number; readonly mask: number } | undefined {
  const [left = '', right] = text.split('/')
  const value = parseWholeNumber(left)
  const mask = right === undefined ? 0xffffffff : parseWholeNumber(right)
  return value === undefined || mask === undefined ? undefined : { value, mask }
}
