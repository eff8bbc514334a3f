import type { Branded, Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { Origin } from './origin.ts'

/** A network device's name, at most 15 bytes (IFNAMSIZ). Unique within one network namespace. */
export type DeviceName = Branded<string, 'DeviceName'>
export const deviceName = (text: string): DeviceName => text as DeviceName

/** A device as `ip -d link` describes it. */
export interface Link {
  readonly name: DeviceName
  /** Zero for devices without an Ethernet header (loopback prints 00:00:00:00:00:00; tun and ipip have none). */
  readonly mac: Mac
  readonly mtu: number
  readonly up: boolean
  /** The bridge that this device is a port of. */
  readonly master?: DeviceName
  /** Port settings (`bridge link`); only meaningful with `master`. */
  readonly port?: BridgePortSettings
  readonly promiscuous?: boolean
  readonly kind: LinkKind
  readonly origin?: Origin
}

export interface BridgePortSettings {
  /** May a frame leave by the port it came in on. */
  readonly hairpin: boolean
  readonly learning: boolean
  readonly flooding: boolean
  readonly isolated: boolean
}
export const defaultPortSettings: BridgePortSettings = {
  hairpin: false,
  learning: true,
  flooding: true,
  isolated: false,
}

export type LinkKind =
  | { readonly kind: 'loopback' }
  /** A network card: its wire is part of the underlay. */
  | { readonly kind: 'physical' }
  /** `peer` names the other end inside its own namespace; which namespace that is, the cluster knows. */
  | { readonly kind: 'veth'; readonly peer: DeviceName }
  | { readonly kind: 'bridge'; readonly stp: boolean; readonly vlanFiltering: boolean }
  | {
      readonly kind: 'vxlan'
      readonly vni: number
      readonly local: Ip
      /** Lower device that carries the outer packets. */
      readonly dev: DeviceName
      readonly dstPort: number
      readonly learning: boolean
    }
  | {
      readonly kind: 'ipip'
      readonly local: Ip | undefined
      readonly remote: Ip | undefined
      readonly dev?: DeviceName
    }
  /** A TUN device whose packets a user-space process reads and writes. */
  | { readonly kind: 'tun' }
  | { readonly kind: 'dummy' }
