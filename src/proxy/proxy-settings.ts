import type { Family, Ip } from '../net/ip.ts'
import type { Prefix } from '../net/prefix.ts'
import type { Minor } from './version.ts'

/** How kube-proxy tells pods of its own node from the rest of the world (pkg/proxy/util/localdetector.go). */
export type DetectLocal =
  | { readonly by: 'none' }
  | { readonly by: 'source'; readonly mode: 'ClusterCIDR' | 'NodeCIDR'; readonly prefix: Prefix }
  /** `pattern`: a device name, or a prefix that ends in `+`. */
  | {
      readonly by: 'interface'
      readonly mode: 'BridgeInterface' | 'InterfaceNamePrefix'
      readonly pattern: string
    }

export type ProxyMode = 'iptables' | 'ipvs' | 'nftables'

/** The settings of one kube-proxy, of one address family. A dual-stack kube-proxy is two of them. */
export interface ProxySettings {
  readonly mode: ProxyMode
  readonly family: Family
  /** Compared with `endpoints[].nodeName`. */
  readonly nodeName: string
  readonly nodeLabels: Readonly<Record<string, string>>
  /** Decides whether source ranges include the node, and what `nodePortAddresses: [primary]` is. */
  readonly nodeIP: Ip
  /** Addresses of the node's interfaces, of both families: what `nodePortAddresses` is matched with. */
  readonly localIPs: readonly Ip[]
  readonly detectLocal: DetectLocal
  readonly masqueradeAll: boolean
  /** One bit: 0x4000 for `masqueradeBit: 14`. */
  readonly masqueradeMark: number
  /** iptables is 1.6.2 or newer. */
  readonly randomFully: boolean
  /** The effective value: false for IPv6 and where `nodePortAddresses` leaves 127.0.0.0/8 out. */
  readonly localhostNodePorts: boolean
  /** CIDRs of this family; undefined: every address. */
  readonly nodePortAddresses: readonly Prefix[] | undefined
  /** The sysctl nf_conntrack_tcp_be_liberal is not 0. */
  readonly conntrackTCPBeLiberal: boolean
  /** The two nfacct counters could be made; they need the kernel's xt_nfacct. */
  readonly nfacct: boolean
  readonly featureGates: Readonly<Record<string, boolean>>
  /** IPVS mode alone. */
  readonly ipvs?: { readonly scheduler: string; readonly strictARP: boolean }
  readonly minor: Minor
  /** kubelet made its chains before kube-proxy first ran: the usual order. */
  readonly kubeletRanFirst: boolean
}
