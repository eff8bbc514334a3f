import type { DeviceName } from '../artefact/link.ts'
import type { Ip } from '../net/ip.ts'
import type { Ethernet } from './device/ethernet.ts'
import type { RejectAnswer } from './netfilter/hook.ts'
import type { Dst } from './routing.ts'
import type { Skb } from './skb.ts'

/**
 * What a layer asks the next one to do. `step` carries actions out depth first, in the order in which a real kernel's
 * calls would run, so that no layer calls upwards and a loop is a counter instead of a stack overflow.
 */
export type Action =
  /** dev_queue_xmit. */
  | { readonly kind: 'transmit'; readonly device: DeviceName; readonly ethernet: Ethernet }
  /** The same on a device without Ethernet header. */
  | { readonly kind: 'transmit-ip'; readonly device: DeviceName; readonly skb: Skb; readonly nexthop: Ip }
  /** netif_receive_skb. */
  | {
      readonly kind: 'receive'
      readonly device: DeviceName
      readonly ethernet: Ethernet
      /** br_netfilter ran PREROUTING already. */
      readonly prerouted?: boolean
    }
  | { readonly kind: 'receive-ip'; readonly device: DeviceName; readonly skb: Skb }
  /** The FORWARD hook, and on. */
  | { readonly kind: 'forward'; readonly skb: Skb; readonly dst: Dst }
  /** ip_local_out, with no caller that waits for the error. `from`: the tunnel device that made the packet. */
  | { readonly kind: 'local-out'; readonly skb: Skb; readonly dst: Dst; readonly from?: DeviceName }
  /** ip_output: POSTROUTING and the device. */
  | { readonly kind: 'output'; readonly skb: Skb; readonly dst: Dst }
  /** ip_finish_output2: fragmented where needed, POSTROUTING done. */
  | { readonly kind: 'neighbour-output'; readonly skb: Skb; readonly device: DeviceName; readonly nexthop: Ip }
  | { readonly kind: 'deliver'; readonly skb: Skb; readonly device: DeviceName; readonly broadcast: boolean }
  | { readonly kind: 'icmp-error'; readonly about: Skb; readonly error: IcmpCause }
  /** The answer of REJECT. `bridged`: the frame that is inside a bridge, whose port a reset leaves by. */
  | { readonly kind: 'reject'; readonly skb: Skb; readonly answer: RejectAnswer; readonly bridged?: Ethernet }
  /** br_dev_xmit of a frame that br_netfilter sent to a neighbour: it goes on as if it had come in by the port. */
  | {
      readonly kind: 'bridge-resume'
      readonly bridge: DeviceName
      readonly port: DeviceName
      readonly ethernet: Ethernet
    }

/** ICMP numbers of the packet's own family. */
export interface IcmpCause {
  readonly type: number
  readonly code: number
  readonly mtu?: number
  readonly why: string
  /** Redirect: to this gateway. */
  readonly gateway?: Ip
}

/** What both families call differently (RFC 792, RFC 4443). */
export const icmpCodes = {
  ipv4: {
    noRoute: [3, 0],
    hostUnreachable: [3, 1],
    protocolUnreachable: [3, 2],
    portUnreachable: [3, 3],
    tooBig: [3, 4],
    prohibited: [3, 13],
    timeExceeded: [11, 0],
  },
  ipv6: {
    noRoute: [1, 0],
    hostUnreachable: [1, 3],
    protocolUnreachable: [4, 1],
    portUnreachable: [1, 4],
    tooBig: [2, 0],
    prohibited: [1, 1],
    timeExceeded: [3, 0],
  },
} as const satisfies Record<'ipv4' | 'ipv6', Record<string, readonly [number, number]>>

export function cause(
  family: 'ipv4' | 'ipv6',
  name: keyof (typeof icmpCodes)['ipv4'],
  why: string,
  mtu?: number,
): IcmpCause {
  const [type, code] = icmpCodes[family][name]
  return mtu === undefined ? { type, code, why } : { type, code, why, mtu }
}
