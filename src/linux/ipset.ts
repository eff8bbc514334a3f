import type { IpSet, IpSetMember } from '../artefact/ipset.ts'
import { familyOf, type Ip } from '../net/ip.ts'
import { formatPrefix, hostPrefix, networkOf, type Prefix, parsePrefix } from '../net/prefix.ts'
import { type IpPacket, protocolNumber } from '../packet/packet.ts'
import type { SetLookup } from './netfilter/state.ts'
import type { Skb } from './skb.ts'

type Side = 'src' | 'dst'

/** The sets of one namespace, ready to be asked (net/netfilter/xt_set.c). `SET` targets change them. */
export function createSets(sets: readonly IpSet[]): SetLookup {
  const ready = new Map(sets.map((set) => [set.name, readySet(set)]))
  return {
    test: (name, sides, skb) => {
      const set = ready.get(name)
      return set?.holds(set.keyOf(sides, skb.packet))
    },
    add: (name, sides, skb) => ready.get(name)?.change(sides, skb, true),
    remove: (name, sides, skb) => ready.get(name)?.change(sides, skb, false),
  }
}

/** What a packet has for each dimension of a set: addresses, and ports as `tcp:80`. Undefined: it has none. */
type Key = readonly (Ip | string)[] | undefined

interface ReadySet {
  keyOf(sides: readonly Side[], packet: IpPacket): Key
  holds(key: Key): boolean
  change(sides: readonly Side[], skb: Skb, add: boolean): void
}

type Dimension = 'ip' | 'net' | 'port'

function readySet(set: IpSet): ReadySet {
  const dimensions = set.type.replace(/^(hash|bitmap):/, '').split(',') as readonly Dimension[]
  const bitmap = set.type.startsWith('bitmap')
  /** By text of the members, nets as prefixes; and the prefix lengths in use, for each dimension of nets. */
  const members = new Map<string, boolean>()
  const lengths = dimensions.map(() => new Set<number>())
  const put = ({ text, nomatch }: IpSetMember): void => {
    const parts = dimensions.length === 1 ? [text] : text.split(',')
    const key = parts.map((part, i) => memberPart(part, dimensions[i] ?? 'ip', lengths[i])).join(',')
    members.set(key, nomatch !== true)
  }
  for (const member of set.members) put(member)
  return {
    keyOf: (sides, packet) => packetKey(set, dimensions, bitmap, sides, packet),
    holds: (key) => key !== undefined && (lookUp(members, dimensions, lengths, key) ?? false),
    change(sides, { packet }, add) {
      const key = packetKey(set, dimensions, bitmap, sides, packet)
      if (key === undefined) return
      const text = key
        .map((part, i) => (dimensions[i] === 'port' ? part : formatPrefix(hostPrefix(part as Ip))))
        .join(',')
      if (!add) members.delete(text)
      else put({ text })
    },
  }
}

/** One spelling: addresses as host prefixes, ports with their protocol in lower case. */
function memberPart(text: string, dimension: Dimension, lengths: Set<number> | undefined): string {
  if (dimension === 'port') return /^\d+$/.test(text) ? text : text.toLowerCase()
  const prefix: Prefix | undefined = parsePrefix(text)
  if (prefix === undefined) return text
  lengths?.add(prefix.length)
  return formatPrefix(prefix)
}

const protocolNames: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp', 1: 'icmp', 58: 'icmpv6' }

function packetKey(
  { family }: IpSet,
  dimensions: readonly Dimension[],
  bitmap: boolean,
  sides: readonly Side[],
  packet: IpPacket,
): Key {
  if (!bitmap && familyOf(packet.src) !== family) return undefined
  const parts = dimensions.map((dimension, i) => {
    const side = sides[i] ?? sides.at(-1) ?? 'src'
    if (dimension !== 'port') return side === 'src' ? packet.src : packet.dst
    const port = portOf(packet, side)
    if (port === undefined) return undefined
    return bitmap ? String(port) : `${protocolNames[protocolNumber(packet)] ?? protocolNumber(packet)}:${port}`
  })
  return parts.some((p) => p === undefined) ? undefined : (parts as readonly string[])
}

function portOf({ payload }: IpPacket, side: Side): number | undefined {
  if (payload.kind === 'fragment') {
    return payload.offset === 0 ? portOf(payload.whole, side) : undefined
  }
  return 'srcPort' in payload ? (side === 'src' ? payload.srcPort : payload.dstPort) : undefined
}

/** The longest net that holds the address decides; `nomatch` says that it is no member. */
function lookUp(
  members: ReadonlyMap<string, boolean>,
  dimensions: readonly Dimension[],
  lengths: readonly ReadonlySet<number>[],
  key: readonly string[],
  done: readonly string[] = [],
): boolean | undefined {
  const i = done.length
  const part = key[i]
  if (part === undefined) return members.get(done.join(','))
  if (dimensions[i] === 'port') return lookUp(members, dimensions, lengths, key, [...done, part])
  for (const length of [...(lengths[i] ?? [])].sort((a, b) => b - a)) {
    const found = lookUp(members, dimensions, lengths, key, [...done, formatPrefix(networkOf(part as Ip, length))])
    if (found !== undefined) return found
  }
  return undefined
}
