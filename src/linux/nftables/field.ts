import { protocolName } from '../../artefact/iptables/protocol.ts'
import { formatMark, symbols } from '../../artefact/nft/datatype.ts'
import type { NftField } from '../../artefact/nft/expression.ts'
import { packetLength } from '../../packet/length.ts'
import { isDstNat, isSrcNat } from '../conntrack/connection.ts'
import type { Facts } from '../netfilter/facts.ts'
import { icmpNumbers } from '../netfilter/icmp-test.ts'

/** The canonical text of what the packet has there; undefined: it has no such thing, and the rule is left. */
export function fieldText(field: NftField, f: Facts): string | undefined {
  const { packet } = f.skb
  switch (field) {
    case 'ip saddr':
      return f.family === 'ipv4' ? packet.src : undefined
    case 'ip daddr':
      return f.family === 'ipv4' ? packet.dst : undefined
    case 'ip6 saddr':
      return f.family === 'ipv6' ? packet.src : undefined
    case 'ip6 daddr':
      return f.family === 'ipv6' ? packet.dst : undefined
    case 'ip protocol':
      return f.family === 'ipv4' ? protocolName(f.protocol) : undefined
    case 'ip6 nexthdr':
      return f.family === 'ipv6' ? protocolName(f.protocol) : undefined
    case 'ip ttl':
      return f.family === 'ipv4' ? String(packet.ttl) : undefined
    case 'ip6 hoplimit':
      return f.family === 'ipv6' ? String(packet.ttl) : undefined
    case 'ip length':
      return f.family === 'ipv4' ? String(packetLength(packet)) : undefined
    case 'ip id':
      return f.family === 'ipv4' ? String(packet.id) : undefined
    case 'tcp sport':
      return port('tcp', f, f.srcPort)
    case 'tcp dport':
      return port('tcp', f, f.dstPort)
    case 'udp sport':
      return port('udp', f, f.srcPort)
    case 'udp dport':
      return port('udp', f, f.dstPort)
    case 'sctp sport':
      return port('sctp', f, f.srcPort)
    case 'sctp dport':
      return port('sctp', f, f.dstPort)
    case 'th sport':
      return f.srcPort < 0 ? undefined : String(f.srcPort)
    case 'th dport':
      return f.dstPort < 0 ? undefined : String(f.dstPort)
    case 'tcp flags':
      return namesOf('tcp_flag', f.payload?.kind === 'tcp' ? f.payload.flags : undefined)
    case 'icmp type':
    case 'icmpv6 type':
      return named(field === 'icmp type' ? 'icmp_type' : 'icmpv6_type', icmpOf(field.startsWith('icmpv6'), f)?.type)
    case 'icmp code':
    case 'icmpv6 code':
      return named(field === 'icmp code' ? 'icmp_code' : 'icmpv6_code', icmpOf(field.startsWith('icmpv6'), f)?.code)
    case 'ether saddr':
      return f.skb.sourceMac
    case 'meta l4proto':
      return protocolName(f.protocol)
    case 'meta nfproto':
      return f.family
    case 'meta protocol':
      return f.family === 'ipv4' ? 'ip' : 'ip6'
    case 'meta mark':
      return formatMark(f.skb.mark)
    case 'meta length':
      return String(packetLength(packet))
    case 'meta pkttype':
      return f.skb.packetType === 'otherhost' ? 'other' : f.skb.packetType === 'outgoing' ? 'host' : f.skb.packetType
    case 'iif':
    case 'iifname':
      return f.in ?? (field === 'iifname' ? '' : undefined)
    case 'oif':
    case 'oifname':
      return f.out ?? (field === 'oifname' ? '' : undefined)
    case 'ct state':
      return (f.skb.ctinfo?.state ?? 'INVALID').toLowerCase()
    case 'ct status':
      return namesOf('ct_status', statusBits(f))
    case 'ct direction':
      return f.skb.ctinfo && 'direction' in f.skb.ctinfo ? f.skb.ctinfo.direction : undefined
    case 'ct mark':
      return f.skb.connection && formatMark(f.skb.connection.mark)
    case 'ct original ip saddr':
    case 'ct original ip6 saddr':
      return original(field, f, f.skb.connection?.original.src)
    case 'ct original ip daddr':
    case 'ct original ip6 daddr':
      return original(field, f, f.skb.connection?.original.dst)
    case 'ct original protocol':
      return f.skb.connection && protocolName(f.skb.connection.original.protocol)
    case 'ct original proto-src':
      return f.skb.connection && String(f.skb.connection.original.srcPort)
    case 'ct original proto-dst':
      return f.skb.connection && String(f.skb.connection.original.dstPort)
  }
}

const port = (protocol: string, f: Facts, value: number): string | undefined =>
  f.payload?.kind === protocol && value >= 0 ? String(value) : undefined

const original = (field: NftField, f: Facts, address: string | undefined): string | undefined =>
  field.includes(' ip6 ') === (f.family === 'ipv6') ? address : undefined

/** The bits of a field of a flag type. */
export function fieldBits(field: NftField, f: Facts): number | undefined {
  switch (field) {
    case 'ct state':
      return symbols.ct_state[(f.skb.ctinfo?.state ?? 'INVALID').toLowerCase() as keyof typeof symbols.ct_state]
    case 'ct status':
      return statusBits(f)
    case 'tcp flags':
      return f.payload?.kind === 'tcp' ? f.payload.flags : undefined
    default: {
      const text = fieldText(field, f)
      return text === undefined || !/^(\d+|0x[0-9a-f]+)$/.test(text) ? undefined : Number(text)
    }
  }
}

function statusBits({ skb: { connection: c } }: Facts): number | undefined {
  if (!c) return undefined
  const { ct_status: bit } = symbols
  return (
    (c.seenReply ? bit['seen-reply'] : 0) |
    (c.assured ? bit.assured : 0) |
    (c.confirmed ? bit.confirmed : 0) |
    (isSrcNat(c) ? bit.snat : 0) |
    (isDstNat(c) ? bit.dnat : 0)
  )
}

function namesOf(type: 'ct_status' | 'tcp_flag', bits: number | undefined): string | undefined {
  if (bits === undefined) return undefined
  const names: Readonly<Record<string, number>> = symbols[type]
  return Object.keys(names)
    .filter((name) => bits & (names[name] ?? 0))
    .join(',')
}

type Named = 'icmp_type' | 'icmpv6_type' | 'icmp_code' | 'icmpv6_code'

function named(type: Named, value: number | undefined): string | undefined {
  if (value === undefined) return undefined
  const names: Readonly<Record<string, number>> = symbols[type]
  return Object.keys(names).find((name) => names[name] === value) ?? String(value)
}

/** Type and code of an ICMP message of the family. */
function icmpOf(v6: boolean, f: Facts): { readonly type: number; readonly code: number } | undefined {
  if (f.payload?.kind !== 'icmp' || (f.family === 'ipv6') !== v6) return undefined
  return icmpNumbers(f.payload.message, f.family)
}
