import { type DataType, formatMark, isFlagType, numberOf } from '../../artefact/nft/datatype.ts'
import { type NftExpression, typesOf } from '../../artefact/nft/expression.ts'
import { formatValue } from '../../artefact/nft/value.ts'
import type { Facts } from '../netfilter/facts.ts'
import { fieldBits, fieldText } from './field.ts'
import { lookupFor } from './lookup.ts'
import type { SetsOf } from './prepare.ts'

/** Where a rule stands. */
export interface NftPlace {
  /** `ip kube-proxy`. */
  readonly table: string
  readonly chain: string
  /** 1-based. */
  readonly index: number
}

/** What a rule is prepared against. */
export interface NftScope {
  readonly place: NftPlace
  readonly sets: SetsOf
}

/** The canonical texts of a value's parts; undefined where the packet lacks one, and the rule is left. */
export type Evaluate = (f: Facts) => readonly string[] | undefined

export function evaluation(e: NftExpression, scope: NftScope): Evaluate {
  switch (e.kind) {
    case 'field': {
      const { field } = e
      return (f) => one(fieldText(field, f))
    }
    case 'fib': {
      const { by, result } = e
      return (f) => one(fibText(by, result, f))
    }
    case 'concat': {
      const parts = e.parts.map((part) => evaluation(part, scope))
      return (f) => {
        const texts: string[] = []
        for (const part of parts) {
          const value = part(f)
          if (value === undefined) return undefined
          texts.push(...value)
        }
        return texts
      }
    }
    case 'numgen':
      return numgen(e, scope)
    case 'bitwise': {
      const bits = bitsOf(e, scope)
      const [type = 'integer'] = typesOf(e)
      return (f) => {
        const value = bits(f)
        return value === undefined ? undefined : [type === 'mark' ? formatMark(value) : String(value >>> 0)]
      }
    }
    case 'map': {
      const key = evaluation(e.key, scope)
      const find = lookupFor(e.map, scope)
      return (f) => {
        const value = key(f)
        const data = value && find(value, f.ctx.clock.now())?.data
        if (!data) return undefined
        return data.kind === 'concat' ? data.parts.map(formatValue) : [formatValue(data)]
      }
    }
    case 'value': {
      const text = [e.value.kind === 'literal' ? e.value.text : formatValue(e.value)]
      return () => text
    }
  }
}

const one = (text: string | undefined): readonly string[] | undefined => (text === undefined ? undefined : [text])

/** The value as a number: of a mark, of flags, of an integer. */
export function bitsOf(e: NftExpression, scope: NftScope): (f: Facts) => number | undefined {
  if (e.kind === 'field') {
    const { field } = e
    return (f) => fieldBits(field, f)
  }
  if (e.kind === 'bitwise') {
    const left = bitsOf(e.left, scope)
    const { op, right } = e
    return (f) => {
      const value = left(f)
      if (value === undefined) return undefined
      return (op === '&' ? value & right : op === '|' ? value | right : value ^ right) >>> 0
    }
  }
  const texts = evaluation(e, scope)
  return (f) => {
    const [text] = texts(f) ?? []
    return text === undefined ? undefined : numberOf('integer', text)
  }
}

/** The bits of a constant. */
export function constantBits(names: readonly string[], type: DataType): number {
  return names.reduce((bits, name) => bits | numberOf(isFlagType(type) ? type : 'integer', name), 0) >>> 0
}

/** nft_ng_random_eval, nft_ng_inc_eval (net/netfilter/nft_numgen.c). */
function numgen(e: Extract<NftExpression, { kind: 'numgen' }>, { place }: NftScope): Evaluate {
  const { mode, mod, offset = 0 } = e
  let next = 0
  return ({ ctx }) => {
    if (mode === 'inc') return [String(offset + (next++ % mod))]
    const option = ctx.chance.pick(mod, { what: 'numgen', ...place })
    if (mod > 1) ctx.emit({ kind: 'choice', engine: 'nftables', ...place, option, options: mod })
    return [String(offset + option)]
  }
}

/** nft_fib4_eval_type, nft_fib4_eval. */
function fibText(by: readonly string[], result: 'type' | 'oif' | 'oifname', f: Facts): string | undefined {
  const address = by.includes('saddr') ? f.skb.packet.src : f.skb.packet.dst
  const device = by.includes('iif') ? f.in : by.includes('oif') ? f.out : undefined
  if (result === 'type') return f.ctx.addressType(address, device).toLowerCase()
  return f.ctx.fibDevice?.(address, f.skb, device) ?? ''
}
