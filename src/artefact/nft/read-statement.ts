import { parseIp } from '../../net/ip.ts'
import { parsePort } from '../../net/port.ts'
import { type DataType, isFlagType, numberOf, wholeNumber } from './datatype.ts'
import { type NftExpression, typesOf } from './expression.ts'
import { readExpression, readSetUse, startsExpression } from './read-expression.ts'
import { familyWord, readCounter, readValue, readVerdict } from './read-value.ts'
import { type NftReader, Unreadable } from './reader.ts'
import type { NftRule } from './ruleset.ts'
import { defaultBurst, type NatFlag, type NatTo, type NftComparison, type NftStatement } from './statement.ts'
import { parseTime } from './time.ts'
import type { NftValue } from './value.ts'

/** A rule up to the end of its line. What is not known is kept as it stands. */
export function readRule(r: NftReader): NftRule {
  const statements: NftStatement[] = []
  let comment: string | undefined
  while (!r.endsStatement) {
    if (r.accept('comment')) comment = r.word('a comment in quotes')
    else statements.push(readKnown(r))
  }
  const kept = r.family === 'inet' ? withoutImplied(statements) : statements
  return comment === undefined ? { statements: kept } : { statements: kept, comment }
}

/** An address of a family says that the packet is of it; nft lists the address alone. */
function withoutImplied(statements: readonly NftStatement[]): readonly NftStatement[] {
  return statements.filter((s, i) => {
    const next = statements[i + 1]
    if (s.kind !== 'match' || s.left.kind !== 'field' || s.left.field !== 'meta nfproto' || s.op !== '==') return true
    if (s.right.kind !== 'literal' || next?.kind !== 'match' || next.left.kind !== 'field') return true
    return !next.left.field.startsWith(s.right.text === 'ipv4' ? 'ip ' : 'ip6 ')
  })
}

function readKnown(r: NftReader): NftStatement {
  try {
    return readStatement(r)
  } catch (error) {
    if (!(error instanceof Unreadable) || error.problem) throw error
    return { kind: 'other', text: r.skipStatement() }
  }
}

function readStatement(r: NftReader): NftStatement {
  const verdict = readVerdict(r)
  if (verdict) return { kind: 'verdict', verdict }
  const { text, kind } = r.peek
  if (kind !== 'word') r.fail('a statement')
  switch (text) {
    case 'reject':
      return readReject(r)
    case 'dnat':
    case 'snat':
      return readNat(r, text)
    case 'masquerade':
    case 'redirect':
      return readPortNat(r, text)
    case 'counter':
      return readCounterStatement(r)
    case 'log':
      return readLog(r)
    case 'limit':
      return readLimit(r)
    case 'notrack':
      r.next()
      return { kind: 'notrack' }
    case 'add':
    case 'update':
    case 'delete':
      return readSetChange(r, text)
    default:
      return readAssignment(r) ?? readCondition(r)
  }
}

/** Which answer goes without saying, by table family. */
const defaultReject = { ip: 'icmp port-unreachable', ip6: 'icmpv6 port-unreachable', inet: 'icmpx port-unreachable' }

function readReject(r: NftReader): NftStatement {
  r.next()
  if (!r.accept('with')) return { kind: 'reject' }
  const kind = r.take(
    (text) => (['tcp', 'icmp', 'icmpv6', 'icmpx'].includes(text) ? text : undefined),
    'tcp reset, icmp, icmpv6 or icmpx',
  )
  r.accept('type')
  const answer = `${kind} ${r.word('the answer')}`
  return answer === defaultReject[r.family] ? { kind: 'reject' } : { kind: 'reject', with: answer }
}

function readNat(r: NftReader, op: 'dnat' | 'snat'): NftStatement {
  r.next()
  const written = r.accept('ip') ? ('ip' as const) : r.accept('ip6') ? ('ip6' as const) : undefined
  r.accept('addr')
  const withPort = r.accept('.')
  if (withPort) r.expect('port')
  r.expect('to')
  const to = readNatTo(r)
  const implied = r.family === 'inet' && to.kind === 'fixed' && to.address ? familyWord(first(to.address)) : undefined
  const family = written ?? implied
  return { kind: 'nat', op, ...(family && !hidesFamily(r, to) && { family }), to, flags: readNatFlags(r) }
}

