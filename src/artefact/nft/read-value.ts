import { familyOf, ip, parseIp } from '../../net/ip.ts'
import { isHostPrefix, networkOf, parseInterfaceAddress } from '../../net/prefix.ts'
import { canonical, type DataType, isFlagType, isQuoted, symbolsOf, wholeNumber } from './datatype.ts'
import type { NftReader } from './reader.ts'
import { parseTime } from './time.ts'
import type { NftCounter, NftElement, NftValue, NftVerdict } from './value.ts'

/** A constant of these types; several make a concatenation. `inSet`: a comma ends it. */
export function readValue(r: NftReader, types: readonly DataType[], inSet: boolean): NftValue {
  if (inSet && r.peek.text === '*' && r.peek.kind === 'word') {
    r.next()
    return { kind: 'any' }
  }
  const [first, ...rest] = types
  if (first === undefined) r.fail('a value of a known type')
  if (rest.length === 0) return readScalar(r, first, inSet)
  const parts = [readScalar(r, first, true)]
  for (const type of rest) {
    r.expect('.')
    parts.push(readScalar(r, type, true))
  }
  return { kind: 'concat', parts }
}

function readScalar(r: NftReader, type: DataType, inSet: boolean): NftValue {
  if (isFlagType(type) && !inSet) return readFlags(r, type)
  return r.take((text) => scalar(type, text), `a value of type ${type}`)
}

function scalar(type: DataType, text: string): NftValue | undefined {
  const whole = canonical(type, text)
  if (whole !== undefined) return isQuoted(type) ? { kind: 'literal', text: whole, quoted: true } : literalOf(whole)
  if (type === 'ipv4_addr' || type === 'ipv6_addr') {
    const prefix = prefixOf(type, text)
    if (prefix) return prefix
  }
  const [from, to, ...more] = text.split('-')
  if (from === undefined || to === undefined || more.length > 0) return undefined
  const [low, high] = [canonical(type, from), canonical(type, to)]
  return low === undefined || high === undefined ? undefined : { kind: 'range', from: low, to: high }
}

const literalOf = (text: string): NftValue => ({ kind: 'literal', text })

function prefixOf(type: DataType, text: string): NftValue | undefined {
  const parsed = parseInterfaceAddress(text)
  if (parsed === undefined || (familyOf(parsed.ip) === 'ipv6') !== (type === 'ipv6_addr')) return undefined
  const prefix = networkOf(parsed.ip, parsed.length)
  return isHostPrefix(prefix) ? literalOf(prefix.address) : { kind: 'prefix', prefix }
}

/** `established,related`, or `syn | ack`. */
function readFlags(r: NftReader, type: DataType): NftValue {
  const expected = `a value of type ${type}`
  const names = [r.take((text) => canonical(type, text), expected)]
  while (r.accept(',') || r.accept('|')) names.push(r.take((text) => canonical(type, text), expected))
  const [only] = names
  if (names.length === 1 && only !== undefined) return literalOf(only)
  const order = Object.keys(symbolsOf(type) ?? {})
  return { kind: 'flags', names: names.sort((a, b) => order.indexOf(a) - order.indexOf(b)) }
}

export function readVerdict(r: NftReader): NftVerdict | undefined {
  const { text, kind } = r.peek
  if (kind !== 'word') return undefined
  if (text === 'accept' || text === 'drop' || text === 'continue' || text === 'return') {
    r.next()
    return { kind: text }
  }
  if (text !== 'jump' && text !== 'goto') return undefined
  r.next()
  return { kind: text, chain: r.word('the name of a chain') }
}

/** What the elements of a map hold. `nat`: an address, or an address and a port. */
export type ElementData = 'verdict' | 'nat' | readonly DataType[]

/** `{ a, b }`, over several lines if need be. */
export function readElements(r: NftReader, key: readonly DataType[], data?: ElementData): readonly NftElement[] {
  r.expect('{')
  const elements: NftElement[] = []
  for (r.skipNewlines(); !r.accept('}'); r.skipNewlines()) {
    elements.push(readElement(r, key, data))
    r.skipNewlines()
    if (!r.accept(',') && r.peek.text !== '}') r.fail('"," or "}"')
  }
  return elements
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

function readElement(r: NftReader, key: readonly DataType[], data: ElementData | undefined): NftElement {
  const element: Mutable<NftElement> = { key: readValue(r, key, true) }
  readElementOptions(r, element)
  if (data === undefined) return element
  r.expect(':')
  if (data === 'verdict') {
    element.verdict = readVerdict(r) ?? r.fail('a verdict: accept, drop, jump CHAIN, ...')
  } else element.data = data === 'nat' ? readNatData(r) : readValue(r, data, true)
  readElementOptions(r, element)
  return element
}

function readElementOptions(r: NftReader, element: Mutable<NftElement>): void {
  for (;;) {
    if (r.accept('comment')) element.comment = r.word('a comment in quotes')
    else if (r.accept('timeout')) element.timeout = r.take(parseTime, 'a time, as 3h or 10800s')
    else if (r.accept('expires')) element.expires = r.take(parseTime, 'a time, as 3h or 10800s')
    else if (r.accept('counter')) element.counter = readCounter(r)
    else return
  }
}

export function readCounter(r: NftReader): NftCounter {
  if (!r.accept('packets')) return { packets: 0, bytes: 0 }
  const packets = r.take(wholeNumber, 'a number of packets')
  r.expect('bytes')
  return { packets, bytes: r.take(wholeNumber, 'a number of bytes') }
}

function readNatData(r: NftReader): NftValue {
  const address = literalOf(r.take(parseIp, 'an address'))
  if (!r.accept('.')) return address
  return { kind: 'concat', parts: [address, readValue(r, ['inet_service'], true)] }
}

/** The families of an address: `ip`, `ip6`. */
export const familyWord = (address: string): 'ip' | 'ip6' => (familyOf(ip(address)) === 'ipv4' ? 'ip' : 'ip6')
