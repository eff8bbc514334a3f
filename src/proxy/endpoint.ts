import type { Endpoint, EndpointPort, EndpointSlice } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Family, familyOf, type Ip } from '../net/ip.ts'
import { formatSocketAddress, isTransportProtocol, type TransportProtocol } from '../net/port.ts'
import { isIgnored, servicePortKey, servicePortName } from './service-port.ts'
import { parseIpSloppy } from './sloppy.ts'

/** One backend of one service port (pkg/proxy/endpoint.go). */
export interface ProxyEndpoint {
  readonly ip: Ip
  readonly port: number
  /** `10.0.0.1:80`, `[fd00::1]:80`: its identity, and the key of its order. */
  readonly address: string
  /** On the node of this kube-proxy. */
  readonly local: boolean
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
  readonly zoneHints: readonly string[]
  readonly nodeHints: readonly string[]
  /** The pod behind it, in words for origins: `pod web-1`. */
  readonly pod: string | undefined
}

const none: readonly string[] = []

/**
 * The endpoints of every service port of the family, by `servicePortKey`, from EndpointSlices alone. Each list is sorted
 * by the text of the address, byte by byte, as kube-proxy sorts it: `10.0.0.10:80` stands before `10.0.0.2:80`.
 */
export function endpointsMap(
  objects: ObjectReader,
  family: Family,
  nodeName: string,
): ReadonlyMap<string, readonly ProxyEndpoint[]> {
  const found = new Map<string, Map<string, ProxyEndpoint>>()
  for (const slice of objects.list('EndpointSlice')) addSlice(found, slice, family, nodeName)
  const sorted = new Map<string, readonly ProxyEndpoint[]>()
  for (const [key, endpoints] of found) sorted.set(key, [...endpoints.values()].sort(byAddress))
  return sorted
}

export const byAddress = (a: ProxyEndpoint, b: ProxyEndpoint): number =>
  a.address < b.address ? -1 : a.address > b.address ? 1 : 0

type Found = Map<string, Map<string, ProxyEndpoint>>

function addSlice(found: Found, slice: EndpointSlice, family: Family, nodeName: string): void {
  const service = slice.metadata.labels?.['kubernetes.io/service-name']
  const isOfFamily = slice.addressType === (family === 'ipv4' ? 'IPv4' : 'IPv6')
  if (!service || !isOfFamily || isIgnored(slice.metadata.labels)) return
  const ips = (slice.endpoints ?? []).map((endpoint) => ipOf(endpoint, family))
  for (const port of slice.ports ?? []) {
    const protocol = (port.protocol ?? 'TCP').toLowerCase()
    if (!port.port || !isTransportProtocol(protocol)) continue
    const target = targetOf(found, slice, service, port, protocol)
    for (const [index, endpoint] of slice.endpoints.entries()) {
      const ip = ips[index]
      if (ip !== undefined) addEndpoint(target, endpoint, ip, port.port, nodeName)
    }
  }
}

/** Slice ports are matched by name and protocol. A nil name in the API is the empty name here. */
function targetOf(
  found: Found,
  slice: EndpointSlice,
  service: string,
  port: EndpointPort,
  protocol: TransportProtocol,
): Map<string, ProxyEndpoint> {
  const namespace = slice.metadata.namespace ?? 'default'
  const key = servicePortKey(servicePortName(namespace, service, port.name), protocol)
  const present = found.get(key)
  if (present) return present
  const made = new Map<string, ProxyEndpoint>()
  found.set(key, made)
  return made
}

/** Only the first address counts. */
function ipOf(endpoint: Endpoint, family: Family): Ip | undefined {
  const ip = parseIpSloppy(endpoint.addresses[0] ?? '')
  return ip !== undefined && familyOf(ip) === family ? ip : undefined
}

/** Slices may overlap: of equal addresses a local one wins. */
function addEndpoint(
  target: Map<string, ProxyEndpoint>,
  endpoint: Endpoint,
  ip: Ip,
  port: number,
  nodeName: string,
): void {
  const address = formatSocketAddress(ip, port)
  const local = nodeName !== '' && endpoint.nodeName === nodeName
  if (target.has(address) && !local) return
  const { conditions, hints, targetRef } = endpoint
  target.set(address, {
    ip,
    port,
    address,
    local,
    ready: conditions?.ready !== false,
    serving: conditions?.serving !== false,
    terminating: conditions?.terminating === true,
    zoneHints: hints?.forZones?.map((zone) => zone.name) ?? none,
    nodeHints: hints?.forNodes?.map((node) => node.name) ?? none,
    pod: targetRef?.kind === 'Pod' && targetRef.name ? `pod ${targetRef.name}` : undefined,
  })
}
