import type { KubeObject } from './meta.ts'

/** projectcalico.org/v3, and crd.projectcalico.org/v1, in which the datastore keeps the same fields. */
export interface CalicoKinds {
  readonly IPPool: IpPool
  readonly IPAMBlock: IpamBlock
  readonly BlockAffinity: BlockAffinity
  readonly IPAMConfig: IpamConfig
  readonly IPReservation: IpReservation
  readonly BGPConfiguration: BgpConfiguration
  readonly BGPPeer: BgpPeer
  readonly BGPFilter: BgpFilter
  readonly FelixConfiguration: FelixConfiguration
  readonly NetworkPolicy: CalicoNetworkPolicy
  readonly GlobalNetworkPolicy: GlobalNetworkPolicy
  readonly NetworkSet: NetworkSet
  readonly GlobalNetworkSet: NetworkSet
  readonly HostEndpoint: HostEndpoint
  readonly Tier: CalicoTier
}

export type CalicoKind = keyof CalicoKinds

export type EncapMode = 'Never' | 'Always' | 'CrossSubnet'

export interface IpPool extends KubeObject {
  readonly spec: {
    readonly cidr: string
    /** Default 26, for IPv6 122. */
    readonly blockSize?: number
    readonly ipipMode?: EncapMode
    readonly vxlanMode?: EncapMode
    readonly natOutgoing?: boolean
    readonly nodeSelector?: string
    readonly namespaceSelector?: string
    readonly disabled?: boolean
    readonly disableBGPExport?: boolean
    readonly allowedUses?: readonly ('Workload' | 'Tunnel' | 'LoadBalancer')[]
    readonly assignmentMode?: 'Automatic' | 'Manual'
  }
}

export interface IpamBlock extends KubeObject {
  readonly spec: {
    readonly cidr: string
    /** `host:node-a`, `virtual:load-balancer`. */
    readonly affinity?: string
    /** By ordinal: the index into `attributes`, or null where the address is free. */
    readonly allocations?: readonly (number | null)[]
    readonly attributes?: readonly {
      readonly handle_id?: string
      readonly secondary?: Readonly<Record<string, string>>
    }[]
    readonly strictAffinity?: boolean
    readonly deleted?: boolean
  }
}

export interface BlockAffinity extends KubeObject {
  readonly spec: {
    readonly cidr: string
    readonly node: string
    readonly state?: string
    readonly type?: string
    /** The datastore keeps it as a text. */
    readonly deleted?: string | boolean
  }
}

export interface IpamConfig extends KubeObject {
  readonly spec: {
    readonly strictAffinity?: boolean
    readonly maxBlocksPerHost?: number
    readonly autoAllocateBlocks?: boolean
  }
}

export interface IpReservation extends KubeObject {
  readonly spec: { readonly reservedCIDRs?: readonly string[] }
}

export interface BgpCommunity {
  readonly name?: string
  readonly value?: string
}

export interface BgpConfiguration extends KubeObject {
  readonly spec: {
    readonly nodeToNodeMeshEnabled?: boolean
    readonly asNumber?: number | string
    readonly serviceClusterIPs?: readonly { readonly cidr?: string }[]
    readonly serviceExternalIPs?: readonly { readonly cidr?: string }[]
    readonly serviceLoadBalancerIPs?: readonly { readonly cidr?: string }[]
    readonly serviceLoadBalancerAggregation?: 'Enabled' | 'Disabled'
    readonly listenPort?: number
    readonly bindMode?: 'None' | 'NodeIP'
    readonly nodeMeshMaxRestartTime?: string
    readonly communities?: readonly BgpCommunity[]
    readonly prefixAdvertisements?: readonly { readonly cidr?: string; readonly communities?: readonly string[] }[]
    readonly ignoredInterfaces?: readonly string[]
    readonly programClusterRoutes?: 'Enabled' | 'Disabled'
    readonly ipv4NormalRoutePriority?: number
    readonly ipv6NormalRoutePriority?: number
  }
}

