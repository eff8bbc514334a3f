import type { Rule, TableName } from '../artefact/iptables/rule.ts'
import type { IpvsServer, IpvsService } from '../artefact/ipvs.ts'
import type { DeviceName } from '../artefact/link.ts'
import type { FdbEntry, Neighbour } from '../artefact/netns.ts'
import type { NftRule } from '../artefact/nft/ruleset.ts'
import type { NftElement } from '../artefact/nft/value.ts'
import type { Origin } from '../artefact/origin.ts'
import type { Route } from '../artefact/route.ts'
import type { Ip } from '../net/ip.ts'
import type { Mac } from '../net/mac.ts'
import type { Arp, Frame, IpPacket } from '../packet/packet.ts'
import type { Direction, Tuple } from './conntrack/connection.ts'
import type { Hook, Stage } from './netfilter/hook.ts'

/** What happened inside one network namespace. Which namespace, the listener knows. */
export type LinuxEvent =
  | DeviceEvent
  | BridgeEvent
  | TunnelEvent
  | FibEvent
  | NeighbourEvent
  | NetfilterEvent
  | ConntrackEvent
  | SocketEvent
  | IcmpEvent
  | DropEvent

/** A frame seen at a device, as a packet socket would see it. `packet` alone where the device has no Ethernet header. */
export type DeviceEvent =
  | {
      readonly kind: 'receive'
      readonly device: DeviceName
      readonly frame?: Frame
      readonly packet?: IpPacket
      readonly addressed: 'host' | 'broadcast' | 'multicast' | 'otherhost'
    }
  | { readonly kind: 'transmit'; readonly device: DeviceName; readonly frame?: Frame; readonly packet?: IpPacket }
  | {
      readonly kind: 'mtu'
      readonly device: DeviceName
      readonly mtu: number
      readonly length: number
      readonly outcome: 'too-big' | 'fragmented'
    }

export type BridgeEvent =
  | { readonly kind: 'bridge-learn'; readonly bridge: DeviceName; readonly port: DeviceName; readonly mac: Mac }
  /** Up to the bridge's own IP stack. */
  | { readonly kind: 'bridge-local'; readonly bridge: DeviceName; readonly port: DeviceName; readonly frame: Frame }
  | {
      readonly kind: 'bridge-forward'
      readonly bridge: DeviceName
      readonly from: DeviceName | undefined
      readonly to: readonly DeviceName[]
      /** Which look-up decided: a table entry, or none (flooded). */
      readonly by: 'fdb' | 'flood'
      readonly frame: Frame
    }

export type TunnelEvent =
  | { readonly kind: 'vxlan-fdb'; readonly device: DeviceName; readonly entry: FdbEntry | undefined; readonly mac: Mac }
  | {
      readonly kind: 'encapsulate'
      readonly device: DeviceName
      readonly form: 'vxlan' | 'ipip'
      readonly inner: IpPacket
      readonly outer: IpPacket
      readonly overhead: number
      readonly vni?: number
    }
  | {
      readonly kind: 'decapsulate'
      readonly device: DeviceName
      readonly form: 'vxlan' | 'ipip'
      readonly inner: IpPacket
      readonly outer: IpPacket
      readonly vni?: number
    }

export type FibEvent =
  | {
      readonly kind: 'route'
      readonly purpose: 'output' | 'input' | 'forward' | 'reroute' | 'icmp' | 'tunnel'
      readonly packet: {
        readonly src: Ip | undefined
        readonly dst: Ip
        readonly mark: number
        readonly iif: DeviceName | undefined
      }
      readonly result: RouteOutcome
    }
  /** `-vv`: prefixes that were compared, longest first. */
  | { readonly kind: 'route-candidates'; readonly candidates: readonly Route[] }
  | { readonly kind: 'sysctl'; readonly key: string; readonly value: string; readonly effect: string }

export type RouteOutcome =
  | {
      readonly kind: 'unicast'
      readonly route: Route
      readonly device: DeviceName
      readonly nexthop: Ip
      /** Source address that a locally made packet gets. */
      readonly prefSrc: Ip | undefined
    }
  | { readonly kind: 'local'; readonly route: Route; readonly device: DeviceName }
  | { readonly kind: 'broadcast' | 'multicast'; readonly device: DeviceName }
  | { readonly kind: 'blackhole' | 'unreachable' | 'prohibit'; readonly route: Route }
  | { readonly kind: 'none' }

