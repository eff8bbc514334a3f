import type { Origin } from '../../../artefact/origin.ts'

export interface IcmpMatch {
  readonly type: number
  readonly code?: number
}

/** A policy rule as Felix's calculation hands it to the tables: selectors have become sets, ports are texts (`80`, `1:2`). */
export interface ParsedRule {
  readonly action: 'allow' | 'deny' | 'pass' | 'log'
  readonly ipVersion?: 4 | 6
  readonly protocol?: string | number
  readonly notProtocol?: string | number
  readonly icmp?: IcmpMatch
  readonly notIcmp?: IcmpMatch
  readonly src: ParsedEnd
  readonly dst: ParsedEnd
  readonly comments?: readonly string[]
  readonly origin?: Origin
}

export interface ParsedEnd {
  readonly nets: readonly string[]
  readonly ports: readonly string[]
  /** Ids of hash:net sets, all of which must hold the address. */
  readonly sets: readonly string[]
  /** Ids of hash:ip,port sets that stand for the ports and the peers of a Service. */
  readonly ipPortSets: readonly string[]
  /** Ids of hash:ip,port sets, each for one named port. */
  readonly namedPortSets: readonly string[]
  readonly notNets: readonly string[]
  readonly notPorts: readonly string[]
  readonly notSets: readonly string[]
  readonly notNamedPortSets: readonly string[]
}

export const anyEnd: ParsedEnd = {
  nets: [],
  ports: [],
  sets: [],
  ipPortSets: [],
  namedPortSets: [],
  notNets: [],
  notPorts: [],
  notSets: [],
  notNamedPortSets: [],
}
