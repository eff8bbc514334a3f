import type { DeviceName } from '../../artefact/link.ts'
import { type Family, familyOf, type Ip, ipv4ToUint32, ipv6Groups } from '../../net/ip.ts'
import { packetLength } from '../../packet/length.ts'
import { type IpPayload, protocolNumber } from '../../packet/packet.ts'
import type { Skb } from '../skb.ts'
import type { NetfilterContext } from './context.ts'
import type { Hook } from './hook.ts'
import type { Netfilter } from './state.ts'

/** Four 32-bit words, signed as bit operations give them. An IPv4 address fills the last one. */
export type AddressWords = readonly [number, number, number, number]

/** One packet at one base chain, taken apart once so that a rule compares numbers. Only `skb` changes while rules run. */
export interface Facts {
  readonly nf: Netfilter
  readonly ctx: NetfilterContext
  readonly hook: Hook
  skb: Skb
  readonly family: Family
  readonly source: AddressWords
  readonly destination: AddressWords
  /** The last words: where addresses of one network differ. */
  readonly sourceWord: number
  readonly destinationWord: number
  readonly protocol: number
  /** -1 where the protocol, or a fragment beyond the first, has none. */
  readonly srcPort: number
  readonly dstPort: number
  readonly laterFragment: boolean
  /** The transport header; that of the whole for a first fragment, `undefined` for a later one. */
  readonly payload: Exclude<IpPayload, { kind: 'fragment' }> | undefined
  readonly in: DeviceName | undefined
  readonly out: DeviceName | undefined
  /** Length of the packet, for counters. */
  readonly bytes: number
}

export function factsOf(nf: Netfilter, hook: Hook, skb: Skb, ctx: NetfilterContext): Facts {
  const { packet } = skb
  const payload = visiblePayload(packet.payload)
  const [srcPort, dstPort] = payload && 'srcPort' in payload ? [payload.srcPort, payload.dstPort] : [-1, -1]
  const [source, destination] = [addressWords(packet.src), addressWords(packet.dst)]
  return {
    nf,
    ctx,
    hook,
    skb,
    family: familyOf(packet.src),
    source,
    destination,
    sourceWord: source[3],
    destinationWord: destination[3],
    protocol: protocolNumber(packet),
    srcPort,
    dstPort,
    laterFragment: packet.payload.kind === 'fragment' && packet.payload.offset !== 0,
    payload,
    in: hook === 'output' ? undefined : skb.inDevice,
    out: hook === 'prerouting' || hook === 'input' ? undefined : skb.outDevice,
    bytes: packetLength(packet),
  }
}

export function addressWords(ip: Ip): AddressWords {
  if (familyOf(ip) === 'ipv4') return [0, 0, 0, ipv4ToUint32(ip) | 0]
  const groups = ipv6Groups(ip)
  const word = (i: number): number => ((groups[2 * i] ?? 0) << 16) | (groups[2 * i + 1] ?? 0)
  return [word(0), word(1), word(2), word(3)]
}

/** Masks of a prefix length, in the same words. */
export function maskWords(length: number, family: Family): AddressWords {
  const word = (bits: number): number => (bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits))
  if (family === 'ipv4') return [0, 0, 0, word(length)]
  return [word(length), word(length - 32), word(length - 64), word(length - 96)]
}

function visiblePayload(payload: IpPayload): Facts['payload'] {
  if (payload.kind !== 'fragment') return payload
  return payload.offset === 0 ? visiblePayload(payload.whole.payload) : undefined
}
