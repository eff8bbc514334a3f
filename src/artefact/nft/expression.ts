import type { DataType } from './datatype.ts'
import { inOrder } from './order.ts'
import { formatTime } from './time.ts'
import { formatValue, formatVerdict, type NftElement, type NftValue } from './value.ts'

/** What of a packet or of the kernel's knowledge a rule can look at, by its name in a listing, with its type. */
export const fields = {
  'ip saddr': 'ipv4_addr',
  'ip daddr': 'ipv4_addr',
  'ip protocol': 'inet_proto',
  'ip ttl': 'integer',
  'ip length': 'integer',
  'ip id': 'integer',
  'ip6 saddr': 'ipv6_addr',
  'ip6 daddr': 'ipv6_addr',
  'ip6 nexthdr': 'inet_proto',
  'ip6 hoplimit': 'integer',
  'tcp sport': 'inet_service',
  'tcp dport': 'inet_service',
  'tcp flags': 'tcp_flag',
  'udp sport': 'inet_service',
  'udp dport': 'inet_service',
  'sctp sport': 'inet_service',
  'sctp dport': 'inet_service',
  'th sport': 'inet_service',
  'th dport': 'inet_service',
  'icmp type': 'icmp_type',
  'icmp code': 'icmp_code',
  'icmpv6 type': 'icmpv6_type',
  'icmpv6 code': 'icmpv6_code',
  'ether saddr': 'ether_addr',
  'meta l4proto': 'inet_proto',
  'meta nfproto': 'nf_proto',
  'meta protocol': 'ether_type',
  'meta mark': 'mark',
  'meta length': 'integer',
  'meta pkttype': 'pkt_type',
  iif: 'iface_index',
  oif: 'iface_index',
  iifname: 'ifname',
  oifname: 'ifname',
  'ct state': 'ct_state',
  'ct status': 'ct_status',
  'ct direction': 'ct_dir',
  'ct mark': 'mark',
  'ct original ip saddr': 'ipv4_addr',
  'ct original ip daddr': 'ipv4_addr',
  'ct original ip6 saddr': 'ipv6_addr',
  'ct original ip6 daddr': 'ipv6_addr',
  'ct original protocol': 'inet_proto',
  'ct original proto-src': 'inet_service',
  'ct original proto-dst': 'inet_service',
} as const satisfies Readonly<Record<string, DataType>>

export type NftField = keyof typeof fields

export const isField = (text: string): text is NftField => Object.hasOwn(fields, text)

export type NftExpression =
  | { readonly kind: 'field'; readonly field: NftField }
  /** `fib daddr type`, `fib saddr . iif oif`. */
  | { readonly kind: 'fib'; readonly by: readonly string[]; readonly result: 'type' | 'oif' | 'oifname' }
  | { readonly kind: 'concat'; readonly parts: readonly NftExpression[] }
  | { readonly kind: 'numgen'; readonly mode: 'random' | 'inc'; readonly mod: number; readonly offset?: number }
  /** The right side is a number. */
  | { readonly kind: 'bitwise'; readonly op: '&' | '|' | '^'; readonly left: NftExpression; readonly right: number }
  /** The value that a map holds for the key. */
  | { readonly kind: 'map'; readonly key: NftExpression; readonly map: SetUse }
  | { readonly kind: 'value'; readonly value: NftValue }

/** A set or map: by name, or its elements on the spot. */
export type SetUse =
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'anonymous'; readonly elements: readonly NftElement[] }

export const field = (name: NftField): NftExpression => ({ kind: 'field', field: name })
export const join = (...names: readonly NftField[]): NftExpression => ({ kind: 'concat', parts: names.map(field) })
export const named = (name: string): SetUse => ({ kind: 'named', name })

export function typesOf(expression: NftExpression): readonly DataType[] {
  switch (expression.kind) {
    case 'field':
      return [fields[expression.field]]
    case 'fib':
      return [expression.result === 'type' ? 'fib_addrtype' : expression.result === 'oif' ? 'iface_index' : 'ifname']
    case 'concat':
      return expression.parts.flatMap(typesOf)
    case 'numgen':
      return ['integer']
    case 'bitwise':
      return typesOf(expression.left)
    case 'map':
    case 'value':
      return []
  }
}

/**
 * How a text is written. `list`: `nft list ruleset` of nft 1.0.6. `script`: what programs on sigs.k8s.io/knftables write.
 * A fact about form alone: both are read back as the same rule.
 */
export type NftStyle = 'list' | 'script'

export function formatExpression(e: NftExpression, style: NftStyle): string {
  switch (e.kind) {
    case 'field':
      return style === 'script' && e.field === 'meta mark' ? 'mark' : e.field
    case 'fib':
      return `fib ${e.by.join(' . ')} ${e.result}`
    case 'concat':
      return e.parts.map((part) => formatExpression(part, style)).join(' . ')
    case 'numgen':
      return `numgen ${e.mode} mod ${e.mod}${e.offset === undefined ? '' : ` offset ${e.offset}`}`
    case 'bitwise':
      return `${formatExpression(e.left, style)} ${formatOperator(e.op, style)} ${formatBits(e.left, e.right, style)}`
    case 'map':
      return `${formatExpression(e.key, style)} map ${formatSetUse(e.map, typesOf(e.key), style)}`
    case 'value':
      return formatConstant(e.value, style)
  }
}

const words = { '&': 'and', '|': 'or', '^': 'xor' } as const
const formatOperator = (op: '&' | '|' | '^', style: NftStyle): string => (style === 'script' ? words[op] : op)

function formatBits(of: NftExpression, value: number, style: NftStyle): string {
  if (style === 'script') return `0x${value.toString(16)}`
  return typesOf(of)[0] === 'mark' ? `0x${value.toString(16).padStart(8, '0')}` : String(value)
}

/** Programs write marks without leading zeros, and zero as one digit. */
export const formatConstant = (value: NftValue, style: NftStyle): string =>
  style === 'script' && value.kind === 'literal' && /^0x0{8}$/.test(value.text) ? '0' : formatValue(value)

/** Elements on the spot; what nft lists is sorted. */
export function formatSetUse(use: SetUse, types: readonly DataType[], style: NftStyle): string {
  if (use.kind === 'named') return `@${use.name}`
  const elements = style === 'list' ? inOrder(use.elements, types) : use.elements
  return `{ ${elements.map(formatElement).join(style === 'script' ? ' , ' : ', ')} }`
}

export function formatElement(e: NftElement): string {
  return [
    formatValue(e.key),
    ...(e.timeout === undefined ? [] : [`timeout ${formatTime(e.timeout)}`]),
    ...(e.expires === undefined ? [] : [`expires ${formatTime(e.expires)}`]),
    ...(e.counter ? [`counter packets ${e.counter.packets} bytes ${e.counter.bytes}`] : []),
    ...(e.comment === undefined ? [] : [`comment "${e.comment}"`]),
    ...(e.verdict ? [`: ${formatVerdict(e.verdict)}`] : []),
    ...(e.data ? [`: ${formatValue(e.data)}`] : []),
  ].join(' ')
}