/** In a table of one family it is written for a computed address and port alone. */
const hidesFamily = (r: NftReader, to: NatTo): boolean => r.family !== 'inet' && to.kind === 'fixed'

const first = (range: string): string => range.split('-')[0] ?? range

function readNatTo(r: NftReader): NatTo {
  if (!startsExpression(r)) return r.take(parseNatTo, 'an address, a port as :80, or both')
  const key = readExpression(r)
  if (!r.accept('map')) return { kind: 'computed', expression: key }
  return { kind: 'computed', expression: { kind: 'map', key, map: readSetUse(r, typesOf(key), 'nat') } }
}

/** `1.1.1.1`, `1.1.1.1-1.1.1.5:80-90`, `[fd00::1]:80`, `:80`. */
function parseNatTo(text: string): NatTo | undefined {
  const bracketed = /^\[([^\]]+)\](?::(.+))?$/.exec(text)
  const split = bracketed ?? (isAddressRange(text) ? [text, text] : /^([^:]*):([^:]+)$/.exec(text))
  const [, address = '', ports] = split ?? []
  if (address === '' && ports === undefined) return undefined
  if (address !== '' && !isAddressRange(address)) return undefined
  if (ports !== undefined && !isPortRange(ports)) return undefined
  return { kind: 'fixed', ...(address !== '' && { address }), ...(ports !== undefined && { ports }) }
}

const isAddressRange = (text: string): boolean => text.split('-').every((part) => parseIp(part) !== undefined)
const isPortRange = (text: string): boolean => text.split('-').every((part) => parsePort(part) !== undefined)

function readNatFlags(r: NftReader): readonly NatFlag[] {
  const flags: NatFlag[] = []
  for (;;) {
    const { text } = r.peek
    if (text !== 'random' && text !== 'fully-random' && text !== 'persistent') return flags
    r.next()
    flags.push(text)
    r.accept(',')
  }
}

function readPortNat(r: NftReader, kind: 'masquerade' | 'redirect'): NftStatement {
  r.next()
  const ports = r.accept('to')
    ? r.take((text) => (isPortRange(text.replace(/^:/, '')) ? text.replace(/^:/, '') : undefined), 'a port as :80')
    : undefined
  return { kind, ...(ports !== undefined && { ports }), flags: readNatFlags(r) }
}

function readCounterStatement(r: NftReader): NftStatement {
  r.next()
  if (r.accept('name')) return { kind: 'note', text: `counter name "${r.word('the name of a counter')}"` }
  if (r.peek.kind === 'string') return { kind: 'note', text: `counter name "${r.next().text}"` }
  return { kind: 'counter', counter: readCounter(r) }
}

const logOptions = ['prefix', 'group', 'snaplen', 'queue-threshold', 'level', 'flags'] as const

function readLog(r: NftReader): NftStatement {
  r.next()
  const given = new Map<string, string>()
  for (let option = r.peek.text; logOptions.some((name) => name === option); option = r.peek.text) {
    r.next()
    let value = r.word(`the ${option} of the log`)
    while (option === 'flags' && r.accept(',')) value += `,${r.word('a flag')}`
    given.set(option, option === 'prefix' ? `"${value}"` : value)
  }
  const words = logOptions.filter((name) => given.has(name)).map((name) => `${name} ${given.get(name)}`)
  return { kind: 'note', text: ['log', ...words].join(' ') }
}

function readLimit(r: NftReader): NftStatement {
  const { start } = r.peek
  r.next()
  if (!r.accept('rate')) throw new Unreadable(undefined)
  const over = r.accept('over')
  const [count = '', unit = ''] = r.word('a rate, as 10/second').split('/')
  const rate = wholeNumber(count)
  // A rate of bytes.
  if (rate === undefined || unit === '')
    return { kind: 'other', text: r.text.slice(start, r.peek.start) + r.skipStatement() }
  const burst = r.accept('burst') ? r.take(wholeNumber, 'a number of packets') : defaultBurst
  r.accept('packets')
  return { kind: 'limit', over, rate, unit, burst }
}

