import { familyOf } from '../../../net/ip.ts'
import { present } from '../../problem.ts'
import { flagOption, type OptionReader, words } from '../module.ts'
import type { NatRange, PortRange } from '../rule.ts'
import { formatIpRange, formatPortRange, parseIpRange, parsePortRange } from '../value.ts'
import type { TargetModule, TargetOf } from './target-module.ts'

const expected = {
  ipv4: 'an address, an address range or a port: 10.0.0.1, 10.0.0.1-10.0.0.9, 10.0.0.1:80, :80',
  ipv6: 'an address, an address range or a port: fd00::1, fd00::1-fd00::9, [fd00::1]:80, :80',
}

export function formatNatRange(range: NatRange): string {
  const ports = range.ports ? `:${formatPortRange(range.ports, '-')}` : ''
  if (!range.address) return ports
  const address = formatIpRange(range.address)
  return ports !== '' && familyOf(range.address.from) === 'ipv6' ? `[${address}]${ports}` : `${address}${ports}`
}

export function parseNatRange(text: string, family: 'ipv4' | 'ipv6'): NatRange | undefined {
  const bare = family === 'ipv6' || !text.includes(':')
  const whole = bare ? parseAddresses(text.replace(/^\[([^\]]*)\]$/, '$1'), family) : undefined
  if (whole) return { address: whole }
  const parts = /^(?:\[([^\]]+)\]|([^:]*)):([^:]+)$/.exec(text)
  const ports = parts && parseNatPorts(parts[3] ?? '')
  if (!parts || !ports) return undefined
  const addressText = parts[1] ?? parts[2] ?? ''
  if (addressText === '') return { ports }
  const address = parseAddresses(addressText, family)
  return address && { address, ports }
}

function parseAddresses(text: string, family: 'ipv4' | 'ipv6') {
  const range = parseIpRange(text)
  return range && familyOf(range.from) === family ? range : undefined
}

/** Port 0 is none. */
function parseNatPorts(text: string): PortRange | undefined {
  const range = /^-|-$/.test(text) ? undefined : parsePortRange(text, '-')
  return range && range.from > 0 ? range : undefined
}

function readTo(given: OptionReader, name: string): NatRange | undefined {
  const to = given.plain(name, (text) => parseNatRange(text, given.family), expected[given.family])
  if (given.need(to, `${name} ADDRESS`) === undefined || to === undefined) return undefined
  if (to.ports && !carriesPorts(given.protocol)) return given.bad(`--${name} ${formatNatRange(to)}`, portsNeedProtocol)
  return to
}

const portsNeedProtocol = 'a port only after -p tcp, udp, sctp or dccp'
const carriesPorts = (protocol: string | undefined): boolean =>
  protocol === undefined ? false : ['tcp', 'udp', 'sctp', 'dccp', 'icmp', 'ipv6-icmp', 'udplite'].includes(protocol)

export const dnat: TargetModule<'dnat'> = {
  names: ['DNAT'],
  options: { 'to-destination': 1, to: 'to-destination', random: 0, persistent: 0 },
  read: (given) => {
    const to = readTo(given, 'to-destination')
    if (to === undefined) return undefined
    return present<TargetOf<'dnat'>>({
      kind: 'dnat',
      to,
      random: given.plainFlag('random'),
      persistent: given.plainFlag('persistent'),
    })
  },
  write: (t) =>
    words(
      `--to-destination ${formatNatRange(t.to)}`,
      flagOption('random', t.random),
      flagOption('persistent', t.persistent),
    ),
}

export const snat: TargetModule<'snat'> = {
  names: ['SNAT'],
  options: { 'to-source': 1, to: 'to-source', random: 0, 'random-fully': 0, persistent: 0 },
  read: (given) => {
    const to = readTo(given, 'to-source')
    if (to === undefined) return undefined
    return present<TargetOf<'snat'>>({
      kind: 'snat',
      to,
      random: given.plainFlag('random'),
      randomFully: given.plainFlag('random-fully'),
      persistent: given.plainFlag('persistent'),
    })
  },
  write: (t) =>
    words(
      `--to-source ${formatNatRange(t.to)}`,
      flagOption('random', t.random),
      flagOption('random-fully', t.randomFully),
      flagOption('persistent', t.persistent),
    ),
}

const readPorts = (given: OptionReader): PortRange | undefined => {
  const ports = given.plain('to-ports', parseNatPorts, 'a port, or two with a dash between')
  return ports && !carriesPorts(given.protocol) ? given.bad('--to-ports', portsNeedProtocol) : ports
}

const writePorts = (ports: PortRange | undefined): string => (ports ? `--to-ports ${formatPortRange(ports, '-')}` : '')

export const masquerade: TargetModule<'masquerade'> = {
  names: ['MASQUERADE'],
  options: { 'to-ports': 1, random: 0, 'random-fully': 0 },
  read: (given) =>
    present<TargetOf<'masquerade'>>({
      kind: 'masquerade',
      ports: readPorts(given),
      random: given.plainFlag('random'),
      randomFully: given.plainFlag('random-fully'),
    }),
  write: (t) => words(writePorts(t.ports), flagOption('random', t.random), flagOption('random-fully', t.randomFully)),
}

export const redirect: TargetModule<'redirect'> = {
  names: ['REDIRECT'],
  options: { 'to-ports': 1, random: 0 },
  read: (given) =>
    present<TargetOf<'redirect'>>({ kind: 'redirect', ports: readPorts(given), random: given.plainFlag('random') }),
  write: (t) => words(writePorts(t.ports), flagOption('random', t.random)),
}
