import { isFlagType } from '../../artefact/nft/datatype.ts'
import { typesOf } from '../../artefact/nft/expression.ts'
import type { NftStatement } from '../../artefact/nft/statement.ts'
import type { NftValue } from '../../artefact/nft/value.ts'
import type { Facts } from '../netfilter/facts.ts'
import { bitsOf, constantBits, evaluation, type NftScope } from './evaluate.ts'
import { lookupFor } from './lookup.ts'
import { holdsKey, orderOf } from './sets.ts'

type Match = Extract<NftStatement, { kind: 'match' }>

/** Whether the packet meets a condition. A packet that lacks what is asked for meets none, negated or not. */
export function condition(match: Match, scope: NftScope): (f: Facts) => boolean {
  const { left, op, right } = match
  const types = typesOf(left)
  if (right.kind === 'set') return inSet(match, right.set, scope)
  const [type = 'integer'] = types
  if (op === 'has') return hasBits(match, constantBits(namesOf(right), type), scope)
  if (isFlagType(type) || left.kind === 'bitwise') return sameBits(match, constantBits(namesOf(right), type), scope)
  const value = evaluation(left, scope)
  if (op === '==' || op === '!=') {
    const holds = holdsKey(right)
    return (f) => {
      const texts = value(f)
      return texts !== undefined && holds(texts) === (op === '==')
    }
  }
  const bound = orderOf(namesOf(right)[0] ?? '')
  return (f) => {
    const at = orderOf(value(f)?.[0] ?? '')
    return at !== undefined && bound !== undefined && compares(op, at, bound)
  }
}

function compares(op: '<' | '>' | '<=' | '>=', at: bigint, bound: bigint): boolean {
  switch (op) {
    case '<':
      return at < bound
    case '>':
      return at > bound
    case '<=':
      return at <= bound
    case '>=':
      return at >= bound
  }
}

function namesOf(value: NftValue): readonly string[] {
  return value.kind === 'flags' ? value.names : value.kind === 'literal' ? [value.text] : []
}

function hasBits({ left }: Match, mask: number, scope: NftScope): (f: Facts) => boolean {
  const bits = bitsOf(left, scope)
  return (f) => ((bits(f) ?? 0) & mask) !== 0
}

function sameBits({ left, op }: Match, wanted: number, scope: NftScope): (f: Facts) => boolean {
  const bits = bitsOf(left, scope)
  return (f) => {
    const value = bits(f)
    return value !== undefined && (value === wanted) === (op !== '!=')
  }
}

function inSet(
  { left, op }: Match,
  set: Extract<Match['right'], { kind: 'set' }>['set'],
  scope: NftScope,
): (f: Facts) => boolean {
  const value = evaluation(left, scope)
  const find = lookupFor(set, scope)
  return (f) => {
    const key = value(f)
    return key !== undefined && (find(key, f.ctx.clock.now()) !== undefined) === (op !== '!=')
  }
}
