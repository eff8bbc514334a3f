import type { ConntrackEntry, ConntrackTuple } from '../artefact/netns.ts'
import { end } from './packet-line.ts'

/** The words of `conntrack -I` that make a connection known. Without NAT, what replies look like follows by itself. */
export function conntrackInsert(entry: ConntrackEntry): readonly string[] {
  const { protocol, original, reply, status, state, timeout, mark } = entry
  const known = [
    ...(status.includes('ASSURED') ? ['ASSURED'] : []),
    ...(status.includes('UNREPLIED') ? [] : ['SEEN_REPLY']),
  ]
  return [
    ...['-p', protocol, '-s', original.src, '-d', original.dst],
    ...portWords(entry),
    ...(protocol === 'tcp' && state !== undefined ? ['--state', state] : []),
    ...(isSame(original, 'dst', reply, 'src') ? [] : ['--dst-nat', mapped(entry, reply.src, reply.srcPort)]),
    ...(isSame(original, 'src', reply, 'dst') ? [] : ['--src-nat', mapped(entry, reply.dst, reply.dstPort)]),
    ...(known.length > 0 ? ['-u', known.join(',')] : []),
    ...['-t', String(timeout), '-m', String(mark)],
  ]
}

const isIcmp = ({ protocol }: ConntrackEntry): boolean => protocol === 'icmp' || protocol === 'icmpv6'

function portWords(entry: ConntrackEntry): readonly string[] {
  const { srcPort, dstPort } = entry.original
  if (!isIcmp(entry)) return ['--sport', String(srcPort), '--dport', String(dstPort)]
  const type = entry.protocol === 'icmp' ? '8' : '128'
  return [`--${entry.protocol}-type`, type, `--${entry.protocol}-code`, '0', `--${entry.protocol}-id`, String(srcPort)]
}

type Side = 'src' | 'dst'
const isSame = (a: ConntrackTuple, aSide: Side, b: ConntrackTuple, bSide: Side): boolean =>
  a[aSide] === b[bSide] && a[`${aSide}Port`] === b[`${bSide}Port`]

const mapped = (entry: ConntrackEntry, ip: string, port: number): string => (isIcmp(entry) ? ip : end(ip, String(port)))
