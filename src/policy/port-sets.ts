import type { Protocol } from '../net/port.ts'
import { addBit, type Bitset, emptySet, fullSet, orInto } from './bitset.ts'
import type { End } from './end.ts'
import { remembered } from './label-index.ts'
import type { Port, Rule } from './policy.ts'

/** What is asked: one protocol, and one port or one port name that each destination resolves for itself. */
export interface MatrixQuery {
  readonly protocol: Protocol
  /** Absent for ICMP. */
  readonly port?: number | string
}

export interface PortSets {
  /** The ends that have the port which is asked for: all for a number, some for a name. */
  readonly having: Bitset
  /** The ends whose port one of these entries covers. */
  open(ports: Rule['ports']): Bitset
}

export function portSets(ends: readonly End[], query: MatrixQuery): PortSets {
  const numbers = ends.map((end) => portAt(end, query))
  const having = setWhere(ends.length, (i) => query.port === undefined || numbers[i] !== undefined)
  const known = new Map<string, Bitset>()
  const one = (port: Port): Bitset =>
    remembered(known, JSON.stringify(port), () =>
      setWhere(ends.length, (i) => covers(port, ends[i], numbers[i], query.protocol)),
    )
  const everyone = fullSet(ends.length)
  const open = (ports: Rule['ports']): Bitset => {
    if (ports === 'any') return everyone
    const all = emptySet(ends.length)
    for (const port of ports) orInto(all, one(port))
    return all
  }
  return { having, open }
}

/** The number that a query means at one destination; the first where a pod gives the name twice. */
export function portAt(end: End, { protocol, port }: MatrixQuery): number | undefined {
  if (typeof port !== 'string') return port
  if (end.kind !== 'pod') return undefined
  return end.pod.ports.find((p) => p.name === port && p.protocol === protocol)?.port
}

function covers(port: Port, end: End | undefined, number: number | undefined, protocol: Protocol): boolean {
  if (number === undefined) return false
  switch (port.kind) {
    case 'range':
      return port.protocol === protocol && number >= port.from && number <= port.to
    case 'named':
      return (
        end?.kind === 'pod' &&
        (port.protocol === undefined || port.protocol === protocol) &&
        end.pod.ports.some((p) => p.name === port.name && p.protocol === protocol && p.port === number)
      )
    case 'nothing':
      return false
  }
}

function setWhere(size: number, holds: (i: number) => boolean): Bitset {
  const set = emptySet(size)
  for (let i = 0; i < size; i++) if (holds(i)) addBit(set, i)
  return set
}
