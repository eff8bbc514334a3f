import { present } from '../../problem.ts'
import { type OptionReader, option, words } from '../module.ts'
import type { Negatable, PortRange } from '../rule.ts'
import { formatPortRange, parsePortRange, portRangeExpected, unlessAllPorts } from '../value.ts'
import type { MatchModule, MatchOf } from './match-module.ts'
import { tcpFlagNames } from './tcp-flags.ts'

const portOptions = {
  sport: 1,
  'source-port': 'sport',
  dport: 1,
  'destination-port': 'dport',
} as const

const readPort = (given: OptionReader, name: string): Negatable<PortRange> | undefined =>
  unlessAllPorts(given.value(name, (text) => parsePortRange(text), portRangeExpected))

const writePorts = (m: { readonly sport?: Negatable<PortRange>; readonly dport?: Negatable<PortRange> }): string =>
  words(
    option('sport', m.sport, (r) => formatPortRange(r)),
    option('dport', m.dport, (r) => formatPortRange(r)),
  )

export const tcp: MatchModule<'tcp'> = {
  names: ['tcp'],
  needsProtocol: ['tcp'],
  options: { ...portOptions, 'tcp-flags': 2, syn: 0 },
  kept: ['tcp-option'],
  read: (given) =>
    present<MatchOf<'tcp'>>({
      kind: 'tcp',
      sport: readPort(given, 'sport'),
      dport: readPort(given, 'dport'),
      flags: readFlags(given),
    }),
  write: (m) =>
    words(
      writePorts(m),
      option('tcp-flags', m.flags, ({ mask, set }) => `${tcpFlagNames.format(mask)} ${tcpFlagNames.format(set)}`),
    ),
}

function readFlags(given: OptionReader): MatchOf<'tcp'>['flags'] {
  if (given.has('syn')) return given.values('syn', () => ({ mask: 0x17, set: 0x02 }), '')
  const flags = given.values('tcp-flags', parseFlags, flagsExpected)
  // Looking at no flag is no match, and is not printed.
  return flags?.not || flags?.value.mask || flags?.value.set ? flags : undefined
}

const flagsExpected =
  'two lists of FIN,SYN,RST,PSH,ACK,URG (or ALL, NONE): the flags looked at, and those of them that are set'

function parseFlags([mask = '', set = '']: readonly string[]) {
  const m = tcpFlagNames.parse(mask)
  const s = tcpFlagNames.parse(set)
  return m === undefined || s === undefined ? undefined : { mask: m, set: s }
}

const portsOnly = <K extends 'udp' | 'sctp'>(kind: K): MatchModule<K> => ({
  names: [kind],
  needsProtocol: [kind],
  options: portOptions,
  kept: ['chunk-types'],
  read: (given) =>
    present<MatchOf<'udp'>>({ kind, sport: readPort(given, 'sport'), dport: readPort(given, 'dport') }) as MatchOf<K>,
  write: (m) => writePorts(m as MatchOf<'udp'>),
})

export const udp = portsOnly('udp')
export const sctp = portsOnly('sctp')

const sides = { sports: 'source', dports: 'destination', ports: 'either' } as const

export const multiport: MatchModule<'multiport'> = {
  names: ['multiport'],
  needsProtocol: ['tcp', 'udp', 'udplite', 'sctp', 'dccp'],
  options: { sports: 1, 'source-ports': 'sports', dports: 1, 'destination-ports': 'dports', ports: 1 },
  read: (given) => {
    const side = (['sports', 'dports', 'ports'] as const).find((name) => given.has(name))
    if (side === undefined) return given.bad('multiport', '--sports, --dports or --ports after -m multiport')
    const ports = given.value(side, parsePortList, 'up to 15 ports with commas between; a range n:m counts twice')
    return ports && { kind: 'multiport', side: sides[side], ports }
  },
  write: (m) => option(optionOf[m.side], m.ports, (ports) => ports.map((r) => formatPortRange(r)).join(',')),
}

const optionOf = { source: 'sports', destination: 'dports', either: 'ports' } as const

/** At most 15 numbers (XT_MULTI_PORTS). */
function parsePortList(text: string): readonly PortRange[] | undefined {
  const ranges = text.split(',').map((part) => parsePortRange(part))
  const known = ranges.filter((r) => r !== undefined)
  if (known.length !== ranges.length) return undefined
  return known.reduce((slots, r) => slots + (r.from === r.to ? 1 : 2), 0) <= 15 ? known : undefined
}
