import type { OriginObject } from '../artefact/origin.ts'
import type { Service, ServicePort } from '../kube/objects/service.ts'
import type { ObjectReader } from '../kube/store.ts'
import { type Family, familyOf, type Ip } from '../net/ip.ts'
import { isTransportProtocol, type TransportProtocol } from '../net/port.ts'
import { type Prefix, prefixContains, prefixFamily } from '../net/prefix.ts'
import type { ProxySettings } from './proxy-settings.ts'
import { parseCidrSloppy, parseIpSloppy } from './sloppy.ts'
import { behaviourOf, isEnabled } from './version.ts'

/** One port of one Service in one address family: what kube-proxy works on (pkg/proxy/serviceport.go). */
export interface ServicePortInfo {
  /** `namespace/name:port`, or `namespace/name` where the port has no name. */
  readonly name: string
  readonly namespace: string
  readonly service: string
  readonly portName: string
  readonly protocol: TransportProtocol
  readonly clusterIP: Ip
  readonly port: number
  readonly nodePort: number | undefined
  readonly externalIPs: readonly Ip[]
  /** Ingress IPs that this node answers for (ipMode is not Proxy). */
  readonly loadBalancerVIPs: readonly Ip[]
  readonly sourceRanges: readonly Prefix[]
  readonly sourceRangesIncludeNode: boolean
  /** Timeout of ClientIP affinity in seconds; undefined without affinity. */
  readonly affinitySeconds: number | undefined
  readonly internalPolicyLocal: boolean
  readonly externalPolicyLocal: boolean
  readonly healthCheckNodePort: number | undefined
  /** The value of the topology annotation, empty without one. Read up to 1.30. */
  readonly hints: string
  readonly origin: OriginObject
}

/** Services that another proxy serves, or that ask for none (pkg/proxy/apis/well_known_labels.go and core/v1). */
export const ignoredLabels = ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless'] as const

export const isIgnored = (labels: Readonly<Record<string, string>> | undefined): boolean =>
  ignoredLabels.some((label) => labels?.[label] !== undefined)

/** Key of a service port and of its endpoints: one port name may serve several protocols. */
export const servicePortKey = (name: string, protocol: TransportProtocol): string => `${name}/${protocol}`

export const servicePortName = (namespace: string, service: string, port: string | undefined): string =>
  port ? `${namespace}/${service}:${port}` : `${namespace}/${service}`

/**
 * Every service port of the family, by key, in the order of the objects. The other family's addresses are left out
 * silently: another proxier serves them.
 */
export function serviceMap(objects: ObjectReader, settings: ProxySettings): ReadonlyMap<string, ServicePortInfo> {
  const ports = new Map<string, ServicePortInfo>()
  for (const service of objects.list('Service')) {
    for (const info of servicePorts(service, settings, objects)) {
      ports.set(servicePortKey(info.name, info.protocol), info)
    }
  }
  return ports
}

function servicePorts(service: Service, settings: ProxySettings, objects: ObjectReader): readonly ServicePortInfo[] {
  if (service.spec.type === 'ExternalName' || isIgnored(service.metadata.labels)) return []
  const clusterIP = clusterIpOf(service, settings.family)
  if (clusterIP === undefined) return []
  const shared = sharedFields(service, clusterIP, settings)
  return (service.spec.ports ?? []).flatMap((port, index): ServicePortInfo[] => {
    const protocol = (port.protocol ?? 'TCP').toLowerCase()
    if (!isTransportProtocol(protocol)) return []
    return [{ ...shared, ...ofPort(shared, port), protocol, origin: originOf(service, index, objects) }]
  })
}

/** `clusterIPs[i]` where `ipFamilies[i]` is the family; without `ipFamilies`, the one `clusterIP` if it is of it. */
function clusterIpOf({ spec }: Service, family: Family): Ip | undefined {
  const wanted = family === 'ipv4' ? 'IPv4' : 'IPv6'
  const index = spec.ipFamilies?.indexOf(wanted) ?? -1
  const text = spec.ipFamilies?.length ? spec.clusterIPs?.[index] : spec.clusterIP
  const ip = text === undefined ? undefined : parseIpSloppy(text)
  return ip !== undefined && familyOf(ip) === family ? ip : undefined
}

