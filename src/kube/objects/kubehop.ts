import type { KubeObject } from './meta.ts'

/** kubehop.dev/v1alpha1: what a dump can't say about the network that carries the nodes. */
export interface Underlay extends KubeObject {
  readonly kind: 'Underlay'
  readonly spec: UnderlaySpec
}

export interface UnderlaySpec {
  /** L2 segments. Default: one per subnet that node addresses suggest (/24, /64). */
  readonly segments?: readonly UnderlaySegment[]
  /** Routers between segments. Default: one that joins them all. */
  readonly routers?: readonly UnderlayRouter[]
  /** Hosts outside the cluster. The first is `external`. */
  readonly hosts?: readonly UnderlayHost[]
  /** Load balancers in front of Services of type LoadBalancer. Default: one that takes all their addresses. */
  readonly loadBalancers?: readonly UnderlayLoadBalancer[]
}

export interface UnderlaySegment {
  readonly name: string
  readonly cidr?: string
  readonly cidrs?: readonly string[]
  /** Nodes by name; a node without an entry joins the segment whose prefix holds its address. */
  readonly nodes?: readonly string[]
  readonly mtu?: number
  /** What the segment's switches drop: `udp/8472`, `proto/4`, `icmp`. */
  readonly blocks?: readonly string[]
}

export interface UnderlayRouter {
  readonly name: string
  /** Address per segment; default the first address of each segment's prefix. */
  readonly addresses?: Readonly<Record<string, string>>
  readonly segments?: readonly string[]
  readonly routes?: readonly { readonly to: string; readonly via: string }[]
  /** It speaks BGP, and tells each neighbour all that it knows: its segments, its routes, what others told it. */
  readonly bgp?: UnderlayRouterBgp
}

export interface UnderlayRouterBgp {
  readonly as: number
  /** Default: its first IPv4 address. */
  readonly routerId?: string
  readonly neighbors?: readonly UnderlayNeighbor[]
}

export interface UnderlayNeighbor {
  /** An address; or a CIDR block: every node with an address in it may call. */
  readonly address: string
  /** Default: the router's own. */
  readonly as?: number
  /** The router reflects to it the routes of its own AS (RFC 4456). Default false. */
  readonly reflectorClient?: boolean
}

export interface UnderlayHost {
  readonly name: string
  readonly segment?: string
  readonly address: string
  /** Ports that something listens on: `tcp/443`. */
  readonly listens?: readonly string[]
}

export interface UnderlayLoadBalancer {
  readonly name: string
  /** CIDR blocks or single addresses: the ingress addresses that it takes. Default: those that no other takes. */
  readonly addresses?: readonly string[]
  /**
   * `preserve` (default): the packet reaches a node as it was, and the answer goes past the balancer. `proxy`: it goes to
   * the node port from the balancer's own address. An ingress entry with ipMode Proxy is always proxied.
   */
  readonly mode?: 'preserve' | 'proxy'
}

/** kubehop.dev/v1alpha1: artefacts of one node in native text, merged over what is rendered or in its place. */
export interface NodeState extends KubeObject {
  readonly kind: 'NodeState'
  readonly spec: NodeStateSpec
}

export interface NodeStateSpec {
  /** The node. Default: metadata.name. */
  readonly node?: string
  /** `merge` (default) adds to what is rendered, `replace` takes its place, for each artefact given below. */
  readonly mode?: 'merge' | 'replace'
  /** Lines of `sysctl -a`: `net.ipv4.ip_forward = 0`. */
  readonly sysctl?: string
  /** iptables-save text; with `merge` as `iptables-restore --noflush` would take it. */
  readonly iptables?: string
  readonly ip6tables?: string
  /** `nft list ruleset`, or a script for `nft -f`. */
  readonly nftables?: string
  /** `ipset save`: a set takes the place of one of its name. */
  readonly ipset?: string
  /** `ipvsadm-save -n`, or `ipvsadm -Ln`: a virtual service takes the place of one of its address and port. */
  readonly ipvs?: string
  readonly routes?: string
  readonly rules?: string
  readonly neighbours?: string
  readonly fdb?: string
  readonly links?: string
  readonly addresses?: string
  readonly conntrack?: string
  /** Entries to take away, in the same native text. */
  readonly remove?: {
    readonly routes?: string
    readonly neighbours?: string
    readonly fdb?: string
    readonly iptables?: string
    readonly ip6tables?: string
  }
}

/** kubehop.dev/v1alpha1: assertions about connections. */
export interface Expectation extends KubeObject {
  readonly kind: 'Expectation'
  readonly spec: { readonly expect: readonly ExpectedConnection[] }
}

export interface ExpectedConnection {
  readonly name?: string
  readonly from: string
  readonly to: string
  readonly protocol?: 'tcp' | 'udp' | 'sctp' | 'icmp'
  readonly backend?: string | number
  readonly seed?: number
  /** Bytes of the IP packet: of a TCP connection, of its first segment of data. */
  readonly size?: number
  /** Don't Fragment; default true. */
  readonly df?: boolean
  readonly verdict: string
  readonly reason?: string
  readonly place?: {
    readonly node?: string
    readonly hook?: string
    readonly table?: string
    readonly chain?: string
    readonly device?: string
  }
  readonly backendReached?: string
  readonly backends?: readonly string[]
  /** The source address that the server sees. */
  readonly sourceSeen?: string
  /** The address that the client sees as its peer. */
  readonly peerSeen?: string
  /** Hops that must be passed, in this order: `node-a PREROUTING`, `node-a flannel.1`, `pod shop/web-1`. */
  readonly passes?: readonly string[]
  /** What the policies mean, whatever packets do: of all endpoints. */
  readonly policy?: 'allowed' | 'denied' | 'mixed'
  /** A policy that denies: `shop/allow-web`, with its kind where that is needed. */
  readonly deniedBy?: string
  /** Words of the nearest miss: `port 80, but`. */
  readonly nearestMiss?: string
  /** Codes of notes that the trace must carry: `policy-not-enforced`. */
  readonly notes?: readonly string[]
}
