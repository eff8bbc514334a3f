import type { Ip } from '../net/ip.ts'
import type { Protocol } from '../net/port.ts'
import type { End } from './end.ts'

/** The opening of a connection. Replies follow it: they are never asked about (network policy is stateful). */
export interface Connection {
  readonly from: End
  readonly to: End
  readonly protocol: Protocol
  /** The port of the destination itself, after Service translation. Absent for ICMP. */
  readonly port?: number
  /** What the client dialled, where a Service was translated. */
  readonly dialled?: { readonly ip: Ip; readonly port: number }
}

export type PolicyDirection = 'egress' | 'ingress'

/** The end that a direction's policies are about, and the one that their rules name. */
export const subjectOf = (c: Connection, direction: PolicyDirection): End => (direction === 'egress' ? c.from : c.to)
export const peerOf = (c: Connection, direction: PolicyDirection): End => (direction === 'egress' ? c.to : c.from)
