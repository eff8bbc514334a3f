import type { Family, Ip } from '../../net/ip.ts'
import type { Mac } from '../../net/mac.ts'
import type { Prefix } from '../../net/prefix.ts'
import type { Origin } from '../origin.ts'

export type TableName = 'raw' | 'mangle' | 'nat' | 'filter' | 'security'
export type BuiltinChain = 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING'

/** The rules of one family, as one `iptables-save` prints them. Tables stand in the order in which they are printed. */
export interface Ruleset {
  readonly family: Family
  readonly tables: readonly Table[]
}

export interface Table {
  readonly name: TableName
  /** Built-in chains first in hook order, then the others by name: the order of iptables-save. */
  readonly chains: readonly Chain[]
}

export interface Chain {
  readonly name: string
  /** Only built-in chains have one. */
  readonly policy?: 'ACCEPT' | 'DROP'
  readonly rules: readonly Rule[]
}

/**
 * One rule. The first five matches are the packet's own and are printed first, in this order, whatever order they were
 * given in (iptables-save); extension matches keep theirs.
 */
export interface Rule {
  readonly source?: Negatable<Prefix>
  readonly destination?: Negatable<Prefix>
  readonly inInterface?: Negatable<string>
  readonly outInterface?: Negatable<string>
  /** As iptables-save prints it: a name of /etc/protocols (`tcp`, `ipencap`, `ipv6-icmp`), else a decimal number. */
  readonly protocol?: Negatable<string>
  /** `-f`: second and further fragments. */
  readonly fragment?: Negatable<true>
  readonly matches: readonly Match[]
  /** Absent: the rule only counts. */
  readonly target?: Target
  /** `-c`, or the counters of `iptables-save -c`. */
  readonly counters?: { readonly packets: number; readonly bytes: number }
  readonly origin?: Origin
}

/** `not`: the option was preceded by `!`. Interface names may end in `+`. */
export interface Negatable<T> {
  readonly not?: true
  readonly value: T
}

export interface PortRange {
  readonly from: number
  readonly to: number
}

export type ConntrackState = 'INVALID' | 'NEW' | 'ESTABLISHED' | 'RELATED' | 'UNTRACKED' | 'SNAT' | 'DNAT'
export type AddressType =
  | 'UNSPEC'
  | 'UNICAST'
  | 'LOCAL'
  | 'BROADCAST'
  | 'ANYCAST'
  | 'MULTICAST'
  | 'BLACKHOLE'
  | 'UNREACHABLE'
  | 'PROHIBIT'

