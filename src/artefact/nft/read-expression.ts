import { canonical, type DataType, numberOf, wholeNumber } from './datatype.ts'
import { isField, type NftExpression, type NftField, type SetUse, typesOf } from './expression.ts'
import { type ElementData, readElements } from './read-value.ts'
import { type NftReader, Unreadable } from './reader.ts'

const starts: ReadonlySet<string> = new Set([
  ...['ip', 'ip6', 'tcp', 'udp', 'sctp', 'th', 'icmp', 'icmpv6', 'ether', 'meta', 'mark', 'ct', 'fib', 'numgen'],
  ...['iif', 'oif', 'iifname', 'oifname'],
])

export const startsExpression = ({ peek }: NftReader): boolean => peek.kind === 'word' && starts.has(peek.text)

/** Fields joined by `.`, each with its bit operations. */
export function readExpression(r: NftReader): NftExpression {
  const first = readOperations(r)
  if (r.peek.text !== '.' || r.peek.kind !== 'word') return first
  const parts = [first]
  while (r.accept('.')) parts.push(readOperations(r))
  return { kind: 'concat', parts }
}

const operators: Readonly<Record<string, '&' | '|' | '^'>> = {
  '&': '&',
  '|': '|',
  '^': '^',
  and: '&',
  or: '|',
  xor: '^',
}

function readOperations(r: NftReader): NftExpression {
  let left = readPrimary(r)
  for (let op = operators[r.peek.text]; op !== undefined && r.peek.kind !== 'string'; op = operators[r.peek.text]) {
    r.next()
    left = { kind: 'bitwise', op, left, right: readBits(r, typesOf(left)[0] ?? 'integer') }
  }
  return left
}

/** `0xff`, `(fin|syn)`, `(1|2)`. */
function readBits(r: NftReader, type: DataType): number {
  if (!r.accept('(')) return readBit(r, type)
  let bits = readBit(r, type)
  while (r.accept('|')) bits |= readBit(r, type)
  r.expect(')')
  return bits >>> 0
}

const readBit = (r: NftReader, type: DataType): number =>
  r.take((text) => {
    const known = canonical(type, text)
    return known === undefined ? undefined : numberOf(type, known)
  }, `bits of type ${type}`)

function readPrimary(r: NftReader): NftExpression {
  if (r.accept('fib')) return readFib(r)
  if (r.accept('numgen')) return readNumgen(r)
  for (let words = 4; words > 0; words--) {
    const field = fieldAhead(r, words)
    if (field === undefined) continue
    for (let i = 0; i < words; i++) r.next()
    return { kind: 'field', field }
  }
  throw new Unreadable(undefined)
}

function fieldAhead(r: NftReader, words: number): NftField | undefined {
  const tokens = Array.from({ length: words }, (_, i) => r.ahead(i))
  if (tokens.some(({ kind }) => kind !== 'word')) return undefined
  const name = tokens.map(({ text }) => text).join(' ')
  const known = aliases(name, r.family)
  return isField(known) ? known : undefined
}

function aliases(name: string, family: string): string {
  if (name === 'mark') return 'meta mark'
  const device = /^meta ([io]if(?:name)?)$/.exec(name)
  if (device?.[1]) return device[1]
  return name.replace(/^ct original ([sd]addr)$/, `ct original ${family === 'ip6' ? 'ip6' : 'ip'} $1`)
}

function readFib(r: NftReader): NftExpression {
  const by = [r.word('saddr or daddr')]
  while (r.accept('.')) by.push(r.word('mark, iif or oif'))
  const result = r.take(
    (text) => (text === 'type' || text === 'oif' || text === 'oifname' ? text : undefined),
    'type, oif or oifname',
  )
  return { kind: 'fib', by, result }
}

function readNumgen(r: NftReader): NftExpression {
  const mode = r.take((text) => (text === 'random' || text === 'inc' ? text : undefined), 'random or inc')
  r.expect('mod')
  const mod = r.take((text) => wholeNumber(text) || undefined, 'a number above 0')
  if (!r.accept('offset')) return { kind: 'numgen', mode, mod }
  return { kind: 'numgen', mode, mod, offset: r.take(wholeNumber, 'a number') }
}

/** `@name`, or elements on the spot. */
export function readSetUse(r: NftReader, key: readonly DataType[], data?: ElementData): SetUse {
  const { text, kind } = r.peek
  if (kind === 'word' && text.startsWith('@')) {
    r.next()
    return { kind: 'named', name: text.slice(1) }
  }
  return { kind: 'anonymous', elements: readElements(r, key, data) }
}