type SharedFields = Omit<ServicePortInfo, 'name' | 'portName' | 'protocol' | 'port' | 'nodePort' | 'origin'>

function sharedFields(service: Service, clusterIP: Ip, settings: ProxySettings): SharedFields {
  const { spec, metadata } = service
  const sourceRanges = sourceRangesOf(service, settings.family)
  const externalPolicyLocal = isExternalPolicyLocal(service, settings)
  const needsHealthCheck = spec.type === 'LoadBalancer' && externalPolicyLocal
  return {
    namespace: metadata.namespace ?? 'default',
    service: metadata.name,
    clusterIP,
    externalIPs: ipsOfFamily(spec.externalIPs ?? [], settings.family),
    loadBalancerVIPs: vipsOf(service, settings),
    sourceRanges,
    sourceRangesIncludeNode: sourceRanges.some((range) => prefixContains(range, settings.nodeIP)),
    affinitySeconds: affinityOf(service),
    internalPolicyLocal:
      spec.internalTrafficPolicy === 'Local' &&
      isEnabled('ServiceInternalTrafficPolicy', settings.minor, settings.featureGates),
    externalPolicyLocal,
    healthCheckNodePort: needsHealthCheck ? spec.healthCheckNodePort || undefined : undefined,
    hints: hintsOf(service, settings),
  }
}

function ofPort(
  shared: SharedFields,
  port: ServicePort,
): Pick<ServicePortInfo, 'name' | 'portName' | 'port' | 'nodePort'> {
  return {
    name: servicePortName(shared.namespace, shared.service, port.name),
    portName: port.name ?? '',
    port: port.port,
    nodePort: port.nodePort || undefined,
  }
}

function isExternalPolicyLocal({ spec }: Service, settings: ProxySettings): boolean {
  if (spec.externalTrafficPolicy !== 'Local') return false
  if (spec.type === 'LoadBalancer' || spec.type === 'NodePort') return true
  const hasExternalIPs = (spec.externalIPs?.length ?? 0) > 0
  return hasExternalIPs && behaviourOf(settings.minor).externalPolicyOfExternalIPs
}

/** The service type does not matter: only the status does. */
function vipsOf(service: Service, settings: ProxySettings): readonly Ip[] {
  const looksAtMode = isEnabled('LoadBalancerIPMode', settings.minor, settings.featureGates)
  const ingress = service.status?.loadBalancer?.ingress ?? []
  const vips = ingress.filter((i) => !looksAtMode || i.ipMode !== 'Proxy').flatMap((i) => (i.ip ? [i.ip] : []))
  return ipsOfFamily(vips, settings.family)
}

const affinityOf = ({ spec }: Service): number | undefined =>
  spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10800) : undefined

function sourceRangesOf({ spec }: Service, family: Family): readonly Prefix[] {
  const ranges = (spec.loadBalancerSourceRanges ?? []).flatMap((text) => parseCidrSloppy(text) ?? [])
  return ranges.filter((range) => prefixFamily(range) === family)
}

const ipsOfFamily = (texts: readonly string[], family: Family): readonly Ip[] =>
  texts.flatMap((text) => parseIpSloppy(text) ?? []).filter((ip) => familyOf(ip) === family)

function hintsOf({ metadata }: Service, settings: ProxySettings): string {
  const old = metadata.annotations?.['service.kubernetes.io/topology-aware-hints']
  const readsMode = behaviourOf(settings.minor).hintsAnnotation !== 'auto only'
  return old ?? (readsMode ? metadata.annotations?.['service.kubernetes.io/topology-mode'] : undefined) ?? ''
}

function originOf(service: Service, index: number, objects: ObjectReader): OriginObject {
  const { namespace, name } = service.metadata
  const source = objects.sourceOf(service)
  return {
    kind: 'Service',
    ...(namespace !== undefined && { namespace }),
    name,
    field: `ports[${index}]`,
    ...(source && { file: source.file, line: source.lineOf(['spec', 'ports', index]) }),
  }
}
