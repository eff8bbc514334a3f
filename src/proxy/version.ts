/** A Kubernetes minor version of the 1.x line: 30 for `v1.30.5`. */
export type Minor = number

/** The newest minor whose output was compared with a real node. */
export const newestMinor: Minor = 36
/** The oldest minor that is rendered. */
export const oldestMinor: Minor = 22

/** `1.30`, `v1.30.5`, `1.30+` (as kubelet reports it); undefined for anything else. */
export function parseMinor(version: string): Minor | undefined {
  const found = /^v?1\.(\d{1,3})(?:\D|$)/.exec(version.trim())
  return found ? Number(found[1]) : undefined
}

/** What differs between versions, beyond the shape of the rules. Sources: pkg/proxy of each version, the KEPs named. */
export interface ProxyBehaviour {
  /**
   * How a service's chains look. `xlb`: up to 1.23, KUBE-XLB holds the local endpoints. `mark-drop`: 1.24, KUBE-EXT and
   * KUBE-SVL, but drops are still made by KUBE-MARK-DROP. `firewall`: 1.25 and newer, drops are made in filter.
   */
  readonly layout: 'xlb' | 'mark-drop' | 'firewall'
  /** Restore input says `/32` and `/128`, and KUBE-FORWARD has a conntrack rule per direction: up to 1.22. */
  readonly before123: boolean
  /** `localhostNodePorts` exists, and node ports on a loopback that cannot work are kept out: 1.26. */
  readonly localhostNodePorts: boolean
  /** kube-proxy writes KUBE-FIREWALL, as kubelet does: 1.27 (KEP-3178). */
  readonly writesKubeFirewall: boolean
  /** KUBE-FW ends with a rule that only says who drops the rest: 1.27. */
  readonly saysWhoDrops: boolean
  /** nf_conntrack_tcp_be_liberal takes the INVALID rule away: 1.29. */
  readonly looksAtLiberal: boolean
  /** nfacct counters in two rules, where the kernel has them: 1.31. */
  readonly nfacct: boolean
  /** externalTrafficPolicy counts on type ClusterIP with externalIPs: 1.29. */
  readonly externalPolicyOfExternalIPs: boolean
  /** NodePort rules are left out where nodePortAddresses matches no address of the node: up to 1.26. */
  readonly nodePortsNeedAddresses: boolean
  /** Which annotation values turn zone hints on. `none needed`: 1.31 (KEP-4444). */
  readonly hintsAnnotation: 'auto only' | 'any but disabled' | 'none needed'
}

export function behaviourOf(minor: Minor, gates: Readonly<Record<string, boolean>> = {}): ProxyBehaviour {
  return {
    layout: minor >= 25 ? 'firewall' : minor === 24 ? 'mark-drop' : 'xlb',
    before123: minor < 23,
    localhostNodePorts: minor >= 26,
    writesKubeFirewall: minor >= 27,
    saysWhoDrops: minor >= 27,
    looksAtLiberal: minor >= 29,
    nfacct: minor >= 31,
    externalPolicyOfExternalIPs: minor >= 29,
    nodePortsNeedAddresses: minor < 27,
    hintsAnnotation: isEnabled('ServiceTrafficDistribution', minor, gates)
      ? 'none needed'
      : minor >= 27
        ? 'any but disabled'
        : 'auto only',
  }
}

/** The minor from which a gate is on by default (pkg/features/kube_features.go). */
const onSince = {
  ProxyTerminatingEndpoints: 26,
  ServiceInternalTrafficPolicy: 22,
  TopologyAwareHints: 24,
  LoadBalancerIPMode: 30,
  ServiceTrafficDistribution: 31,
  PreferSameTrafficDistribution: 34,
  MinimizeIPTablesRestore: 27,
  IPTablesOwnershipCleanup: 27,
} as const satisfies Record<string, Minor>

export type ProxyGate = keyof typeof onSince

/** Whether a feature is on: as `featureGates` says, else by the version's default. */
export const isEnabled = (gate: ProxyGate, minor: Minor, gates: Readonly<Record<string, boolean>>): boolean =>
  gates[gate] ?? minor >= onSince[gate]