export type NeighbourEvent =
  | { readonly kind: 'neighbour'; readonly device: DeviceName; readonly ip: Ip; readonly entry: Neighbour }
  /** No entry: the packet waits while the question goes out. */
  | { readonly kind: 'neighbour-wait'; readonly device: DeviceName; readonly ip: Ip }
  | { readonly kind: 'neighbour-failed'; readonly device: DeviceName; readonly ip: Ip; readonly probes: number }
  | { readonly kind: 'neighbour-learned'; readonly device: DeviceName; readonly ip: Ip; readonly mac: Mac }
  | {
      readonly kind: 'arp'
      readonly device: DeviceName
      readonly arp: Arp
      readonly answered: 'own-address' | 'proxy' | 'no'
      readonly because?: string
    }

export type NetfilterEvent =
  /** A base chain, or a stage without rules, begins. */
  | {
      readonly kind: 'stage'
      readonly hook: Hook
      /** `nftables`: a base chain of it, which `chain` names: `ip kube-proxy nat-prerouting`. */
      readonly stage: Stage | 'nftables'
      readonly chain?: string
      readonly packet: IpPacket
      readonly mark: number
      readonly in: DeviceName | undefined
      readonly out: DeviceName | undefined
      readonly bridged: boolean
    }
  /** A rule matched. */
  | {
      readonly kind: 'rule'
      readonly engine?: never
      readonly hook: Hook
      readonly table: TableName
      readonly chain: string
      /** 1-based. */
      readonly index: number
      readonly rule: Rule
      /** Rules of this chain compared since the chain was entered or last reported, this one included. */
      readonly examined: number
      readonly verdict: RuleVerdict
    }
  | {
      readonly kind: 'rule'
      readonly engine: 'nftables'
      readonly hook: Hook
      /** Family and name: `ip kube-proxy`. */
      readonly table: string
      readonly chain: string
      /** 1-based. */
      readonly index: number
      readonly rule: NftRule
      readonly examined: number
      readonly verdict: RuleVerdict
      /** The element of a verdict map that gave the verdict. */
      readonly element?: NftElement
      /** The rule left something behind: a mark, an element of a set. */
      readonly changed?: true
    }
  /** A rule did not match; only told to listeners that asked for every rule. */
  | {
      readonly kind: 'rule-miss'
      readonly engine?: never
      readonly hook: Hook
      readonly table: TableName
      readonly chain: string
      readonly index: number
      readonly rule: Rule
      readonly failed: string
    }
  | {
      readonly kind: 'rule-miss'
      readonly engine: 'nftables'
      readonly hook: Hook
      readonly table: string
      readonly chain: string
      readonly index: number
      readonly rule: NftRule
      readonly failed: string
    }
  /** The chain ran out of rules. */
  | {
      readonly kind: 'chain-end'
      readonly engine?: 'nftables'
      readonly hook: Hook
      readonly table: string
      readonly chain: string
      readonly examined: number
      readonly outcome: 'return' | 'policy-accept' | 'policy-drop'
    }
  | {
      readonly kind: 'choice'
      readonly engine?: never
      readonly table: TableName
      readonly chain: string
      readonly index: number
      readonly taken: boolean
      readonly numerator: number
    }
  /** `numgen random`: the number drawn, of so many. */
  | {
      readonly kind: 'choice'
      readonly engine: 'nftables'
      readonly table: string
      readonly chain: string
      readonly index: number
      readonly option: number
      readonly options: number
    }
  | { readonly kind: 'mark'; readonly before: number; readonly after: number }
  /** IPVS took the packet of a client; the rewrite follows as `nat`. */
  | {
      readonly kind: 'ipvs'
      readonly hook: Hook
      readonly service: IpvsService
      readonly server: IpvsServer | undefined
      readonly outcome: 'scheduled' | 'persistent' | 'established' | 'no-server'
    }
  /** The header was rewritten: by a new mapping, or by the mapping of a known connection. */
  | {
      readonly kind: 'nat'
      readonly hook: Hook
      readonly manip: 'src' | 'dst'
      readonly before: IpPacket
      readonly after: IpPacket
      readonly why: 'new' | 'established' | 'reply' | 'icmp-error'
      readonly connection: number
    }
  | { readonly kind: 'verdict'; readonly hook: Hook; readonly verdict: 'accept' | 'drop' | 'reject' | 'undecided' }

