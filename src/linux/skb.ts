import type { DeviceName } from '../artefact/link.ts'
import type { Mac } from '../net/mac.ts'
import type { IpPacket } from '../packet/packet.ts'
import type { Connection, ConntrackInfo } from './conntrack/connection.ts'

/** A packet and, beside it, what the kernel knows and the wire does not carry (include/linux/skbuff.h). */
export interface Skb {
  readonly packet: IpPacket
  /** nfmark. Survives encapsulation on the same host, not the wire. */
  readonly mark: number
  /** `-i`: for a packet from a bridge port, the bridge. Undefined for locally made packets. */
  readonly inDevice: DeviceName | undefined
  /** `-o`: known from the routing decision on. */
  readonly outDevice: DeviceName | undefined
  /** Bridge ports that `-m physdev` sees; set while br_netfilter has the packet. */
  readonly physIn: DeviceName | undefined
  readonly physOut: DeviceName | undefined
  /** Source MAC of the frame that brought it (`-m mac`). */
  readonly sourceMac: Mac | undefined
  /** How the frame was addressed (`-m pkttype`). */
  readonly packetType: 'host' | 'broadcast' | 'multicast' | 'otherhost' | 'outgoing'
  /** The connection that it belongs to, once conntrack has seen it. */
  readonly connection: Connection | undefined
  /** `untracked` after NOTRACK; `invalid` when conntrack could not place it. Undefined before conntrack. */
  readonly ctinfo: ConntrackInfo | undefined
  /** IPCB(skb)->frag_max_size: it was put together from fragments of at most this length, and leaves as such. */
  readonly fragMaxSize?: number
  /** The length of the fragments that it was put together from, kept as a list (frag_list): where it must be cut, it is cut so. */
  readonly pieceSize?: number
  /** Whose system call waits for what becomes of it here. */
  readonly sender?: string
  /** skb->ipvs_property: IPVS had it, and leaves it alone from now on. */
  readonly ipvs?: true
}

export function skbOf(packet: IpPacket): Skb {
  return {
    packet,
    mark: 0,
    inDevice: undefined,
    outDevice: undefined,
    physIn: undefined,
    physOut: undefined,
    sourceMac: undefined,
    packetType: 'outgoing',
    connection: undefined,
    ctinfo: undefined,
  }
}
