import { ipOctets, parseIp } from '../../net/ip.ts'
import { type DataType, numberOf } from './datatype.ts'
import type { NftElement, NftValue } from './value.ts'

/** The elements as nft 1.0.6 lists them (list_expr_sort in src/mergesort.c): by the number that their bytes make. */
export function inOrder(elements: readonly NftElement[], types: readonly DataType[]): readonly NftElement[] {
  // Intervals of concatenations stay in the order in which the kernel gives them.
  if (elements.length < 2 || elements.some(({ key }) => key.kind === 'concat' && !key.parts.every(isSingle)))
    return elements
  const keyed = elements.map((element) => ({ element, bytes: sortBytes(element.key, types) }))
  return keyed.sort((a, b) => compareBytes(a.bytes, b.bytes)).map(({ element }) => element)
}

const isSingle = ({ kind }: NftValue): boolean => kind === 'literal'

/** Most significant byte first. A concatenation is kept in host order, so that on most machines its last byte leads. */
function sortBytes(key: NftValue, types: readonly DataType[]): readonly number[] {
  if (key.kind !== 'concat') return bytesOf(key, types[0] ?? 'integer')
  return key.parts.flatMap((part, i) => padded(wireBytes(part, types[i] ?? 'integer'))).reverse()
}

/** Names are strings, whose first byte is the least significant one. */
function bytesOf(value: NftValue, type: DataType): readonly number[] {
  const bytes = wireBytes(value, type)
  return type === 'ifname' ? [...bytes, ...Array<number>(16 - bytes.length).fill(0)].reverse() : bytes
}

function wireBytes(value: NftValue, type: DataType): readonly number[] {
  const text = firstOf(value)
  if (type === 'ipv4_addr' || type === 'ipv6_addr') {
    const ip = parseIp(text)
    return ip === undefined ? [255] : ipOctets(ip)
  }
  if (type === 'ifname' || type === 'iface_index') return [...text].map((c) => c.charCodeAt(0) & 255)
  const number = value.kind === 'flags' ? flagsNumber(value.names, type) : numberOf(type, text)
  return bigEndian(number, width(type))
}

const flagsNumber = (names: readonly string[], type: DataType): number =>
  names.reduce((bits, name) => bits | numberOf(type, name), 0)

function firstOf(value: NftValue): string {
  switch (value.kind) {
    case 'literal':
      return value.text
    case 'prefix':
      return value.prefix.address
    case 'range':
      return value.from
    case 'flags':
      return value.names[0] ?? ''
    case 'concat':
    case 'any':
      return ''
  }
}

const width = (type: DataType): number =>
  type === 'inet_service' || type === 'ether_type' ? 2 : type === 'mark' || type.startsWith('ct_') ? 4 : 1

const bigEndian = (value: number, bytes: number): readonly number[] => {
  const needed = Math.max(bytes, Math.ceil(Math.log2(value + 1) / 8))
  return Array.from({ length: needed }, (_, i) => Math.floor(value / 256 ** (needed - 1 - i)) % 256)
}

/** Parts of a concatenation start at multiples of four bytes. */
const padded = (bytes: readonly number[]): readonly number[] => [
  ...bytes,
  ...Array<number>((4 - (bytes.length % 4)) % 4).fill(0),
]

function compareBytes(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return a.length - b.length
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
