import { formatPrefix } from '../net/prefix.ts'
import type { Community } from './attributes.ts'
import type { Condition, Filter, NumericValue, RouteSource, Statement } from './filter.ts'

/** Where statements are printed. */
export interface FilterText {
  /** `krt_tunnel` is known to Calico's fork of 1.6 only; for 2.x such statements are left out. */
  readonly dialect: 'bird2' | 'calico'
  /** How the text says that the session is inside the AS: a constant, or the argument of a function. */
  readonly internalPeer: 'true' | 'false' | 'internal_peer'
}

/** Statements of BIRD's filter language, one a line, blocks indented by two blanks. */
export const formatStatements = (filter: Filter, text: FilterText, indent = ''): readonly string[] =>
  filter.flatMap((s) => statementLines(s, text).map((l) => indent + l))

/** The functions that a filter calls, innermost first, each a definition of its own. Throws when two share a name. */
export function formatFunctions(filters: readonly Filter[], dialect: FilterText['dialect']): readonly string[] {
  const definitions = new Map<string, string>()
  const visit = (filter: Filter): void => {
    for (const s of filter) {
      if (s.kind === 'if') [s.do, s.else ?? []].forEach(visit)
      if (s.kind !== 'call') continue
      visit(s.body)
      const body = formatStatements(s.body, { dialect, internalPeer: 'internal_peer' }, '  ')
      const text = [`function ${s.name}(bool internal_peer)`, '{', ...body, '}'].join('\n')
      if ((definitions.get(s.name) ?? text) !== text) throw new Error(`two filter functions have the name ${s.name}`)
      definitions.set(s.name, text)
    }
  }
  filters.forEach(visit)
  return [...definitions.values()]
}

function statementLines(s: Statement, text: FilterText): readonly string[] {
  switch (s.kind) {
    case 'accept':
    case 'reject':
      return [`${s.kind};`]
    case 'if':
      return ifLines(s, text)
    case 'call':
      return [`${s.name}(${text.internalPeer});`]
    case 'set':
      return [`${s.attribute} = ${numberText(s.value)};`]
    case 'set next hop':
      return [`bgp_next_hop = ${s.nextHop};`]
    case 'set tunnel':
      return text.dialect === 'calico' ? [`krt_tunnel = "${s.device}";`] : []
    case 'prepend':
      return [`bgp_path.prepend(${s.as});`]
    case 'add community':
    case 'delete community':
      return [`${communityList(s.community)}.${s.kind.split(' ')[0]}(${communityText(s.community)});`]
  }
}

function ifLines(s: Extract<Statement, { kind: 'if' }>, text: FilterText): readonly string[] {
  const otherwise = s.else ? ['} else {', ...formatStatements(s.else, text, '  ')] : []
  return [`if (${formatCondition(s.when, text)}) then {`, ...formatStatements(s.do, text, '  '), ...otherwise, '}']
}

export function formatCondition(c: Condition, text: FilterText): string {
  switch (c.kind) {
    case 'net':
      return netText(c)
    case 'defined':
      return `defined(${c.attribute})`
    case 'compare':
      return `${c.attribute} ${c.op} ${c.value}`
    case 'source':
      return `source = ${sourceNames[c.is]}`
    case 'ifname':
      return `ifname ~ "${c.pattern}"`
    case 'next hop in':
      return `bgp_next_hop ~ ${formatPrefix(c.prefix)}`
    case 'community':
      return `${communityText(c.has)} ~ ${communityList(c.has)}`
    case 'as path':
      return `bgp_path ~ [= ${c.startsWith.join(' ')} * =]`
    case 'peer':
      return c.type === 'ibgp' ? text.internalPeer : `!${text.internalPeer}`
    case 'and':
      return c.of.map((part) => `(${formatCondition(part, text)})`).join(' && ')
    case 'or':
      return c.of.map((part) => `(${formatCondition(part, text)})`).join(' || ')
    case 'not':
      return `!(${formatCondition(c.condition, text)})`
  }
}

function netText({ op, prefix, lengths }: Extract<Condition, { kind: 'net' }>): string {
  const text = formatPrefix(prefix)
  return `net ${op} ${lengths ? `[ ${text}{${lengths.min},${lengths.max}} ]` : text}`
}

const sourceNames: Readonly<Record<RouteSource, string>> = {
  direct: 'RTS_DEVICE',
  static: 'RTS_STATIC',
  kernel: 'RTS_INHERIT',
  bgp: 'RTS_BGP',
}

const numberText = (value: NumericValue): string =>
  typeof value === 'number' ? `${value}` : `${value.minuend} - ${value.minus}`

const communityText = (c: Community): string => `(${c.join(', ')})`
const communityList = (c: Community): string => (c.length === 2 ? 'bgp_community' : 'bgp_large_community')
