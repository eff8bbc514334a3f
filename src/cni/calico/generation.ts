import { isAtLeast, type Version, version } from '../version.ts'

/** What the reference describes; taken where no image tag says a release. */
export const newestCalico = version('v3.32.1')

/** What changed in what Felix and BIRD write, by release. */
export interface Generation {
  /** A mark of its own for denied packets: deny is two rules. */
  readonly dropMark: boolean
  /** The rule in front of the policies of a tier says which; before, there was one tier. */
  readonly tierInStart: boolean
  readonly tierInEnd: boolean
  /** `default/knp.default.a`, the same with the tier in front, `knp/default/a`. */
  readonly policyIds: 'key' | 'tier-and-key' | 'kind'
  /** Set of all pools that matter for NAT. */
  readonly poolSet: 'all-ipam-pools' | 'network-ip-pools'
  readonly dscp: boolean
  /** cali-POSTROUTING of nat runs after kube-proxy's. */
  readonly natPostrouting: 'inserted' | 'appended'
  /** Kernel metric of pod routes and of BGP's. */
  readonly metric: number | undefined
  readonly vxlanRouteMtu: boolean
  /** Policies with one selector share a chain. */
  readonly groups: 'tier-and-names' | 'kinds'
}

export const generationOf = (v: Version): Generation => ({
  dropMark: isAtLeast(v, 'v3.30.0'),
  tierInStart: isAtLeast(v, 'v3.29.0'),
  tierInEnd: isAtLeast(v, 'v3.30.0'),
  policyIds: isAtLeast(v, 'v3.32.0') ? 'kind' : isAtLeast(v, 'v3.29.0') ? 'tier-and-key' : 'key',
  poolSet: isAtLeast(v, 'v3.31.0') ? 'network-ip-pools' : 'all-ipam-pools',
  dscp: isAtLeast(v, 'v3.31.0'),
  natPostrouting: isAtLeast(v, 'v3.28.2') ? 'appended' : 'inserted',
  metric: isAtLeast(v, 'v3.32.0') ? 1024 : undefined,
  vxlanRouteMtu: isAtLeast(v, 'v3.31.0'),
  groups: isAtLeast(v, 'v3.32.0') ? 'kinds' : 'tier-and-names',
})
