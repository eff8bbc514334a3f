/** What is said to the observer, and what it answers: one JSON line each. */
export type ObserverMessage =
  | { readonly do: 'hello' }
  | { readonly do: 'build'; readonly script: string }
  | { readonly do: 'observe'; readonly spaces: Readonly<Record<string, SpaceWatch>> }
  | { readonly do: 'restore'; readonly netns: string; readonly family: 'ipv4' | 'ipv6'; readonly rules: string }
  /** Lines for `ipvsadm -R`. */
  | { readonly do: 'servers'; readonly netns: string; readonly lines: string }
  /** Rules of nft, each with its 1-based place in its chain, in place of those that stand there. */
  | {
      readonly do: 'replace'
      readonly netns: string
      readonly rules: readonly (readonly [family: string, table: string, chain: string, n: number, rule: string])[]
    }
  | ProbeMessage

export interface SpaceWatch {
  /** Families of nft (`ip`, `ip6`) whose rules are traced; none where there are no rules. */
  readonly trace: readonly ('ip' | 'ip6')[]
  /** Whether the packets that each rule of iptables matched are counted: where there is no trace. */
  readonly count: boolean
  readonly listen: readonly (readonly [protocol: string, address: string | null, port: number])[]
  readonly tunnels: readonly TunnelWatch[]
  /** Words of `conntrack -I`, one list for each connection that is known before a probe. */
  readonly connections: readonly (readonly string[])[]
  /** Sets of nft that packets add to, `ip kube-proxy affinity-x`: emptied before each probe. */
  readonly learning: readonly string[]
}

/** A TUN device whose packets go to peers as datagrams, and back. */
export interface TunnelWatch {
  readonly device: string
  /** The device's own address: errors come from it. */
  readonly address: string
  readonly local: string
  readonly port: number
  readonly peers: readonly { readonly subnet: string; readonly address: string; readonly port: number }[]
}

export interface ProbeMessage {
  readonly do: 'probe'
  readonly netns: string
  readonly protocol: 'tcp' | 'udp' | 'icmp'
  readonly dst: string
  readonly srcPort: number
  readonly dstPort: number
  readonly ttl: number
  readonly df: boolean
  /** Bytes of payload. */
  readonly size: number
  /** Seconds without any packet after which the probe is over: once the outcome is known, and while it is not. */
  readonly settled: number
  readonly quiet: number
  readonly limit: number
}

export interface Hello {
  readonly missing: readonly string[]
  readonly kernel: string
  readonly iptables: string
  /** Why rules of nft cannot be loaded; null where they can. */
  readonly nft: string | null
  /** Why there is no IPVS; null where there is. */
  readonly ipvs: string | null
  /** Whether the tool `conntrack` is there. */
  readonly conntrack: boolean
  /** Kinds of device that this kernel cannot make. */
  readonly kinds: readonly string[]
}

export interface Done {
  readonly ok: boolean
  readonly error: string
}

export interface ObserveReply {
  readonly problems: Readonly<Record<string, readonly string[]>>
}

export interface Failed {
  readonly failed: string
}

export interface ProbeReply {
  readonly protocol?: string
  readonly result: {
    readonly sent?: string
    readonly answer?: number
    readonly error?: string
    readonly icmp?: {
      readonly errno: string
      readonly type: number
      readonly code: number
      readonly info: number
      readonly from: string | null
    }
  }
  readonly served: readonly {
    readonly netns: string
    readonly local: string
    readonly localPort: number
    readonly peer: string
    readonly peerPort: number
  }[]
  readonly packets: readonly {
    readonly at: number
    readonly netns: string
    readonly device: string
    /** PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST, PACKET_OUTGOING. */
    readonly type: number
    readonly hardware: number
    readonly bytes: string
  }[]
  readonly trace: readonly TraceMessage[]
  readonly connections: Readonly<Record<string, readonly ConnectionMessage[]>>
  /** By namespace, of those whose rules are counted: rules of IPv4 that matched, each with its 1-based place in its chain. */
  readonly matched: Readonly<Record<string, readonly CountMessage[]>>
}

export type CountMessage = readonly [table: string, chain: string, place: number, packets: number]

export interface TraceMessage {
  readonly netns: string
  readonly lost?: boolean
  /** Of nft: `ip`, `ip6`, `inet`. */
  readonly family?: string
  readonly table?: string
  readonly chain?: string
  readonly kind?: 'policy' | 'return' | 'rule' | 'other'
  readonly verdict?: string
  readonly policy?: string
  readonly id?: string
  readonly index?: number
  readonly network?: string
  readonly transport?: string
  readonly in?: string | null
  readonly out?: string | null
}

export interface ConnectionMessage {
  readonly original: TupleMessage
  readonly reply: TupleMessage
  readonly unreplied: boolean
}

export interface TupleMessage {
  readonly src: string
  readonly dst: string
  readonly srcPort: number
  readonly dstPort: number
  readonly protocol: number
}
