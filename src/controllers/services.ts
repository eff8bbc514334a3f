import { parseApiIp } from '../kube/addresses.ts'
import type { Service } from '../kube/objects/service.ts'
import { type Family, familyOf, type Ip } from '../net/ip.ts'
import { formatPrefix, nthAddress, prefixFamily } from '../net/prefix.ts'
import type { ControllerContext } from './context.ts'
import { clusterIpsOf, familyOfIpFamily, type IpFamily, ipFamilyOf, isHeadless, planFamilies } from './ip-families.ts'
import { serviceIps } from './service-ip.ts'

type NextIp = (family: Family) => Ip | undefined

/** Cluster IPs, as the API server gives them when a Service is created. Those that a Service has are kept. */
export function runServiceAddresses(context: ControllerContext): void {
  const { store } = context
  const services = store.list('Service')
  const next = allocator(services, context)
  for (const service of services) {
    if (service.spec.type !== 'ExternalName') store.update(addressed(service, next, context))
  }
}

function allocator(services: readonly Service[], { settings }: ControllerContext): NextIp {
  const [network] = settings.serviceNetworks
  // The first address is that of the API server's own Service, whether the input shows it or not.
  const first = network && nthAddress(network, 1)
  const taken = new Set<string>(first === undefined ? [] : [first])
  for (const ip of services.flatMap(clusterIpsOf)) taken.add(parseApiIp(ip) ?? ip)
  const perFamily = new Map(settings.serviceNetworks.map((n) => [prefixFamily(n), serviceIps(n, taken)]))
  return (family) => perFamily.get(family)?.()
}

function addressed(service: Service, next: NextIp, context: ControllerContext): Service {
  const available = context.settings.serviceNetworks.map((n) => ipFamilyOf(prefixFamily(n)))
  const { families, policy, missing } = planFamilies(service, available)
  if (missing.length > 0) refuse(service, missing, context)
  const plan = { ipFamilies: families, ipFamilyPolicy: policy }
  const type = service.spec.type ?? 'ClusterIP'
  if (isHeadless(service)) {
    return { ...service, spec: { ...service.spec, type, clusterIP: 'None', clusterIPs: ['None'], ...plan } }
  }
  const clusterIPs = families.map((f) => ofFamily(service, f) ?? allocate(service, f, next, context))
  const found = clusterIPs.filter((ip) => ip !== undefined)
  const [clusterIP] = found
  const ips = clusterIP === undefined ? {} : { clusterIP, clusterIPs: found }
  return { ...service, spec: { ...service.spec, type, ...plan, ...ips } }
}

/** As it is written: what the input says is kept. */
const ofFamily = (service: Service, family: IpFamily): string | undefined =>
  clusterIpsOf(service).find((text) => {
    const ip = parseApiIp(text)
    return ip !== undefined && ipFamilyOf(familyOf(ip)) === family
  })

function allocate(
  service: Service,
  family: IpFamily,
  next: NextIp,
  { settings, report }: ControllerContext,
): Ip | undefined {
  const ip = next(familyOfIpFamily(family))
  if (ip) return ip
  const network = settings.serviceNetworks.find((n) => prefixFamily(n) === familyOfIpFamily(family))
  if (network) report('SERVICE_ADDRESSES_EXHAUSTED', service, ['spec', 'clusterIP'], { network: formatPrefix(network) })
  return undefined
}

function refuse(service: Service, missing: readonly IpFamily[], { report, settings }: ControllerContext): void {
  const field = service.spec.ipFamilies ? 'ipFamilies' : 'ipFamilyPolicy'
  const networks = settings.serviceNetworks.map(formatPrefix).join(', ')
  const detail = `the cluster has no ${missing.join(' and no ')} service network, only ${networks}`
  report('API_REFUSES', service, ['spec', field], { type: 'Invalid', detail, found: service.spec[field] })
}
