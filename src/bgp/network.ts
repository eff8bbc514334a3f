import type { Ip } from '../net/ip.ts'
import type { Speaker } from './speaker.ts'

/**
 * What lies between the speakers, as the caller knows it. Asked anew after every change; answers must not depend on the
 * order of questions.
 */
export interface Network {
  /** Why TCP from `from` to `port` of `to` does not come up, replies included; undefined when it does. */
  readonly canConnect: (from: Endpoint, to: Target, port: number) => ConnectFailure | undefined
  /** Link of the speaker on which `address` is a direct neighbour, by device name; undefined behind a router. */
  readonly linkTo: (speaker: Speaker, address: Ip) => string | undefined
  /** Where the speaker sends packets for a BGP next hop: a look-up in its kernel routes that are not from BGP. */
  readonly resolve: (speaker: Speaker, nextHop: Ip) => Resolution | undefined
  /** Routers on the way; default 0 where `linkTo` knows the address, else 1. */
  readonly hops?: (from: Endpoint, to: Target) => number
}

/** The address of a speaker, or one that no speaker has. */
export interface Target {
  readonly speaker?: Speaker
  readonly address: Ip
}

export interface Endpoint {
  readonly speaker: Speaker
  readonly address: Ip
}

/** How a TCP connect ends: RST; nothing until the timeout; no route, or an ICMP error. `because` is the caller's story of it. */
export interface ConnectFailure {
  readonly kind: 'refused' | 'timeout' | 'no route'
  readonly because?: string
}

export interface Resolution {
  readonly device: string
  /** Absent: the next hop itself is on the link. */
  readonly gateway?: Ip
  /** IGP metric of the route used; absent: none is known (BIRD prints `?`), ranked behind every known one. On link 0. */
  readonly metric?: number
}
