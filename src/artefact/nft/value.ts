import type { Prefix } from '../../net/prefix.ts'
import { formatPrefix } from '../../net/prefix.ts'
import type { Origin } from '../origin.ts'

/** A constant: what a match compares with, and what stands in a set. Texts are canonical in their type. */
export type NftValue =
  | { readonly kind: 'literal'; readonly text: string; readonly quoted?: true }
  | { readonly kind: 'prefix'; readonly prefix: Prefix }
  | { readonly kind: 'range'; readonly from: string; readonly to: string }
  /** Bits of one value, in the order in which nft prints them. */
  | { readonly kind: 'flags'; readonly names: readonly string[] }
  | { readonly kind: 'concat'; readonly parts: readonly NftValue[] }
  /** `*` in an interval map. */
  | { readonly kind: 'any' }

export type NftVerdict =
  | { readonly kind: 'accept' | 'drop' | 'continue' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }

/** One element of a set or map. Times in milliseconds. */
export interface NftElement {
  readonly key: NftValue
  readonly verdict?: NftVerdict
  readonly data?: NftValue
  readonly comment?: string
  readonly timeout?: number
  readonly expires?: number
  readonly counter?: NftCounter
  readonly origin?: Origin
}

export interface NftCounter {
  readonly packets: number
  readonly bytes: number
}

export const literal = (text: string): NftValue => ({ kind: 'literal', text })
export const device = (name: string): NftValue => ({ kind: 'literal', text: name, quoted: true })
export const concat = (...texts: readonly string[]): NftValue => ({ kind: 'concat', parts: texts.map(literal) })

export function formatValue(value: NftValue): string {
  switch (value.kind) {
    case 'literal':
      return value.quoted ? `"${value.text}"` : value.text
    case 'prefix':
      return formatPrefix(value.prefix)
    case 'range':
      return `${value.from}-${value.to}`
    case 'flags':
      return value.names.join(',')
    case 'concat':
      return value.parts.map(formatValue).join(' . ')
    case 'any':
      return '*'
  }
}

export function formatVerdict(verdict: NftVerdict): string {
  return 'chain' in verdict ? `${verdict.kind} ${verdict.chain}` : verdict.kind
}