/** What the packet does next. */
export type RuleVerdict = 'accept' | 'drop' | 'reject' | 'return' | 'jump' | 'goto' | 'continue' | 'undecided'

export type ConntrackEvent =
  | {
      readonly kind: 'conntrack'
      readonly hook: Hook
      readonly state: 'NEW' | 'ESTABLISHED' | 'RELATED' | 'INVALID' | 'UNTRACKED'
      readonly direction?: Direction
      readonly connection?: number
      readonly why?: string
    }
  | { readonly kind: 'conntrack-confirm'; readonly connection: number; readonly original: Tuple; readonly reply: Tuple }
  | { readonly kind: 'conntrack-clash'; readonly tuple: Tuple }
  | { readonly kind: 'conntrack-destroy'; readonly connection: number; readonly why: string }

export type SocketEvent =
  | { readonly kind: 'socket-send'; readonly packet: IpPacket; readonly owner: string }
  | { readonly kind: 'socket-receive'; readonly packet: IpPacket; readonly owner: string; readonly listening: boolean }
  | {
      readonly kind: 'socket-none'
      readonly packet: IpPacket
      readonly answer: 'rst' | 'port-unreachable' | 'abort' | 'none'
    }
  | { readonly kind: 'socket-error'; readonly errno: Errno; readonly owner: string; readonly why: string }

/** Errors that a system call returns to the sender. */
export type Errno =
  | 'ENETUNREACH'
  | 'EHOSTUNREACH'
  | 'EACCES'
  | 'EINVAL'
  | 'EPERM'
  | 'EMSGSIZE'
  | 'ECONNREFUSED'
  | 'EADDRNOTAVAIL'
  | 'ENOPROTOOPT'
  | 'EPROTO'

export type IcmpEvent = {
  readonly kind: 'icmp-send'
  readonly packet: IpPacket
  /** What it answers. */
  readonly about: IpPacket
  readonly why: string
  /** Undefined when it went out; otherwise why the kernel kept silent. */
  readonly suppressed?: string
}

/** The packet ends here. */
export interface DropEvent {
  readonly kind: 'drop'
  readonly reason: DropReason
  readonly packet: IpPacket | undefined
  readonly device?: DeviceName
  readonly hook?: Hook
  /** Of nftables: `ip kube-proxy`. */
  readonly table?: string
  readonly chain?: string
  readonly index?: number
  readonly rule?: Rule
  readonly nftRule?: NftRule
  /** Of an element of a verdict map, where that says more than the rule does. */
  readonly origin?: Origin
  /** One sentence with the values that decided. */
  readonly detail: string
}

/** Why a packet ended, in the kernel's own terms. `trace` turns some of them into what they mean in a cluster. */
export type DropReason =
  | 'rule-drop'
  | 'rule-reject'
  | 'policy-drop'
  | 'unsupported-rule'
  | 'no-route'
  | 'blackhole-route'
  | 'unreachable-route'
  | 'prohibit-route'
  | 'ip-forward-off'
  | 'rp-filter'
  | 'martian-source'
  | 'martian-destination'
  | 'ttl-expired'
  | 'mtu-exceeded-df'
  | 'neigh-missing'
  | 'fdb-missing'
  | 'link-down'
  | 'no-veth-peer'
  | 'not-enslaved'
  | 'bridge-hairpin-off'
  | 'bridge-port-isolated'
  | 'other-host'
  | 'vni-mismatch'
  | 'tunnel-peer-unknown'
  | 'not-listening'
  | 'unexpected-peer'
  | 'ct-table-full'
  | 'nat-no-port'
  /** NAT has no translation for it: no source address to masquerade with, a redirect of a translated connection. */
  | 'nat-failed'
  | 'reassembly-incomplete'
  | 'source-not-local'
  /** One input caused more inside the namespace than any packet can: a loop that nothing else ends. */
  | 'loop-limit'
