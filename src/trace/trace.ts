import type { Origin } from '../artefact/origin.ts'
import type { NetnsId } from '../cluster/machine.ts'
import type { ClusterEvent } from '../cluster/process.ts'
import type { Hook } from '../linux/netfilter/hook.ts'
import type { Ip } from '../net/ip.ts'
import type { Protocol } from '../net/port.ts'
import type { IpPacket } from '../packet/packet.ts'
import type { Captured } from './capture.ts'
import type { Fraction } from './fraction.ts'
import type { Journey } from './journey.ts'

/** What happened to one connection: the question, and every branch that chance could take. */
export interface Trace {
  readonly question: Question
  readonly model: Model
  /** Of all branches together. */
  readonly verdict: Verdict
  /** One branch was drawn or pinned, or every branch was asked for: then their probabilities add up to 1. */
  readonly explored: 'one' | 'all'
  /** At least one. */
  readonly branches: readonly Branch[]
  readonly notes: readonly Note[]
}

export interface Question {
  readonly from: EndView
  readonly to: EndView
  readonly protocol: Protocol
  /** The packet as it was first sent. */
  readonly packet: IpPacket
  /** Fields of the packet that nobody asked for, in the words of the trace: `source port`, `ttl`. */
  readonly assumed: readonly string[]
  readonly seed: number
}

/** One end, as it is named in a trace. */
export interface EndView {
  readonly kind: 'Pod' | 'Service' | 'Node' | 'Host' | 'Address' | 'Name'
  readonly namespace?: string
  readonly name: string
  readonly port?: number
  readonly address?: Ip
  readonly netns?: NetnsId
  readonly node?: string
}

/** Which data plane was worked out. */
export interface Model {
  readonly cni: string
  readonly proxy: string
  readonly kubeVersion: string
  readonly nodes: number
}

/** The fates of a packet, as its sender sees them. */
export type Result = 'delivered' | 'refused' | 'rejected' | 'dropped' | 'unreachable' | 'looped' | 'undecided'

export interface Verdict {
  readonly result: Result
  /** Undefined exactly when delivered. */
  readonly reason: ReasonCode | undefined
  /** Which direction failed; undefined when none did. */
  readonly failed: 'forward' | 'reply' | undefined
  /** One sentence, with names and numbers. */
  readonly sentence: string
  readonly place: VerdictPlace | undefined
  /** Some branches deliver and some do not. */
  readonly mixed?: true
}

export interface VerdictPlace {
  readonly netns: NetnsId
  readonly node?: string
  readonly hop?: number
  readonly device?: string
  readonly hook?: Hook
  readonly table?: string
  readonly chain?: string
  readonly index?: number
  readonly rule?: string
  readonly origin?: Origin
}

/** A closed list, each with its anchor in the documentation. */
export type ReasonCode =
  | 'policy-ingress'
  | 'policy-egress'
  | 'no-endpoints'
  | 'no-local-endpoints'
  | 'forward-policy-drop'
  | 'rule-drop'
  | 'rule-reject'
  | 'ct-invalid'
  | 'no-route'
  | 'blackhole-route'
  | 'unreachable-route'
  | 'prohibit-route'
  | 'neigh-missing'
  | 'fdb-missing'
  | 'link-down'
  | 'no-veth-peer'
  | 'bridge-hairpin-off'
  | 'bridge-port-isolated'
  | 'rp-filter'
  | 'ip-forward-off'
  | 'ttl-expired'
  | 'mtu-exceeded-df'
  | 'icmp-frag-needed-lost'
  | 'tunnel-port-blocked'
  | 'tunnel-peer-unknown'
  | 'proto-blocked'
  | 'martian-source'
  | 'martian-destination'
  | 'not-listening'
  | 'unexpected-peer'
  | 'ct-table-full'
  | 'ct-stale-endpoint'
  | 'other-host'
  | 'source-not-local'
  | 'loop'
  | 'no-answer'
  | 'unsupported-rule'

export interface Branch {
  readonly probability: Fraction
  readonly choices: readonly Choice[]
  readonly verdict: Verdict
  readonly legs: readonly Leg[]
  /** Where the request arrived. */
  readonly reached: Reached | undefined
  /** The address that the client sees as its peer. */
  readonly peerSeen: { readonly ip: Ip; readonly port: number | undefined } | undefined
  readonly sessions: readonly Session[]
  readonly cost: Cost
  /** In journey order. */
  readonly captured: readonly Captured[]
  readonly journey: Journey
}

/** A lot that was drawn on the way, and how often it falls so. */
export interface Choice {
  readonly table: string | undefined
  readonly chain: string | undefined
  readonly index: number | undefined
  readonly what: string
  readonly probability: Fraction
}

export interface Reached {
  readonly netns: NetnsId
  readonly name: string
  readonly kind: 'pod' | 'node' | 'host' | 'router' | 'load-balancer' | 'switch'
  readonly node?: string
  readonly address: Ip
  readonly port: number | undefined
  readonly owner: string
  /** What the server sees as its peer. */
  readonly source: { readonly ip: Ip; readonly port: number | undefined }
}

export interface Leg {
  readonly direction: 'forward' | 'reply'
  readonly hops: readonly Hop[]
}

/** A place on the way, and what was decided there. */
export interface Hop {
  /** One numbering for the whole journey. Wires have none. */
  readonly n: number | undefined
  readonly netns: NetnsId
  readonly node: string | undefined
  readonly place: Place
  readonly packetIn: IpPacket | undefined
  readonly packetOut: IpPacket | undefined
  readonly steps: readonly Step[]
}

export type Place =
  /** A whole namespace whose inside is of no interest: a pod, a host, a router. */
  | {
      readonly kind: 'machine'
      readonly machine: 'pod' | 'host' | 'router' | 'load-balancer' | 'node'
      readonly name: string
    }
  /** `portOf`: the bridge that it is a port of. `from`: the device whose packets it takes out of their tunnel. */
  | {
      readonly kind: 'device'
      readonly device: string
      readonly deviceKind: string
      readonly portOf?: string
      readonly from?: string
    }
  | { readonly kind: 'hook'; readonly hook: Hook }
  | { readonly kind: 'route' }
  | { readonly kind: 'wire'; readonly segment: string }

/** One event at a hop. `outer`: it concerns the packet that carries ours. `reason`: what a drop means in a cluster. */
export interface Step {
  readonly event: ClusterEvent
  readonly reason?: ReasonCode
  readonly outer?: true
  /** ARP or NDP that ran meanwhile, folded. */
  readonly resolved?: readonly ClusterEvent[]
}

export interface Session {
  readonly netns: NetnsId
  readonly id: number
  readonly original: string
  readonly reply: string
  readonly nat: readonly ('snat' | 'dnat')[]
}

export interface Cost {
  readonly rulesExamined: number
  readonly lookups: number
}

/** `brief`: said with -q as well. */
export interface Note {
  readonly level: 'info' | 'warning'
  readonly brief?: true
  readonly code: string
  readonly message: string
}