export type Match =
  | { readonly kind: 'comment'; readonly text: string }
  | {
      readonly kind: 'tcp'
      readonly sport?: Negatable<PortRange>
      readonly dport?: Negatable<PortRange>
      /** `--tcp-flags MASK COMP`; `--syn` is FIN,SYN,RST,ACK SYN. Bits of `tcpFlag`. */
      readonly flags?: Negatable<{ readonly mask: number; readonly set: number }>
    }
  | { readonly kind: 'udp' | 'sctp'; readonly sport?: Negatable<PortRange>; readonly dport?: Negatable<PortRange> }
  /** Code undefined: any. Type 255 is `any` for IPv4. */
  | {
      readonly kind: 'icmp' | 'icmp6'
      readonly icmpType: Negatable<{ readonly type: number; readonly code: number | undefined }>
    }
  | {
      readonly kind: 'multiport'
      readonly side: 'source' | 'destination' | 'either'
      readonly ports: Negatable<readonly PortRange[]>
    }
  | {
      readonly kind: 'conntrack'
      readonly state?: Negatable<readonly ConntrackState[]>
      readonly protocol?: Negatable<string>
      readonly origSrc?: Negatable<Prefix>
      readonly origDst?: Negatable<Prefix>
      readonly replSrc?: Negatable<Prefix>
      readonly replDst?: Negatable<Prefix>
      readonly origDstPort?: Negatable<PortRange>
      readonly origSrcPort?: Negatable<PortRange>
      readonly direction?: 'ORIGINAL' | 'REPLY'
    }
  /** The older `-m state`. */
  | { readonly kind: 'state'; readonly state: Negatable<readonly ConntrackState[]> }
  | { readonly kind: 'mark' | 'connmark'; readonly mark: Negatable<MaskedValue> }
  | {
      readonly kind: 'addrtype'
      readonly srcType?: Negatable<readonly AddressType[]>
      readonly dstType?: Negatable<readonly AddressType[]>
      readonly limitIfaceIn?: true
      readonly limitIfaceOut?: true
    }
  /** `probability` is kept as the kernel keeps it: parts of 2^31 (xt_statistic). */
  | { readonly kind: 'statistic'; readonly mode: 'random'; readonly probability: Negatable<number> }
  | { readonly kind: 'statistic'; readonly mode: 'nth'; readonly every: Negatable<number>; readonly packet: number }
  | {
      readonly kind: 'recent'
      readonly op: Negatable<'set' | 'rcheck' | 'update' | 'remove'>
      readonly seconds?: number
      readonly hitcount?: number
      readonly reap?: true
      /** The TTL must be that of the packet that made the entry. */
      readonly rttl?: true
      readonly name: string
      readonly mask: Ip
      readonly side: 'source' | 'destination'
    }
  | { readonly kind: 'set'; readonly set: Negatable<string>; readonly directions: readonly ('src' | 'dst')[] }
  | {
      readonly kind: 'physdev'
      readonly in?: Negatable<string>
      readonly out?: Negatable<string>
      readonly isIn?: Negatable<true>
      readonly isOut?: Negatable<true>
      readonly isBridged?: Negatable<true>
    }
  | {
      readonly kind: 'rpfilter'
      readonly loose?: true
      readonly validmark?: true
      readonly acceptLocal?: true
      readonly invert?: true
    }
  | { readonly kind: 'mac'; readonly source: Negatable<Mac> }
  | { readonly kind: 'iprange'; readonly src?: Negatable<IpRange>; readonly dst?: Negatable<IpRange> }
  | { readonly kind: 'nfacct'; readonly name: string }
  | {
      readonly kind: 'ipvs'
      readonly vproto?: Negatable<string>
      readonly vaddr?: Negatable<Prefix>
      readonly vport?: Negatable<number>
      readonly vdir?: 'ORIGINAL' | 'REPLY'
    }
  | { readonly kind: 'pkttype'; readonly type: Negatable<'unicast' | 'broadcast' | 'multicast'> }
  | { readonly kind: 'limit'; readonly average: string; readonly burst: number }
  /** Kept as it stood. A packet that reaches it makes the verdict undecided. */
  | { readonly kind: 'unknown'; readonly module: string; readonly text: string }

export interface IpRange {
  readonly from: Ip
  readonly to: Ip
}

/** Unsigned 32-bit value under a mask. */
export interface MaskedValue {
  readonly value: number
  readonly mask: number
}

/** Address and port range of a NAT target; each part may be absent. */
export interface NatRange {
  readonly address?: IpRange
  readonly ports?: PortRange
}

export type Target =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  /** `with`: the text of `--reject-with`. */
  | { readonly kind: 'reject'; readonly with: string }
  | { readonly kind: 'dnat'; readonly to: NatRange; readonly random?: true; readonly persistent?: true }
  | {
      readonly kind: 'snat'
      readonly to: NatRange
      readonly random?: true
      readonly randomFully?: true
      readonly persistent?: true
    }
  | { readonly kind: 'masquerade'; readonly ports?: PortRange; readonly random?: true; readonly randomFully?: true }
  | { readonly kind: 'redirect'; readonly ports?: PortRange; readonly random?: true }
  /** mark = (mark & ~mask) ^ value: `--set-xmark`. */
  | { readonly kind: 'mark'; readonly xmark: MaskedValue }
  | {
      readonly kind: 'connmark'
      readonly op:
        | { readonly kind: 'set'; readonly xmark: MaskedValue }
        | { readonly kind: 'save' | 'restore'; readonly nfmask: number; readonly ctmask: number }
    }
  | { readonly kind: 'notrack' }
  | { readonly kind: 'ct'; readonly notrack?: true; readonly zone?: number; readonly helper?: string }
  | { readonly kind: 'log' | 'nflog' | 'trace' | 'checksum' | 'tcpmss'; readonly text: string }
  | {
      readonly kind: 'set-add' | 'set-del'
      readonly set: string
      readonly directions: readonly ('src' | 'dst')[]
      readonly exist?: true
    }
  /** Kept as it stood. A packet that reaches it makes the verdict undecided. */
  | { readonly kind: 'unknown'; readonly name: string; readonly text: string }

/** The built-in chains of each table, in hook order (iptables 1.8, legacy and nft alike). */
export const builtinChains = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  security: ['INPUT', 'FORWARD', 'OUTPUT'],
} as const satisfies Record<TableName, readonly BuiltinChain[]>

/** The order in which iptables-nft-save prints tables. */
export const tableOrder: readonly TableName[] = ['mangle', 'security', 'raw', 'filter', 'nat']

export const emptyRuleset = (family: Family): Ruleset => ({ family, tables: [] })
