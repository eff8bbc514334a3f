import { parseApiIp } from '../kube/addresses.ts'
import type { Service } from '../kube/objects/service.ts'
import { type Family, familyOf } from '../net/ip.ts'

export type IpFamily = 'IPv4' | 'IPv6'
export type IpFamilyPolicy = NonNullable<Service['spec']['ipFamilyPolicy']>

export const ipFamilyOf = (family: Family): IpFamily => (family === 'ipv4' ? 'IPv4' : 'IPv6')
export const familyOfIpFamily = (family: IpFamily): Family => (family === 'IPv4' ? 'ipv4' : 'ipv6')

export const isHeadless = ({ spec }: Service): boolean => spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None'

/** The cluster IPs that the Service already has, in order. */
export function clusterIpsOf({ spec }: Service): readonly string[] {
  const { clusterIP, clusterIPs = [] } = spec
  if (clusterIPs.length > 0) return clusterIPs.filter((ip) => ip !== 'None' && ip !== '')
  return clusterIP === undefined || clusterIP === '' || clusterIP === 'None' ? [] : [clusterIP]
}

export interface FamilyPlan {
  readonly families: readonly IpFamily[]
  readonly policy: IpFamilyPolicy
  /** What the Service asks for and this cluster does not have. */
  readonly missing: readonly IpFamily[]
}

/**
 * The API server's defaulting of ipFamilies and ipFamilyPolicy (`pkg/registry/core/service/storage/alloc.go`).
 * `available` are the families of the service networks, the cluster's own first.
 */
export function planFamilies(service: Service, available: readonly IpFamily[]): FamilyPlan {
  const { ipFamilies = [], ipFamilyPolicy, selector = {} } = service.spec
  const given = ipFamilies.length > 0 ? ipFamilies : familiesOf(clusterIpsOf(service))
  const manual = isHeadless(service) && Object.keys(selector).length === 0
  const policy =
    ipFamilyPolicy ?? (given.length > 1 || (manual && given.length === 0) ? 'RequireDualStack' : 'SingleStack')
  const [first = available[0] ?? 'IPv4'] = given
  const other: IpFamily = first === 'IPv4' ? 'IPv6' : 'IPv4'
  if (policy === 'SingleStack') return plan([first], policy, available, manual)
  // Manual endpoints are nobody's address plan: they may be of both families in any cluster.
  const both = manual || policy === 'RequireDualStack' || given.length > 1 || available.includes(other)
  return plan(both ? [first, given[1] ?? other] : [first], policy, available, manual)
}

function plan(
  families: readonly IpFamily[],
  policy: IpFamilyPolicy,
  available: readonly IpFamily[],
  manual: boolean,
): FamilyPlan {
  const missing = manual ? [] : families.filter((f) => !available.includes(f))
  return { families: families.filter((f) => !missing.includes(f)), policy, missing }
}

const familiesOf = (ips: readonly string[]): readonly IpFamily[] =>
  ips.map(parseApiIp).flatMap((ip) => (ip === undefined ? [] : [ipFamilyOf(familyOf(ip))]))
