import type { ProxyEndpoint } from '../endpoint.ts'
import { hashName } from '../hash.ts'
import type { ServicePortInfo } from '../service-port.ts'

/** What nftables allows is longer; kube-proxy keeps names to 240 (pkg/proxy/nftables/proxier.go). */
const longest = 240

/** `P4ZYZVCF-testing/service/tcp/http`: a hash first, so that cut names stay apart. */
export function nameBase(text: string): string {
  const name = `${hashName(text, 8)}-${text}`
  return name.length <= longest ? name : `${name.slice(0, longest - 3)}...`
}

const serviceText = ({ namespace, service, protocol, portName }: ServicePortInfo): string =>
  `${namespace}/${service}/${protocol}/${portName}`

export const serviceBase = (info: ServicePortInfo): string => nameBase(serviceText(info))

/** Colons of IPv6 are no part of a name. */
export const endpointBase = (info: ServicePortInfo, { ip, port }: ProxyEndpoint): string =>
  nameBase(`${serviceText(info)}__${ip.replaceAll(':', '.')}/${port}`)

/** Chains and sets of one service port. */
export interface ServiceNames {
  /** Endpoints of policy Cluster. */
  readonly service: string
  /** Endpoints of policy Local. */
  readonly local: string
  /** What comes from outside. */
  readonly external: string
  /** Source ranges. */
  readonly firewall: string
  endpoint(e: ProxyEndpoint): string
  affinity(e: ProxyEndpoint): string
}

export function serviceNames(info: ServicePortInfo): ServiceNames {
  const base = serviceBase(info)
  return {
    service: `service-${base}`,
    local: `local-${base}`,
    external: `external-${base}`,
    firewall: `firewall-${base}`,
    endpoint: (e) => `endpoint-${endpointBase(info, e)}`,
    affinity: (e) => `affinity-${endpointBase(info, e)}`,
  }
}

const servicePrefixes = ['service-', 'local-', 'external-', 'firewall-', 'endpoint-'] as const

/** Whether a chain belongs to one service, and not to all: names of the shared ones hold no `/`. */
export const isServiceChain = (name: string): boolean =>
  servicePrefixes.some((prefix) => name.startsWith(prefix)) && name.includes('/')
