import type { ConntrackEntry, ConntrackTuple } from '../../artefact/netns.ts'
import { familyOf } from '../../net/ip.ts'
import { protocolNumbers } from '../../net/port.ts'
import type { Connection, Tuple } from './connection.ts'
import type { ConntrackTable } from './table.ts'
import { echoTypes, isIcmpProtocol } from './tuple.ts'

/** What `conntrack -L` would list at this time, oldest first. Left out: protocols that have no entry form (IPIP, ESP). */
export function listConnections(table: ConntrackTable, now: number): readonly ConntrackEntry[] {
  return table
    .all()
    .filter((c) => c.expires > now)
    .flatMap((c) => entryOf(c, now) ?? [])
}

/**
 * Entries that stand in the table before the first packet. They count as fully set up: no nat chain will run for them.
 * Of two entries with one tuple the first stays, as the kernel refuses the second.
 */
export function seedConnections(table: ConntrackTable, entries: readonly ConntrackEntry[], now: number): void {
  for (const entry of entries) {
    const connection = connectionOf(entry, table.nextId(), now)
    if (table.find(connection.original, now) || table.find(connection.reply, now)) continue
    table.insert(connection)
  }
}

function connectionOf(entry: ConntrackEntry, id: number, now: number): Connection {
  const seenReply = !entry.status.includes('UNREPLIED')
  return {
    id,
    original: tupleFrom(entry, entry.original, 'request'),
    reply: tupleFrom(entry, entry.reply, 'reply'),
    confirmed: true,
    seenReply,
    assured: entry.status.includes('ASSURED'),
    natDone: { src: true, dst: true },
    mark: entry.mark,
    tcpState: entry.state ?? (entry.protocol === 'tcp' ? (seenReply ? 'ESTABLISHED' : 'SYN_SENT') : 'none'),
    expires: now + 1000 * entry.timeout,
  }
}

function tupleFrom(entry: ConntrackEntry, t: ConntrackTuple, echo: 'request' | 'reply'): Tuple {
  const protocol = protocolNumbers[entry.protocol]
  const tuple: Tuple = { protocol, src: t.src, dst: t.dst, srcPort: t.srcPort, dstPort: t.dstPort }
  if (!isIcmpProtocol(protocol)) return tuple
  return { ...tuple, dstPort: 0, icmpType: echoTypes[familyOf(t.src)][echo] }
}

const protocols = ['tcp', 'udp', 'sctp', 'icmp', 'icmpv6'] as const

function entryOf(c: Connection, now: number): ConntrackEntry | undefined {
  const protocol = protocols.find((name) => protocolNumbers[name] === c.original.protocol)
  if (!protocol) return undefined
  const ends = ({ src, dst, srcPort, dstPort }: Tuple): ConntrackTuple => ({ src, dst, srcPort, dstPort })
  return {
    protocol,
    original: ends(c.original),
    reply: ends(c.reply),
    status: [...(c.seenReply ? [] : (['UNREPLIED'] as const)), ...(c.assured ? (['ASSURED'] as const) : [])],
    ...((protocol === 'tcp' || protocol === 'sctp') && { state: c.tcpState }),
    timeout: Math.max(0, Math.floor((c.expires - now) / 1000)),
    mark: c.mark,
  }
}

/** For a person: `10.0.0.1:4000 -> 10.0.0.2:80`. */
export const describeTuple = (t: Tuple): string =>
  isIcmpProtocol(t.protocol) ? `${t.src} -> ${t.dst} id ${t.srcPort}` : `${t.src}:${t.srcPort} -> ${t.dst}:${t.dstPort}`
