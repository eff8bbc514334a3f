import type { Prefix } from '../net/prefix.ts'

/** What the objects that configure a cluster say about its address plan. Flags override. */
export interface ClusterSettings {
  /** Pod networks, at most one per family. Default 10.244.0.0/16. */
  readonly podNetworks: readonly Prefix[]
  /** Service networks, at most one per family. Default 10.96.0.0/12. */
  readonly serviceNetworks: readonly Prefix[]
  /** Length of a node's podCIDR per family. Default 24 and 64. */
  readonly nodeMaskLength: { readonly ipv4: number; readonly ipv6: number }
  /** Default `cluster.local`. */
  readonly clusterDomain: string
  /** Node port range, inclusive. */
  readonly nodePorts: { readonly from: number; readonly to: number }
  /** `1.34`, where it is known. */
  readonly kubeVersion: string
}