export interface BgpPeer extends KubeObject {
  readonly spec: {
    readonly node?: string
    readonly nodeSelector?: string
    readonly peerIP?: string
    readonly asNumber?: number | string
    readonly peerSelector?: string
    readonly localWorkloadSelector?: string
    readonly keepOriginalNextHop?: boolean
    readonly nextHopMode?: 'Auto' | 'Keep' | 'Self'
    readonly maxRestartTime?: string
    readonly keepaliveTime?: string
    readonly ttlSecurity?: number
    readonly sourceAddress?: 'UseNodeIP' | 'None'
    readonly numAllowedLocalASNumbers?: number
    readonly localASNumber?: number | string
    readonly reachableBy?: string
    readonly filters?: readonly string[]
    readonly reversePeering?: 'Auto' | 'Manual'
  }
}

export interface BgpFilterRule {
  readonly cidr?: string
  readonly matchOperator?: 'Equal' | 'NotEqual' | 'In' | 'NotIn'
  readonly prefixLength?: { readonly min?: number; readonly max?: number }
  readonly source?: 'RemotePeers'
  readonly interface?: string
  readonly peerType?: 'eBGP' | 'iBGP'
  readonly action: 'Accept' | 'Reject'
}

export interface BgpFilter extends KubeObject {
  readonly spec: {
    readonly exportV4?: readonly BgpFilterRule[]
    readonly importV4?: readonly BgpFilterRule[]
    readonly exportV6?: readonly BgpFilterRule[]
    readonly importV6?: readonly BgpFilterRule[]
  }
}

export interface ProtoPort {
  readonly protocol?: string
  readonly port: number
  readonly net?: string
}

export interface FelixConfiguration extends KubeObject {
  /** Every field may also come as an environment variable of calico-node; see the settings that are read from both. */
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly failsafeInboundHostPorts?: readonly ProtoPort[]
    readonly failsafeOutboundHostPorts?: readonly ProtoPort[]
    readonly externalNodesList?: readonly string[]
  }
}

export type CalicoPort = number | string

export interface EntityRule {
  readonly nets?: readonly string[]
  readonly notNets?: readonly string[]
  readonly selector?: string
  readonly notSelector?: string
  readonly namespaceSelector?: string
  readonly ports?: readonly CalicoPort[]
  readonly notPorts?: readonly CalicoPort[]
  readonly serviceAccounts?: { readonly names?: readonly string[]; readonly selector?: string }
  readonly services?: { readonly name?: string; readonly namespace?: string }
}

export interface CalicoIcmp {
  readonly type?: number
  readonly code?: number
}

export interface CalicoRule {
  readonly action: 'Allow' | 'Deny' | 'Pass' | 'Log'
  readonly ipVersion?: 4 | 6
  readonly protocol?: string | number
  readonly notProtocol?: string | number
  readonly icmp?: CalicoIcmp
  readonly notICMP?: CalicoIcmp
  readonly source?: EntityRule
  readonly destination?: EntityRule
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> }
}

export interface CalicoPolicySpec {
  readonly tier?: string
  /** Absent: after all others. */
  readonly order?: number
  readonly selector?: string
  readonly serviceAccountSelector?: string
  readonly types?: readonly ('Ingress' | 'Egress')[]
  readonly ingress?: readonly CalicoRule[]
  readonly egress?: readonly CalicoRule[]
}

export interface CalicoNetworkPolicy extends KubeObject {
  readonly spec: CalicoPolicySpec
}

export interface GlobalNetworkPolicy extends KubeObject {
  readonly spec: CalicoPolicySpec & {
    readonly namespaceSelector?: string
    readonly doNotTrack?: boolean
    readonly preDNAT?: boolean
    readonly applyOnForward?: boolean
  }
}

/** A NetworkSet lives in a namespace, a GlobalNetworkSet does not. */
export interface NetworkSet extends KubeObject {
  readonly spec: { readonly nets?: readonly string[] }
}

export interface HostEndpoint extends KubeObject {
  readonly spec: {
    readonly node: string
    /** `*`: every interface of the node. */
    readonly interfaceName?: string
    readonly expectedIPs?: readonly string[]
    readonly profiles?: readonly string[]
    readonly ports?: readonly { readonly name: string; readonly protocol: string | number; readonly port: number }[]
  }
}

export interface CalicoTier extends KubeObject {
  readonly spec: { readonly order?: number; readonly defaultAction?: 'Deny' | 'Pass' }
}
