import { isFlagType, isQuoted } from './datatype.ts'
import {
  formatConstant,
  formatExpression,
  formatSetUse,
  type NftExpression,
  type NftStyle,
  type SetUse,
  typesOf,
} from './expression.ts'
import { formatTime } from './time.ts'
import { formatValue, formatVerdict, type NftCounter, type NftValue, type NftVerdict } from './value.ts'

/** `has`: some of the bits, what a flag type means without an operator. */
export type NftComparison = '==' | '!=' | '<' | '>' | '<=' | '>=' | 'has'

/** One step of a rule: a condition, or something done. A rule is left at the first condition that fails. */
export type NftStatement =
  | {
      readonly kind: 'match'
      readonly left: NftExpression
      readonly op: NftComparison
      readonly right: NftValue | NftSetOperand
    }
  | { readonly kind: 'exists'; readonly left: NftExpression; readonly exists: boolean }
  | { readonly kind: 'vmap'; readonly key: NftExpression; readonly map: SetUse }
  | { readonly kind: 'assign'; readonly field: 'meta mark' | 'ct mark'; readonly value: NftExpression }
  | { readonly kind: 'verdict'; readonly verdict: NftVerdict }
  /** `with`: `tcp reset`, `icmp host-unreachable`; absent: port unreachable of the packet's family. */
  | { readonly kind: 'reject'; readonly with?: string }
  | {
      readonly kind: 'nat'
      readonly op: 'dnat' | 'snat'
      /** Written out where the table is `inet`, and where the target holds a port. */
      readonly family?: 'ip' | 'ip6'
      readonly to: NatTo
      readonly flags: readonly NatFlag[]
    }
  | {
      readonly kind: 'masquerade' | 'redirect'
      readonly ports?: string
      readonly flags: readonly NatFlag[]
    }
  | {
      readonly kind: 'set-change'
      readonly op: 'add' | 'update' | 'delete'
      readonly set: string
      readonly key: NftExpression
      /** Milliseconds. */
      readonly timeout?: number
      readonly counter?: true
    }
  | { readonly kind: 'counter'; readonly counter: NftCounter }
  /** Tells or counts, and changes nothing: `log prefix "x"`, `counter name "y"`. */
  | { readonly kind: 'note'; readonly text: string }
  | {
      readonly kind: 'limit'
      readonly over: boolean
      readonly rate: number
      readonly unit: string
      readonly burst: number
    }
  | { readonly kind: 'notrack' }
  /** Kept as it stood. A packet that reaches it makes the verdict undecided. */
  | { readonly kind: 'other'; readonly text: string }

export type NftSetOperand = { readonly kind: 'set'; readonly set: SetUse }

export type NatFlag = 'random' | 'fully-random' | 'persistent'

export type NatTo =
  /** Ranges as `from-to`; `address` undefined leaves it. */
  | { readonly kind: 'fixed'; readonly address?: string; readonly ports?: string }
  /** An address, or an address and a port, worked out for each packet. */
  | { readonly kind: 'computed'; readonly expression: NftExpression }

/** `accept`, `jump x`. */
export const verdict = (kind: 'accept' | 'drop' | 'return'): NftStatement => ({ kind: 'verdict', verdict: { kind } })
export const jumpTo = (chain: string): NftStatement => ({ kind: 'verdict', verdict: { kind: 'jump', chain } })
export const goTo = (chain: string): NftStatement => ({ kind: 'verdict', verdict: { kind: 'goto', chain } })

export function formatStatement(s: NftStatement, style: NftStyle): string {
  switch (s.kind) {
    case 'match':
      return formatMatch(s, style)
    case 'exists':
      return `${formatExpression(s.left, style)} ${s.exists ? 'exists' : 'missing'}`
    case 'vmap':
      return `${formatExpression(s.key, style)} vmap ${formatSetUse(s.map, typesOf(s.key), style)}`
    case 'assign': {
      const target = style === 'script' && s.field === 'meta mark' ? 'mark' : s.field
      return `${target} set ${formatExpression(s.value, style)}`
    }
    case 'verdict':
      return formatVerdict(s.verdict)
    case 'reject':
      return s.with === undefined ? 'reject' : `reject with ${s.with}`
    case 'nat':
      return spaced(s.op, s.family ?? '', 'to', formatNatTo(s.to, style), s.flags.join(','))
    case 'masquerade':
    case 'redirect':
      return spaced(s.kind, s.ports === undefined ? '' : `to :${s.ports}`, s.flags.join(','))
    case 'set-change': {
      const timeout = s.timeout === undefined ? '' : `timeout ${formatTime(s.timeout)}`
      return `${s.op} @${s.set} { ${spaced(formatExpression(s.key, style), timeout, s.counter ? 'counter' : '')} }`
    }
    case 'counter':
      return `counter packets ${s.counter.packets} bytes ${s.counter.bytes}`
    case 'note':
    case 'other':
      return s.text
    case 'limit':
      return spaced(
        'limit rate',
        s.over ? 'over' : '',
        `${s.rate}/${s.unit}`,
        s.burst === defaultBurst ? '' : `burst ${s.burst} packets`,
      )
    case 'notrack':
      return 'notrack'
  }
}

export const defaultBurst = 5

const spaced = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ')

function formatNatTo(to: NatTo, style: NftStyle): string {
  if (to.kind === 'computed') return formatExpression(to.expression, style)
  const { address = '', ports } = to
  if (ports === undefined) return address
  return address.includes(':') ? `[${address}]:${ports}` : `${address}:${ports}`
}

function formatMatch(s: Extract<NftStatement, { kind: 'match' }>, style: NftStyle): string {
  const { left, op, right } = s
  const type = typesOf(left)[0] ?? 'integer'
  if (left.kind === 'bitwise' && type === 'tcp_flag' && right.kind !== 'set') return formatTcpFlags(s, left, right)
  const operator = hidesOperator(s) ? '' : `${op === 'has' ? '' : op} `
  const operand = right.kind === 'set' ? formatOperandSet(right.set, s, style) : formatConstant(right, style)
  return `${formatExpression(left, style)} ${operator}${operand}`
}

/** Equality goes without saying, except where a mask stands on the left, or bits are compared as a whole. */
function hidesOperator({ left, op, right }: Extract<NftStatement, { kind: 'match' }>): boolean {
  if (op === 'has') return true
  if (op === '==' && right.kind === 'set') return true
  const type = typesOf(left)[0]
  return op === '==' && left.kind !== 'bitwise' && (type === undefined || !isFlagType(type))
}

/** nft takes a set of one for its element. */
function formatOperandSet(set: SetUse, { left }: Extract<NftStatement, { kind: 'match' }>, style: NftStyle): string {
  const only = set.kind === 'anonymous' && set.elements.length === 1 ? set.elements[0] : undefined
  const isWhole = only && style === 'list' && only.key.kind !== 'concat'
  return isWhole ? formatValue(only.key) : formatSetUse(set, typesOf(left), style)
}

const tcpFlags = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ecn', 'cwr'] as const

/** `tcp flags syn / fin,syn,rst,ack`. */
function formatTcpFlags(
  { op }: Extract<NftStatement, { kind: 'match' }>,
  { right: mask }: Extract<NftExpression, { kind: 'bitwise' }>,
  value: NftValue,
): string {
  const names = tcpFlags.filter((_, bit) => mask & (1 << bit)).join(',')
  return `tcp flags ${op === '!=' ? '!= ' : ''}${formatValue(value)} / ${names}`
}

/** Whether the operand of this expression is written in quotes. */
export const quotes = (left: NftExpression): boolean => typesOf(left).some(isQuoted)