function readSetChange(r: NftReader, op: 'add' | 'update' | 'delete'): NftStatement {
  r.next()
  const set = r.take((text) => (text.startsWith('@') ? text.slice(1) : undefined), 'a set, as @name')
  r.expect('{')
  const key = readExpression(r)
  const timeout = r.accept('timeout') ? r.take(parseTime, 'a time, as 3h or 10800s') : undefined
  const counter = r.accept('counter')
  r.expect('}')
  return { kind: 'set-change', op, set, key, ...(timeout !== undefined && { timeout }), ...(counter && { counter }) }
}

/** `meta mark set EXPRESSION`. */
function readAssignment(r: NftReader): NftStatement | undefined {
  const words = r.peek.text === 'mark' ? 1 : 2
  if (r.ahead(words).text !== 'set') return undefined
  const name = words === 1 ? 'meta mark' : `${r.peek.text} ${r.ahead(1).text}`
  if (name === 'meta nftrace') return { kind: 'note', text: r.skipStatement() }
  if (name !== 'meta mark' && name !== 'ct mark') return undefined
  for (let i = 0; i <= words; i++) r.next()
  return { kind: 'assign', field: name, value: readMarkValue(r) }
}

function readMarkValue(r: NftReader): NftExpression {
  if (!startsExpression(r)) return { kind: 'value', value: readValue(r, ['mark'], false) }
  const key = readExpression(r)
  return r.accept('map') ? { kind: 'map', key, map: readSetUse(r, typesOf(key), ['mark']) } : key
}

const comparisons: readonly string[] = ['==', '!=', '<', '>', '<=', '>='] satisfies readonly NftComparison[]
const isComparison = (text: string): text is NftComparison => comparisons.includes(text)

function readCondition(r: NftReader): NftStatement {
  const left = readExpression(r)
  const types = typesOf(left)
  if (r.accept('vmap')) return { kind: 'vmap', key: left, map: readSetUse(r, types, 'verdict') }
  if (left.kind === 'fib' && (r.accept('missing') || r.accept('exists'))) {
    return { kind: 'exists', left, exists: r.ahead(-1).text === 'exists' }
  }
  const { text } = r.peek
  const written = isComparison(text) && r.peek.kind === 'mark' ? text : undefined
  if (written) r.next()
  if (r.peek.text === '{' || r.peek.text.startsWith('@')) {
    return { kind: 'match', left, op: written ?? '==', right: { kind: 'set', set: readSetUse(r, types) } }
  }
  const right = readOperand(r, left, types)
  if (r.accept('/')) return readTcpMask(r, left, written, right)
  return { kind: 'match', left, op: written ?? (bitwiseless(left) && isFlags(types) ? 'has' : '=='), right }
}

const isFlags = ([type]: readonly DataType[]): boolean => type !== undefined && isFlagType(type)
const bitwiseless = (left: NftExpression): boolean => left.kind !== 'bitwise'

/** The index of a missing interface reads as a number. */
function readOperand(r: NftReader, left: NftExpression, types: readonly DataType[]): NftValue {
  if (left.kind === 'fib' && left.result === 'oif' && r.peek.text === '0')
    return { kind: 'literal', text: r.next().text }
  return readValue(r, types, false)
}

/** `tcp flags syn / fin,syn,rst,ack`: the value, then the mask. */
function readTcpMask(r: NftReader, left: NftExpression, op: NftComparison | undefined, right: NftValue): NftStatement {
  const mask = readValue(r, ['tcp_flag'], false)
  const names = mask.kind === 'flags' ? mask.names : mask.kind === 'literal' ? [mask.text] : []
  const bits = names.reduce((sum, name) => sum | numberOf('tcp_flag', name), 0)
  return { kind: 'match', left: { kind: 'bitwise', op: '&', left, right: bits }, op: op ?? '==', right }
}
