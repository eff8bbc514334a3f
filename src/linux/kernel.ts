import type { DeviceName } from '../artefact/link.ts'
import type { Ip } from '../net/ip.ts'
import type { Frame, IpPacket } from '../packet/packet.ts'
import type { Errno } from './event.ts'

/** What the loop hands to a namespace. */
export type Input =
  /** A frame from the wire of a veth or physical device. */
  | { readonly kind: 'receive'; readonly device: DeviceName; readonly frame: Frame }
  /** A packet that a user-space process writes to a TUN device. */
  | { readonly kind: 'receive-tun'; readonly device: DeviceName; readonly packet: IpPacket }
  /** A process sends. */
  | { readonly kind: 'send'; readonly request: SendRequest }
  | { readonly kind: 'timer'; readonly timer: Timer }

/** A packet as a process asks for it: the kernel picks the source address, the route and what else is missing. */
export interface SendRequest {
  readonly src: Ip | undefined
  readonly dst: Ip
  readonly ttl: number
  readonly tos: number
  /** IP_PMTUDISC_DO. Linux sets DF on TCP and, by default (IP_PMTUDISC_WANT), on UDP as well. */
  readonly df: boolean
  /** IP_PMTUDISC_WANT: what does not fit the device is sent in fragments without DF, where `df` alone would fail. */
  readonly fragmentTooBig?: true
  readonly payload: IpPacket['payload']
  /** Whose packet it is, in words: `client`, `server`. A socket with this owner then awaits the answer. */
  readonly owner: string
  /** SO_MARK. */
  readonly mark?: number
  /** SO_BROADCAST. */
  readonly broadcast?: true
}

/** What a namespace asks of the loop. In order. */
export type Output =
  /** Leaves by a veth or physical device: the loop knows what is at the other end. */
  | { readonly kind: 'transmit'; readonly device: DeviceName; readonly frame: Frame }
  /** Handed to the process that has opened the TUN device. */
  | { readonly kind: 'tun'; readonly device: DeviceName; readonly packet: IpPacket }
  /** To a process. `socket` says which: the listener's or sender's owner. */
  | { readonly kind: 'deliver'; readonly owner: string; readonly listening: boolean; readonly packet: IpPacket }
  /** A system call fails, or an ICMP error reaches the socket that it is about. */
  | { readonly kind: 'error'; readonly owner: string; readonly errno: Errno; readonly icmp?: IpPacket }
  /** Call back after so many milliseconds of virtual time. */
  | { readonly kind: 'set-timer'; readonly after: number; readonly timer: Timer }

/** Unanswered ARP or NDP; the kernel asks three times, a second apart (retrans_time), then gives up. */
export type Timer = { readonly kind: 'neighbour'; readonly device: DeviceName; readonly ip: Ip; readonly probe: number }
