import { familyOf, parseIp } from '../net/ip.ts'
import { parsePort } from '../net/port.ts'
import type { ConntrackEntry, ConntrackTuple } from './netns.ts'
import { present } from './problem.ts'
import { type Parsed, parseLines, type WordReader } from './text-line.ts'

type Protocol = ConntrackEntry['protocol']
const numbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132, icmp: 1, icmpv6: 58 }
/** Echo request and echo reply. */
const echo = { icmp: [8, 0], icmpv6: [128, 129] } as const

/** A line of `conntrack -L`. */
export function formatConntrack(entry: ConntrackEntry): string {
  const head = `${entry.protocol.padEnd(8)} ${numbers[entry.protocol]} ${entry.timeout}`
  return [
    head,
    ...(entry.state ? [entry.state] : []),
    tuple(entry.protocol, entry.original, 0),
    ...(entry.status.includes('UNREPLIED') ? ['[UNREPLIED]'] : []),
    tuple(entry.protocol, entry.reply, 1),
    ...(entry.status.includes('ASSURED') ? ['[ASSURED]'] : []),
    `mark=${entry.mark}`,
    'use=1',
  ].join(' ')
}

function tuple(protocol: Protocol, t: ConntrackTuple, direction: 0 | 1): string {
  const ends = `src=${t.src} dst=${t.dst}`
  if (protocol !== 'icmp' && protocol !== 'icmpv6') return `${ends} sport=${t.srcPort} dport=${t.dstPort}`
  return `${ends} type=${echo[protocol][direction]} code=0 id=${t.srcPort}`
}

/** Reads `conntrack -L` (also `-o extended`) and /proc/net/nf_conntrack. */
export const parseConntrack = (text: string): Parsed<ConntrackEntry> => parseLines(text, readEntry)

type Fields = Map<string, string>

function readEntry(words: WordReader): ConntrackEntry | undefined {
  if (/flow entries have been shown/.test(words.line.text)) return undefined
  if (words.maybe((w) => (w === 'ipv4' || w === 'ipv6' ? w : undefined))) words.next()
  const protocol = words.take((w) => (Object.hasOwn(numbers, w) ? (w as Protocol) : undefined), protocolExpected)
  words.next()
  const timeout = words.take((w) => (/^\d+$/.test(w) ? Number(w) : undefined), 'the seconds until it times out')
  const state = words.maybe((w) => (/^[A-Z][A-Z_0-9]*$/.test(w) ? w : undefined))
  const tuples: [Fields, Fields] = [new Map(), new Map()]
  const status = new Set<string>()
  let mark = 0
  while (words.more) {
    const word = words.next()
    const [name = '', value = ''] = word.split('=')
    if (word.startsWith('[')) status.add(word.slice(1, -1))
    else if (name === 'mark') mark = Number(value)
    else if (name === 'zone' && value !== '0') words.bad(word, 'zone 0 (conntrack zones are not modelled)')
    else if (tupleFields.has(name)) (tuples[0].has(name) ? tuples[1] : tuples[0]).set(name, value)
  }
  if (protocol === undefined || timeout === undefined) return undefined
  const [original, reply] = [readTuple(words, protocol, tuples[0]), readTuple(words, protocol, tuples[1])]
  if (!original || !reply || words.problem) return undefined
  if (familyOf(original.src) !== familyOf(reply.src)) return words.bad(words.line.text, 'addresses of one family')
  return present<ConntrackEntry>({
    protocol,
    original,
    reply,
    status: (['UNREPLIED', 'ASSURED'] as const).filter((s) => status.has(s)),
    state,
    timeout,
    mark,
  })
}

const protocolExpected = 'tcp, udp, sctp, icmp or icmpv6'
const tupleFields = new Set(['src', 'dst', 'sport', 'dport', 'type', 'code', 'id'])

function readTuple(words: WordReader, protocol: Protocol, fields: Fields): ConntrackTuple | undefined {
  const src = parseIp(fields.get('src') ?? '')
  const dst = parseIp(fields.get('dst') ?? '')
  const icmp = protocol === 'icmp' || protocol === 'icmpv6'
  const srcPort = parsePort(fields.get(icmp ? 'id' : 'sport') ?? '')
  const dstPort = icmp ? 0 : parsePort(fields.get('dport') ?? '')
  if (src && dst && srcPort !== undefined && dstPort !== undefined) return { src, dst, srcPort, dstPort }
  const ports = icmp ? 'id=' : 'sport= dport='
  return words.bad(words.line.text, `two tuples, each with src= dst= ${ports}`)
}
