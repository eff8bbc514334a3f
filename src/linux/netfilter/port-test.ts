import type { Match, Negatable, PortRange } from '../../artefact/iptables/rule.ts'
import type { Facts } from './facts.ts'
import type { RuleTest } from './rule-test.ts'

type PortMatch = Extract<Match, { kind: 'tcp' | 'udp' | 'sctp' }>
type MultiportMatch = Extract<Match, { kind: 'multiport' }>

/** xt_tcpudp, xt_sctp. No port of a later fragment is known, so none matches. */
export function portTest(match: PortMatch): RuleTest {
  const { kind, sport, dport } = match
  const flags = match.kind === 'tcp' ? match.flags : undefined
  return {
    passes: (f) =>
      f.payload?.kind === kind &&
      (!sport || inRange(sport, f.srcPort)) &&
      (!dport || inRange(dport, f.dstPort)) &&
      (!flags ||
        (f.payload.kind === 'tcp' && (f.payload.flags & flags.value.mask) === flags.value.set) !== !!flags.not),
    miss: (f) => {
      if (f.payload?.kind !== kind) return noHeader(f, kind)
      if (sport && !inRange(sport, f.srcPort)) return describe('source', sport, f.srcPort)
      if (dport && !inRange(dport, f.dstPort)) return describe('destination', dport, f.dstPort)
      return `TCP flags ${f.payload.kind === 'tcp' ? hex(f.payload.flags) : ''} do not fit`
    },
  }
}

/** xt_multiport. */
export function multiportTest({ side, ports }: MultiportMatch): RuleTest {
  const listed = (port: number): boolean => ports.value.some((r) => port >= r.from && port <= r.to)
  const wanted = ports.not !== true
  const any = (f: Facts): boolean =>
    (side !== 'destination' && listed(f.srcPort)) || (side !== 'source' && listed(f.dstPort))
  return {
    passes: (f) => f.srcPort >= 0 && any(f) === wanted,
    miss: (f) =>
      f.srcPort < 0 ? noHeader(f, 'port') : `ports ${f.srcPort} and ${f.dstPort} ${wanted ? 'are not' : 'are'} listed`,
  }
}

const inRange = ({ not, value }: Negatable<PortRange>, port: number): boolean =>
  (port >= value.from && port <= value.to) !== !!not

const noHeader = (f: Facts, kind: string): string =>
  f.laterFragment ? 'a further fragment has no ports' : `it has no ${kind} header`

function describe(side: string, { not, value }: Negatable<PortRange>, port: number): string {
  const range = value.from === value.to ? `${value.from}` : `${value.from}:${value.to}`
  return `${side} port ${port} is ${not ? 'in' : 'not in'} ${range}`
}

const hex = (n: number): string => `0x${n.toString(16)}`
