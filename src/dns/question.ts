import { familyOf, type Ip } from '../net/ip.ts'
import type { DnsRecord, RecordType } from './records.ts'

/** A question below the cluster domain. */
export interface ZoneQuestion {
  /** Absolute name, lower case, without the final dot. */
  readonly name: string
  readonly type: RecordType
  /** `cluster.local` */
  readonly zone: string
}

/** What stands before the name of a Service: nothing, one endpoint's name, or `_port._protocol`. */
export type ServicePart =
  | { readonly kind: 'whole' }
  | { readonly kind: 'endpoint'; readonly hostname: string }
  | { readonly kind: 'port'; readonly port: string; readonly protocol: string }

export interface ServiceName {
  readonly namespace: string
  readonly name: string
  readonly part: ServicePart
}

/** Port and protocol are compared without regard to case; without a port asked for, every one is meant. */
export const isPortOf = (part: ServicePart, name: string, protocol: string): boolean =>
  part.kind !== 'port' || (name.toLowerCase() === part.port && protocol.toLowerCase() === part.protocol)

export function addressRecords({ name, type }: ZoneQuestion, ips: readonly Ip[]): readonly DnsRecord[] {
  const wanted = [...new Set(ips)].filter((ip) => typeOf(ip) === type)
  return wanted.map((address) => ({ type: typeOf(address), name, address }))
}

const typeOf = (ip: Ip): 'A' | 'AAAA' => (familyOf(ip) === 'ipv4' ? 'A' : 'AAAA')
